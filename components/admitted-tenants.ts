import type { PlatformSettings } from "../platform/settings.ts";
import type { Mapping } from "../tenants/effective-settings.ts";
import { inReadingOrder, TenantFilesError } from "../tenants/faults.ts";
import { applyRules, readTenantFiles } from "../tenants/load.ts";
import {
  changeRules,
  platformRules,
  TENANT_RULES,
  type DeployedTenant,
  type Rule,
} from "../tenants/rules.ts";
import type { Tenant } from "../tenants/schema.ts";
import { capacityRule, HOST_RESOURCES, promisedTo, type HostResources } from "./capacity.ts";
import type { TenantRecord } from "./deployed-tenants.ts";
import { vclusterRules } from "./vcluster-rules.ts";

/** What tenant files are held against. What is undefined is not known, and not checked. */
export interface AdmissionContext {
  readonly platform: PlatformSettings | undefined;
  /** `values.schema.json` of the vCluster chart in use. */
  readonly valuesSchema: Mapping | undefined;
  /** The tenants as they are now; none where nothing is deployed. */
  readonly deployed: readonly DeployedTenant[];
}

/** Everything that can be known without the host cluster. */
export function admissionRules(context: AdmissionContext): readonly Rule[] {
  const { platform, valuesSchema, deployed } = context;
  return [
    ...TENANT_RULES,
    ...changeRules(deployed),
    ...(platform === undefined ? [] : platformRules(platform)),
    ...(platform === undefined || valuesSchema === undefined
      ? []
      : vclusterRules(platform, valuesSchema)),
  ];
}

/**
 * The tenants of a folder, once nothing speaks against any of them. Throws a TenantFilesError that
 * lists every fault, before anything is touched. `host` is asked only if some tenant asks for more
 * than it has.
 */
export async function admittedTenants(
  folder: string,
  context: {
    readonly platform: PlatformSettings;
    readonly valuesSchema: Mapping;
    readonly deployed: readonly TenantRecord[];
  },
  host: () => Promise<HostResources>,
): Promise<readonly Tenant[]> {
  const { entries, faults } = readTenantFiles(folder, admissionRules(context));
  const tenants = entries.map(({ tenant }) => tenant);
  const promises = new Map(context.deployed.map(({ name, promise }) => [name, promise]));
  const all = tenants.some((tenant) => asksForMore(tenant, promises.get(tenant.name)))
    ? [...faults, ...applyRules([capacityRule(context.platform, await host(), promises)], entries)]
    : faults;
  if (all.length > 0) throw new TenantFilesError(all.toSorted(inReadingOrder));
  return tenants;
}

function asksForMore(tenant: Tenant, before: TenantRecord["promise"] | undefined): boolean {
  const promise = promisedTo(tenant);
  return (
    before === undefined ||
    before.nodePool !== tenant.nodePool ||
    HOST_RESOURCES.some((resource) => promise[resource] > before[resource])
  );
}
