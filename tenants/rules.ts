import { nearest } from "../platform/schema-errors.ts";
import type { PlatformSettings } from "../platform/settings.ts";
import type { TenantEntry } from "./load.ts";
import { controlPlaneOf, type ControlPlane } from "./presets.ts";
import { formatBytes, formatMillicores } from "./quantity.ts";
import { KUBERNETES_VERSIONS, type Tenant } from "./schema.ts";
import type { FieldPath, TenantFile } from "./tenant-file.ts";

/** Something that a rule found in a file. */
export interface Finding {
  readonly file: TenantFile;
  readonly path: FieldPath;
  readonly message: string;
}

/** What must hold beyond the shape of one value. */
export interface Rule {
  /** Name of the rule, for scripts: `node-pool`, `hostname`. */
  readonly id: string;
  /** What is against it, among tenants whose files are well-formed. */
  readonly check: (entries: readonly TenantEntry[]) => readonly Finding[];
}

/** A value that one tenant's settings alone show to be wrong, and where. */
type Fault = readonly [path: FieldPath, message: string];

/** A rule that looks at one tenant at a time. */
export function eachTenant(id: string, faults: (tenant: Tenant) => Iterable<Fault>): Rule {
  return {
    id,
    check: (entries) =>
      entries.flatMap(({ tenant, file }) =>
        [...faults(tenant)].map(([path, message]) => ({ file, path, message })),
      ),
  };
}

/** What holds on any platform: values that do not go together. */
export const TENANT_RULES: readonly Rule[] = [
  eachTenant("requests-within-limits", function* ({ containers: { requests, limits } }) {
    if (requests.cpu > limits.cpu) {
      yield [
        ["containers", "requests", "cpu"],
        `expected no more than the default limit, ${formatMillicores(limits.cpu)}`,
      ];
    }
    if (requests.memory > limits.memory) {
      yield [
        ["containers", "requests", "memory"],
        `expected no more than the default limit, ${formatBytes(limits.memory)}`,
      ];
    }
  }),
  eachTenant("container-within-quota", function* ({ containers: { limits }, quota }) {
    if (limits.cpu > quota.cpu) {
      yield [
        ["containers", "limits", "cpu"],
        `expected no more than quota.cpu, ${formatMillicores(quota.cpu)}: not one container would start`,
      ];
    }
    if (limits.memory > quota.memory) {
      yield [
        ["containers", "limits", "memory"],
        `expected no more than quota.memory, ${formatBytes(quota.memory)}: not one container would start`,
      ];
    }
  }),
  eachTenant("argocd-mode", function* ({ argocd }) {
    if (argocd.mode === "dedicated") {
      yield [
        ["argocd", "mode"],
        "an Argo CD of the tenant's own is not available in this version of Tenantry: expected shared",
      ];
    }
  }),
  eachTenant("backup-kept", function* ({ backup }) {
    if (backup !== undefined && backup.keep < backup.every) {
      yield [
        ["backup", "keep"],
        "expected no less than backup.every: there would be no backup at times",
      ];
    }
  }),
  eachTenant("awake-hours", function* ({ sleep }) {
    if (sleep !== undefined && sleep.awake.from >= sleep.awake.to) {
      yield [["sleep", "awake", "to"], `expected a time later than from, ${sleep.awake.from}`];
    }
  }),
];

/** What holds on this platform. */
export function platformRules(platform: PlatformSettings): readonly Rule[] {
  const known =
    (
      what: string,
      setting: string,
      names: readonly string[],
      // Of versions, none is meant by another.
      words: readonly string[] = names,
    ) =>
    (name: string) => {
      if (names.includes(name)) return undefined;
      const meant = nearest(name, words);
      const list = names.length === 0 ? "none" : names.join(", ");
      return `the platform has no ${what} ${name}${meant === undefined ? `, it has: ${list}` : `, did you mean ${meant}?`} (tenantry:${setting})`;
    };
  const nodePool = known("node pool", "nodePools", Object.keys(platform.nodePools));
  const service = known("service", "services", platform.services);
  const group = known("group", "groups", platform.groups);
  const tier = known("tier", "offers.tiers", platform.offers.tiers);
  const version = known("Kubernetes", "offers.kubernetes", platform.offers.kubernetes, []);
  return [
    eachTenant("offered", function* (tenant) {
      const tierFault = tier(tenant.tier);
      if (tierFault !== undefined) yield [["tier"], tierFault];
      const versionFault = version(tenant.kubernetes);
      if (versionFault !== undefined) yield [["kubernetes"], versionFault];
    }),
    eachTenant("node-pool", function* (tenant) {
      const message = nodePool(tenant.nodePool);
      if (message !== undefined) yield [["nodePool"], message];
    }),
    eachTenant("service", function* ({ services }) {
      for (const [index, name] of services.entries()) {
        const message = service(name);
        if (message !== undefined) yield [["services", index], message];
      }
    }),
    eachTenant("group", function* ({ owner, argocd: { roles } }) {
      const message = owner.group === undefined ? undefined : group(owner.group);
      if (message !== undefined) yield [["owner", "group"], message];
      for (const role of ["admin", "developer", "viewer"] as const) {
        for (const [index, name] of roles[role].entries()) {
          const fault = group(name);
          if (fault !== undefined) yield [["argocd", "roles", role, index], fault];
        }
      }
    }),
    hostnameRule(platform),
  ];
}

