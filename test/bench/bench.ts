import { cpus, totalmem } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { printJson, printTable } from "../../cli/output.ts";
import { ensureToolchain } from "../../dev/toolchain/ensure-toolchain.ts";
import { Clone } from "../integration/clone.ts";

/** What is measured, in the order in which a run goes through it. */
const steps = [
  "up, from nothing to two usable tenants",
  "up, nothing changed",
  "up, a third tenant added",
  "up, the third tenant removed",
  "the guard rails of a tenant, applied by kubectl",
  "100 pods admitted to a namespace without guard rails",
  "100 pods admitted to a tenant's namespace",
  "down",
  "1,000 tenant files read, checked and compiled",
] as const;

type Step = (typeof steps)[number];

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("a whole number from 1");
  return value;
}

const program = new Command("bench")
  .description(
    "times the platform as a user meets it: whole commands, on this machine, warm toolchain",
  )
  .option("--runs <n>", "how many times everything is done", count, 3)
  .option("--json", "print JSON")
  .parse();
const options = program.opts<{ runs: number; json?: true }>();

const thirdTenant = [
  "name: initech",
  "owner: { team: Initech, email: team@initech.example }",
  "costCentre: CC-3003",
  "tier: small",
  'kubernetes: "1.36"',
  "",
].join("\n");

const Rails = z.object({
  objects: z.number(),
  applied: z.number(),
  plain: z.number(),
  railed: z.number(),
});
let railObjects = Number.NaN;

const seconds = new Map<Step, number[]>(steps.map((step) => [step, []]));

function took(step: Step, taken: number): void {
  seconds.get(step)?.push(taken);
  process.stderr.write(`bench  ${step}  ${taken.toFixed(1)} s\n`);
}

async function time(step: Step, clone: Clone, command: "up" | "down"): Promise<void> {
  const started = performance.now();
  await clone.succeed("npm", ["run", "--silent", command]);
  took(step, (performance.now() - started) / 1000);
}

const clone = await Clone.make();
try {
  // Dependencies and toolchain are there before anything is timed.
  await clone.succeed("node", ["cli/tenantry.js", "dev", "toolchain"]);
  const { assets } = await ensureToolchain({ names: [] });
  for (let run = 0; run < options.runs; run++) {
    await time("up, from nothing to two usable tenants", clone, "up");
    await time("up, nothing changed", clone, "up");
    clone.write("tenants/initech.yaml", thirdTenant);
    await time("up, a third tenant added", clone, "up");
    const { objects, applied, plain, railed } = Rails.parse(
      JSON.parse(await clone.succeed("node", ["--import", "tsx", "test/bench/rails.ts"])),
    );
    railObjects = objects;
    took("the guard rails of a tenant, applied by kubectl", applied);
    took("100 pods admitted to a namespace without guard rails", plain);
    took("100 pods admitted to a tenant's namespace", railed);
    clone.delete("tenants/initech.yaml");
    await time("up, the third tenant removed", clone, "up");
    await time("down", clone, "down");
    // A process of its own each time: a command line has no warm compiler.
    const files = ["--import", "tsx", "test/bench/tenant-files.ts", "1000", assets.vclusterChart];
    took(
      "1,000 tenant files read, checked and compiled",
      Number(await clone.succeed("node", files)),
    );
  }
} finally {
  await clone.tenantry("dev", "down");
  clone.remove();
}

const figures = [...seconds].map(([step, taken]) => {
  const sorted = taken.toSorted((a, b) => a - b);
  return {
    step,
    runs: sorted.length,
    median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
    least: sorted[0] ?? Number.NaN,
    most: sorted.at(-1) ?? Number.NaN,
  };
});
const machine = `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
const median = (step: Step) => figures.find((figure) => figure.step === step)?.median ?? Number.NaN;
const ratios = {
  "objects that hold a tenant": railObjects,
  "applying them, of a tenant's creation":
    median("the guard rails of a tenant, applied by kubectl") / median("up, a third tenant added"),
  "admission of a pod, with guard rails to without":
    median("100 pods admitted to a tenant's namespace") /
    median("100 pods admitted to a namespace without guard rails"),
};
if (options.json) printJson({ machine, figures, ratios });
else {
  console.log(machine);
  printTable(
    ["step", "median", "least", "most", "runs"],
    figures.map(({ step, median, least, most, runs }) => [
      step,
      `${median.toFixed(1)} s`,
      `${least.toFixed(1)} s`,
      `${most.toFixed(1)} s`,
      String(runs),
    ]),
  );
  for (const [what, ratio] of Object.entries(ratios)) {
    console.log(`${what}: ${Number.isInteger(ratio) ? ratio : ratio.toFixed(2)}`);
  }
}
