import { join, relative } from "node:path";
import { Command } from "commander";
import type { PlatformSettings } from "../../platform/settings.ts";
import type { Mapping } from "../../tenants/effective-settings.ts";
import type { TenantFault } from "../../tenants/faults.ts";
import type { DeployedTenant } from "../../tenants/rules.ts";
import type { TenantFile } from "../../tenants/tenant-file.ts";
import { printJson } from "../output.ts";

interface Options {
  readonly stack?: string;
  readonly against?: string;
  readonly json?: true;
  readonly github?: true;
}

/** The chart's schema: of the repository in the settings, or of the dev platform's own chart. */
async function valuesSchemaFor(stack: string, settings: PlatformSettings): Promise<Mapping> {
  const { chartValuesSchema, packagedValuesSchema } =
    await import("../../components/vcluster-chart.ts");
  const { devStack } = await import("../../dev/platform/environment.ts");
  const { readPlatform } = await import("../../dev/platform/state.ts");
  if (stack !== devStack || readPlatform() !== undefined) {
    return await chartValuesSchema(settings.charts.vcluster);
  }
  // The mirror does not run: what it would serve is read from the toolchain.
  const { ensureToolchain } = await import("../../dev/toolchain/ensure-toolchain.ts");
  const { assets } = await ensureToolchain({ names: [] });
  return await packagedValuesSchema(settings.charts.vcluster, assets.vclusterChart);
}

/** The tenants as they are at a revision of the repository, those whose files are valid there. */
async function tenantsAt(revision: string): Promise<readonly DeployedTenant[]> {
  const { execa } = await import("execa");
  const { projectFolder } = await import("../../dev/platform/state.ts");
  const { deployedTenant } = await import("../../tenants/rules.ts");
  const { TenantFile } = await import("../../tenants/tenant-file.ts");
  const { Refusal } = await import("../output.ts");
  const git = async (...commandArguments: string[]): Promise<string> => {
    const { stdout, stderr, failed } = await execa("git", commandArguments, {
      cwd: projectFolder,
      reject: false,
      stripFinalNewline: false,
    });
    if (failed) {
      throw new Refusal(
        `git ${commandArguments[0] ?? ""} ${revision} failed: ${stderr.trim()}. In CI, fetch the revision first (fetch-depth: 0)`,
      );
    }
    return stdout;
  };
  const names = await git("ls-tree", "-z", "--name-only", revision, "--", "tenants/");
  const files = names.split("\0").filter((name) => name.endsWith(".yaml"));
  const texts = await Promise.all(
    files.map(async (name) => await git("show", `${revision}:./${name}`)),
  );
  return files.flatMap((name, index) => {
    const { tenant } = new TenantFile(name, texts[index]);
    return tenant === undefined ? [] : [deployedTenant(tenant)];
  });
}

/** What is accepted and does nothing yet: nobody shall believe otherwise. */
async function notices(files: readonly TenantFile[]): Promise<TenantFault[]> {
  const { fieldsWithoutEffect } = await import("../../tenants/without-effect.ts");
  return files.flatMap((file) =>
    fieldsWithoutEffect(file.content ?? {}).map((path) =>
      file.fault("without-effect", path, "checked and kept, but nothing acts on it yet"),
    ),
  );
}

async function check(options: Options): Promise<void> {
  const { devStack } = await import("../../dev/platform/environment.ts");
  const { projectFolder } = await import("../../dev/platform/state.ts");
  const { admissionRules } = await import("../../components/admitted-tenants.ts");
  const { formatFault, githubAnnotation, inReadingOrder } = await import("../../tenants/faults.ts");
  const { readTenantFiles } = await import("../../tenants/load.ts");
  const { ChartUnavailableError } = await import("../../components/vcluster-chart.ts");
  const { readStackSettings } = await import("../stack-settings.ts");

  const stack = options.stack ?? process.env["PULUMI_STACK"] ?? devStack;
  const { settings, faults: settingsFaults, fault } = readStackSettings(stack);
  const chartFaults: TenantFault[] = [];
  const valuesSchema =
    settings &&
    (await valuesSchemaFor(stack, settings).catch((error: unknown) => {
      // All the rest can be checked without it.
      if (!(error instanceof ChartUnavailableError)) throw error;
      chartFaults.push(fault(["charts", "vcluster", "repository"], error.message));
      return undefined;
    }));
  const deployed = options.against === undefined ? [] : await tenantsAt(options.against);
  const folder = relative(process.cwd(), join(projectFolder, "tenants")) || ".";
  const { entries, faults: tenantFaults } = readTenantFiles(
    folder,
    admissionRules({ platform: settings, valuesSchema, deployed }),
  );
  const faults = [...settingsFaults, ...chartFaults, ...tenantFaults].sort(inReadingOrder);
  const notes = await notices(entries.map(({ file }) => file));

  if (options.json) {
    printJson({ faults, notices: notes });
  } else if (options.github) {
    for (const fault of faults) console.log(githubAnnotation(fault, "error"));
    for (const note of notes) console.log(githubAnnotation(note, "notice"));
  } else {
    for (const note of notes) console.log(`${formatFault(note)} (notice)`);
    for (const fault of faults) console.log(formatFault(fault));
    console.log(
      faults.length === 0
        ? `${entries.length} tenants and the settings of the stack ${stack}: no fault`
        : `${faults.length} ${faults.length === 1 ? "fault" : "faults"}`,
    );
  }
  if (faults.length > 0) process.exitCode = 1;
}

export function checkCommand(): Command {
  return new Command("check")
    .description("check all tenant files and the stack's settings, and touch nothing")
    .option("--stack <name>", "the stack whose settings hold (default: PULUMI_STACK, else dev)")
    .option(
      "--against <revision>",
      "also refuse what a tenant of this Git revision cannot become: a pull request names its base",
    )
    .option("--json", "print JSON")
    .option("--github", "print workflow commands: GitHub marks the lines of the pull request")
    .addHelpText(
      "after",
      `
Reports every fault of every file as file:line:column field: message. Neither the host cluster nor
the stack's state is asked; what needs them, "pulumi up" checks before it touches anything.

Exit code: 0 when there is no fault, 1 when there is one or the check could not be made.`,
    )
    .action(check);
}