/** Host name of a tenant's API server. */
export function hostnameOf({ name, exposure }: Tenant, platform: PlatformSettings): string {
  return exposure.domain ?? `${name}.${platform.virtualClusters.domain}`;
}

/** Each host name leads to one place, and one that another tenant may be called by is not taken. */
function hostnameRule(platform: PlatformSettings): Rule {
  const { domain } = platform.virtualClusters;
  const taken = new Map([
    [domain, "the platform's virtualClusters.domain"],
    [new URL(platform.argocd.url).hostname, "the host's Argo CD"],
    [new URL(platform.git.url).hostname, "the Git service"],
  ]);
  return {
    id: "hostname",
    check: (entries) => {
      const holders = new Map(taken);
      // Names by default first: whoever chose another one gave cause for the collision.
      for (const { tenant, file } of entries) {
        if (tenant.exposure.domain !== undefined) continue;
        const host = hostnameOf(tenant, platform);
        if (!holders.has(host)) holders.set(host, file.path);
      }
      return entries.flatMap(({ tenant, file }) => {
        const chosen = tenant.exposure.domain;
        if (chosen === undefined) {
          const host = hostnameOf(tenant, platform);
          const other = taken.get(host);
          return other === undefined
            ? []
            : [{ file, path: ["name"], message: `its host name ${host} is taken by ${other}` }];
        }
        const path = ["exposure", "domain"];
        const holder = holders.get(chosen);
        if (holder !== undefined)
          return [{ file, path, message: `${chosen} is taken by ${holder}` }];
        holders.set(chosen, file.path);
        return chosen.endsWith(`.${domain}`) && chosen !== `${tenant.name}.${domain}`
          ? [
              {
                file,
                path,
                message: `expected a name outside of ${domain}, where each name belongs to the tenant of that name, or ${tenant.name}.${domain}`,
              },
            ]
          : [];
      });
    },
  };
}

/** What is known of a tenant that exists already. */
export interface DeployedTenant {
  readonly name: string;
  readonly owner: { readonly team: string; readonly email: string };
  readonly costCentre: string;
  /** Major and minor version; undefined where it is one that this program does not know. */
  readonly kubernetes: Tenant["kubernetes"] | undefined;
  readonly store: ControlPlane["store"];
}

/** What of a tenant must be compared with the next version of its file. */
export function deployedTenant(tenant: Tenant): DeployedTenant {
  const { name, owner, costCentre, kubernetes } = tenant;
  return { name, owner, costCentre, kubernetes, store: controlPlaneOf(tenant).store };
}

/** What an existing tenant cannot become. */
export function changeRules(deployed: readonly DeployedTenant[]): readonly Rule[] {
  const before = new Map(deployed.map((tenant) => [tenant.name, tenant]));
  return [
    eachTenant("kubernetes-upgrade", function* ({ name, kubernetes }) {
      const from = before.get(name)?.kubernetes;
      if (from === undefined) return;
      const steps = KUBERNETES_VERSIONS.indexOf(kubernetes) - KUBERNETES_VERSIONS.indexOf(from);
      if (steps < 0) {
        yield [["kubernetes"], `${name} runs ${from}, and Kubernetes cannot be downgraded`];
      } else if (steps > 1) {
        yield [
          ["kubernetes"],
          `${name} runs ${from}: Kubernetes is upgraded one minor version at a time, to "${KUBERNETES_VERSIONS[KUBERNETES_VERSIONS.indexOf(from) + 1] ?? ""}" first`,
        ];
      }
    }),
    eachTenant("store", function* (tenant) {
      const from = before.get(tenant.name)?.store;
      const { store } = controlPlaneOf(tenant);
      if (from !== undefined && from !== store) {
        yield [
          ["tier"],
          `${tenant.name} keeps its objects in ${from}, the tier ${tenant.tier} in ${store}, and vCluster does not carry them over: make another tenant of that tier, move the applications, then delete this file`,
        ];
      }
    }),
    {
      id: "renamed",
      check: (entries) => {
        const names = new Set(entries.map(({ tenant }) => tenant.name));
        const gone = deployed.filter(({ name }) => !names.has(name));
        return entries
          .filter(({ tenant }) => !before.has(tenant.name))
          .flatMap(({ tenant, file }) => {
            const old = gone.find(
              ({ owner, costCentre }) =>
                owner.team === tenant.owner.team &&
                owner.email === tenant.owner.email &&
                costCentre === tenant.costCentre,
            );
            if (old === undefined) return [];
            return [
              {
                file,
                path: ["name"],
                message: `looks like ${old.name} under another name. A tenant cannot be renamed: ${old.name} would be destroyed with all that is in it. Keep its file, move to ${tenant.name}, then delete the file in a change of its own`,
              },
            ];
          });
      },
    },
  ];
}
