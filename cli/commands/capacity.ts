import { join, resolve } from "node:path";
import { Command } from "commander";
import type { Capacity } from "../../components/capacity.ts";
import type { PlatformSettings } from "../../platform/settings.ts";
import type { TenantEntry } from "../../tenants/load.ts";
import type { Tenant } from "../../tenants/schema.ts";
import { printJson, printTable } from "../output.ts";

/** The tenants of the folder, and with the file that was asked about. */
interface Tenants {
  readonly now: readonly Tenant[];
  readonly then: readonly Tenant[];
}

/** Throws a TenantFilesError if anything is wrong with the files as they would be then. */
async function readTenants(
  settings: PlatformSettings,
  whatIf: string | undefined,
): Promise<Tenants> {
  const { admissionRules } = await import("../../components/admitted-tenants.ts");
  const { chartValuesSchema } = await import("../../components/vcluster-chart.ts");
  const { projectFolder } = await import("../../dev/platform/state.ts");
  const { inReadingOrder, TenantFilesError } = await import("../../tenants/faults.ts");
  const { applyRules, readTenantFiles } = await import("../../tenants/load.ts");
  const { TenantFile } = await import("../../tenants/tenant-file.ts");

  const { entries, faults } = readTenantFiles(join(projectFolder, "tenants"), []);
  const file = whatIf === undefined ? undefined : new TenantFile(whatIf);
  const path = whatIf === undefined ? undefined : resolve(whatIf);
  const name = file?.name;
  const now = entries.filter((entry) => resolve(entry.file.path) !== path);
  const then: readonly TenantEntry[] =
    file?.tenant === undefined
      ? now
      : [...now.filter(({ tenant }) => tenant.name !== name), { tenant: file.tenant, file }];
  // Whether existing tenants may change like this is not what is asked.
  const context = {
    platform: settings,
    valuesSchema: await chartValuesSchema(settings.charts.vcluster),
    deployed: [],
  };
  const all = [
    ...faults.filter((fault) => resolve(fault.file) !== path),
    ...(file?.faults ?? []),
    ...applyRules(admissionRules(context), then),
  ];
  if (all.length > 0) throw new TenantFilesError(all.sort(inReadingOrder));
  return { now: now.map(({ tenant }) => tenant), then: then.map(({ tenant }) => tenant) };
}

/** For people: bytes in Gi, to the second decimal. */
function shown(resource: Capacity["resource"], amount: number): string {
  if (resource === "pods" || amount === 0) return `${amount}`;
  if (resource === "cpu") return `${amount / 1000}`;
  return `${Math.round((amount / 2 ** 30) * 100) / 100}Gi`;
}

export function capacityCommand(): Command {
  return new Command("capacity")
    .description("compare what the tenants are promised with what the host's node pools have")
    .option("--json", "print JSON: CPU in thousandths of a core, memory and storage in bytes")
    .option("--what-if <file>", "count the tenant of this file too, and show what it changes")
    .addHelpText(
      "after",
      `
Promised is what the tenants' files say, deployed or not: the quotas, and the control planes.
  promisable = (allocatable - others) x overcommit       left = promisable - promised
Others are requests of pods that are no tenant's. A node counts for every pool that it belongs to;
a pool bears the promises of every pool whose nodes are all among its own; a+b are two pools that
share some nodes, together.

--what-if replaces the tenant of that name, if there is one. A file in the tenants' folder is
compared with the folder without it.

Exit code: 0 when all promises can be kept, 1 when too much is promised or a file is faulty.`,
    )
    .action(async (options: { json?: true; whatIf?: string }) => {
      const { capacityOf, formatAmount, left } = await import("../../components/capacity.ts");
      const { hostResources } = await import("../../components/host-nodes.ts");
      const { SelectedStack } = await import("../selected-stack.ts");

      const stack = new SelectedStack();
      const [settings, deployed] = await Promise.all([stack.settings(), stack.tenants()]);
      const { now, then } = await readTenants(settings, options.whatIf);
      const host = await hostResources(stack.hostCluster(settings.host.context));
      const of = (tenants: readonly Tenant[]) =>
        capacityOf(tenants, settings, host, Object.keys(deployed));
      const before = of(now);
      const rows = of(then).map((capacity, index) => ({
        capacity,
        left: left(capacity),
        change: capacity.promised - (before[index]?.promised ?? 0),
      }));

      if (options.json) {
        printJson(
          rows.map(({ capacity: { limit, ...capacity }, left, change }) => ({
            ...capacity,
            ...limit,
            left,
            over: left !== undefined && left < 0,
            ...(options.whatIf === undefined ? {} : { change }),
          })),
        );
      } else {
        printTable(
          [
            "pool",
            "resource",
            "nodes",
            "allocatable",
            "others",
            "overcommit",
            "promised",
            ...(options.whatIf === undefined ? [] : ["change"]),
            "left",
          ],
          rows.map(({ capacity: { pool, resource, nodes, promised, limit }, left, change }) => {
            const amount = (value: number | undefined) =>
              value === undefined ? "-" : shown(resource, value);
            return [
              pool,
              resource,
              `${nodes}`,
              amount(limit?.allocatable),
              amount(limit?.others),
              `${limit?.overcommit ?? "-"}`,
              amount(promised),
              ...(options.whatIf === undefined
                ? []
                : [change > 0 ? `+${amount(change)}` : amount(change)]),
              `${amount(left)}${left !== undefined && left < 0 ? "  OVER" : ""}`,
            ];
          }),
        );
      }
      const over = rows.flatMap(({ capacity: { pool, resource }, left = 0 }) =>
        left < 0 ? [`${pool} ${resource}: ${formatAmount(resource, -left)} too much`] : [],
      );
      if (over.length === 0) return;
      process.stderr.write(
        `tenantry: more is promised than the host has\n  ${over.join("\n  ")}\n`,
      );
      process.exitCode = 1;
    });
}
