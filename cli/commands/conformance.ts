import { writeFileSync } from "node:fs";
import { Command } from "commander";
import type { Attempt } from "../../conformance/attempt.ts";
import type { Result } from "../../conformance/run-conformance.ts";
import { interruptible } from "../interruptible.ts";
import { printJson, printTable, Refusal } from "../output.ts";

/** Longest answer in the table; --json has all of it. */
const ANSWER = 80;

interface Options {
  readonly json?: true;
  readonly junit?: string;
  readonly only?: readonly string[];
}

export function conformanceCommand(): Command {
  return new Command("conformance")
    .description("try the forbidden and the permitted things as a tenant, and say who refused")
    .argument("[tenants...]", "names of tenants; by default all of the stack")
    .option("--only <word...>", "only attempts of this id, area or rail")
    .option("--json", "print JSON")
    .option("--junit <file>", "also write a JUnit report")
    .addHelpText(
      "after",
      `
Works with the tenant's kubeconfig, repository and Argo CD project, and on the host as what the
tenant runs there; for that, the user of the host's kubeconfig must be allowed to impersonate, and
GITHUB_TOKEN must be the platform's. For some seconds it takes all of the tenant's quota: on a
platform in use, choose a quiet hour. What it makes is removed, also after Ctrl-C; what a run that
was killed has left, the next one removes. One run at a time for each tenant.

Exit code: 0 when every attempt ended as it must, else 1.`,
    )
    .action(async (names: readonly string[], options: Options) => {
      const results = await interruptible(
        "what was made is removed, as far as the platform answered (the next run removes the rest)",
        async (signal) => await attempted(names, options, signal),
      );
      if (options.junit !== undefined) writeFileSync(options.junit, await junit(results));
      if (options.json) printJson(results);
      else printResults(results);
      if (results.some(({ surprise }) => surprise)) process.exitCode = 1;
    });
}

async function attempted(
  names: readonly string[],
  { only }: Options,
  signal: AbortSignal,
): Promise<readonly Result[]> {
  const [{ SelectedStack }, { KubernetesApi }, { runConformance }, { restUrl }, { serverInHost }] =
    await Promise.all([
      import("../selected-stack.ts"),
      import("../../conformance/kubernetes-api.ts"),
      import("../../conformance/run-conformance.ts"),
      import("../git-service.ts"),
      import("../../components/tenant-names.ts"),
    ]);
  const stack = new SelectedStack();
  const token = stack.environment["GITHUB_TOKEN"];
  if (token === undefined) throw new Refusal("GITHUB_TOKEN is not set: it must be the platform's");
  const [settings, { tenants, kubeconfigs }] = await Promise.all([
    stack.settings(),
    stack.outputs(),
  ]);
  const subjects = Object.entries(tenants).map(([name, { namespace, repositoryUrl }]) => ({
    name,
    namespace,
    kubeconfig: kubeconfigs[name] ?? "",
    serverInHost: serverInHost(name, namespace),
    cloneUrl: `${repositoryUrl}.git`,
  }));
  const unknown = names.filter((name) => !subjects.some((subject) => subject.name === name));
  if (unknown.length > 0) {
    throw new Refusal(
      `no tenant ${unknown.join(", ")} in this stack: it has ${subjects.map(({ name }) => name).join(", ")}`,
    );
  }
  const chosen = subjects.filter(({ name }) => names.length === 0 || names.includes(name));
  if (chosen.length === 0) throw new Refusal("this stack has no tenants (npm run up makes them)");
  const isWanted = ({ id, area, rail }: Attempt) =>
    only === undefined || only.some((word) => [id, area, rail].includes(word));

  const host = await KubernetesApi.open(stack.hostCluster(settings.host.context));
  const field = { settings, host, git: { url: restUrl(settings.git), token }, signal };
  const results: Result[] = [];
  try {
    // One after the other: what they try counts against the host's answers, not against each other.
    for (const subject of chosen) {
      const other = subjects.find(({ name }) => name !== subject.name);
      let done = 0;
      results.push(
        ...(await runConformance(field, subject, other, {
          isWanted,
          onResult: (result, total) => {
            done += 1;
            progress(`${subject.name}  ${done} of ${total}`, result, done === total);
          },
        })),
      );
    }
  } finally {
    host.close();
  }
  if (results.length === 0) throw new Refusal(`no attempt is called ${only?.join(", ")}`);
  return results;
}

/** One line that is written over, on a terminal; else a line for every surprise, and one at the end. */
function progress(count: string, { id, surprise, answer }: Result, isLast: boolean): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${count}  ${isLast ? "" : id}${isLast ? "\n" : ""}`);
  } else if (surprise) {
    process.stderr.write(`${count}  ${id}: ${answer.by}\n`);
  } else if (isLast) {
    process.stderr.write(`${count}\n`);
  }
}

function printResults(results: readonly Result[]): void {
  printTable(
    ["", "tenant", "area", "attempt", "must refuse", "refused", "answer"],
    results.map(({ tenant, area, id, expected, answer, surprise }) => [
      surprise ? "✘" : "✔",
      tenant,
      area,
      id,
      expected,
      answer.by,
      answer.text.replaceAll(/\s+/g, " ").slice(0, ANSWER),
    ]),
  );
  const surprises = results.filter(({ surprise }) => surprise);
  console.log(
    `\n${results.length} attempts, ${surprises.length === 0 ? "no surprise" : `${surprises.length} surprises:`}`,
  );
  for (const { tenant, id, what, expected, answer } of surprises) {
    console.log(
      `  ${tenant} ${id}: ${what}\n    must be refused by ${expected}, was by ${answer.by}: ${answer.text}`,
    );
  }
}

/** One test suite for each tenant, one test case for each attempt. */
async function junit(results: readonly Result[]): Promise<string> {
  const { create } = await import("xmlbuilder2");
  const report = create({ version: "1.0", encoding: "UTF-8" }).ele("testsuites");
  for (const tenant of new Set(results.map((result) => result.tenant))) {
    const own = results.filter((result) => result.tenant === tenant);
    const suite = report.ele("testsuite", {
      name: `tenantry conformance ${tenant}`,
      tests: own.length,
      failures: own.filter(({ surprise }) => surprise).length,
    });
    for (const { id, area, what, expected, answer, surprise } of own) {
      const test = suite.ele("testcase", {
        classname: `${tenant}.${area}`,
        name: `${id}: ${what}`,
      });
      if (surprise) {
        const message = `must be refused by ${expected}, was by ${answer.by}`;
        test.ele("failure", { message }).txt(answer.text);
      } else {
        test.ele("system-out").txt(answer.text);
      }
    }
  }
  return `${report.end({ prettyPrint: true })}\n`;
}
