import { isDeepStrictEqual } from "node:util";

import { z } from "zod";

import { expected, nearest, type SchemaError } from "../platform/schema-errors.ts";
import type { PlatformSettings } from "../platform/settings.ts";
import { isMapping, type Mapping } from "../tenants/effective-settings.ts";
import { eachTenant, type Rule } from "../tenants/rules.ts";
import type { Tenant } from "../tenants/schema.ts";
import {
  LICENCES,
  LICENSED_VALUES,
  READ_AT,
  type LicensedValue,
} from "./vcluster-licensed-values.ts";
import { platformValues, vclusterValues } from "./vcluster-values.ts";

/** A value of the vCluster chart that is not a tenant's to set. What is below the path counts too. */
interface GuardedValue {
  /** Keys from the root, joined by dots. Where several fit, the longest counts. */
  readonly path: string;
  /** What a tenant could do with it, or why nobody needs to set it. */
  readonly reason: string;
}

const CLUSTER_ROLE =
  "it needs rights on the whole host cluster, and virtual clusters have them in their namespace only";
const REMOVED = "vCluster 0.36 has no volume snapshots any more";

/**
 * The guard rails around the chart's values. Everything is behind one, but for TENANT_VALUES and
 * what needs a licence; the longer paths only say better why. Read at chart 0.36.1.
 */
export const GUARDED_VALUES: readonly GuardedValue[] = [
  {
    path: "controlPlane",
    reason: "the control plane runs with rights on the host, at the platform's expense",
  },
  {
    path: "controlPlane.statefulSet.image",
    reason: "the open-source image runs, of the version that the platform names",
  },
  ...["controlPlane.statefulSet", "controlPlane.backingStore.etcd.deploy.statefulSet"].flatMap(
    (pods) => [
      { path: `${pods}.resources`, reason: "the size of the control plane is the tier's" },
      { path: `${pods}.highAvailability`, reason: "the number of replicas is the tier's" },
      {
        path: `${pods}.security`,
        reason: "the control plane is held to the Pod Security Standard restricted",
      },
      {
        path: `${pods}.persistence`,
        reason: "the volumes of the control plane are the tier's, and a volume can reach the host",
      },
      { path: `${pods}.scheduling`, reason: "the nodes are those of the tenant's nodePool" },
    ],
  ),
  {
    path: "controlPlane.backingStore",
    reason: "the store is the tier's, and vCluster cannot change it later",
  },
  {
    path: "controlPlane.distro.k8s.version",
    reason: "the Kubernetes version is the tenant's setting kubernetes",
  },
  {
    path: "controlPlane.advanced.virtualScheduler",
    reason: `it needs the host's nodes inside: ${CLUSTER_ROLE}`,
  },
  ...["service", "ingress", "tlsRoute", "proxy"].map((way) => ({
    path: `controlPlane.${way}`,
    reason:
      "the API server is reached through the platform's Gateway, by the host name that exposure.domain sets",
  })),
  {
    path: "sync",
    reason: "what is synced decides what a tenant makes and sees on the host",
  },
  {
    path: "sync.fromHost",
    reason: `it shows objects of the host that are not the tenant's: ${CLUSTER_ROLE}`,
  },
  {
    path: "sync.fromHost.nodes",
    reason: "the nodes are those of the tenant's nodePool, and others' are nobody's business",
  },
  {
    path: "sync.fromHost.secrets",
    reason: "it hands out Secrets of the host",
  },
  { path: "sync.fromHost.volumeSnapshotClasses", reason: REMOVED },
  { path: "sync.toHost.volumeSnapshots", reason: REMOVED },
  { path: "sync.toHost.volumeSnapshotContents", reason: REMOVED },
  { path: "sync.toHost.storageClasses", reason: CLUSTER_ROLE },
  {
    path: "sync.toHost.persistentVolumes",
    reason: `a volume can be any of the host: ${CLUSTER_ROLE}`,
  },
  {
    path: "sync.toHost.priorityClasses",
    reason: `a high priority drives out the pods of others: ${CLUSTER_ROLE}`,
  },
  { path: "sync.toHost.gatewayApi", reason: CLUSTER_ROLE },
  {
    path: "sync.toHost.serviceAccounts",
    reason: "annotations of a service account on the host are what clouds give rights by",
  },
  {
    path: "sync.toHost.networkPolicies",
    reason: "it is on: without it the policies that a team writes do nothing",
  },
  {
    path: "sync.toHost.pods.priorityClassName",
    reason: "a high priority drives out the pods of others",
  },
  {
    path: "sync.toHost.pods.runtimeClassName",
    reason: "a runtime class can weaken what keeps containers apart",
  },
  {
    path: "sync.toHost.pods.enforceTolerations",
    reason: "the nodes are those of the tenant's nodePool",
  },
  {
    path: "networking",
    reason: "networks and names are the host's, and the same for all virtual clusters",
  },
  {
    path: "networking.replicateServices",
    reason: `it reaches Services in namespaces of others: ${CLUSTER_ROLE}`,
  },
  {
    path: "networking.advanced.fallbackHostCluster",
    reason: "it makes the names of the host's Services known inside",
  },
  {
    path: "policies",
    reason:
      "the namespace has the quota, limits and policies of the platform: quota, containers, isolation",
  },
  {
    path: "rbac",
    reason: "the virtual cluster's rights on the host end at its namespace",
  },
  {
    path: "exportKubeConfig",
    reason: "the platform reads the kubeconfig, and decides who else does",
  },
  {
    path: "integrations",
    reason: `it connects to a service of the host: ${CLUSTER_ROLE}`,
  },
  {
    path: "experimental",
    reason: "what vCluster tries out may change or open a door at any time",
  },
  {
    path: "experimental.deploy.host",
    reason: "it makes any object on the host, with the rights of the host's Argo CD",
  },
  {
    path: "experimental.deploy.vcluster",
    reason:
      "the control plane would fetch and run it: say it in `manifests`, or leave it to Argo CD",
  },
  ...["plugins", "plugin"].map((path) => ({
    path,
    reason: "a plugin runs in the control plane, with its rights on the host",
  })),
  { path: "telemetry", reason: "virtual clusters report to nobody" },
  { path: "serviceCIDR", reason: "it must be the host's, which vCluster finds out" },
  { path: "logging", reason: "the logs of all virtual clusters have one form" },
  { path: "global", reason: "nothing reads it" },
];

/**
 * The chart's values that a tenant may set: they act inside the virtual cluster, or on objects in
 * the tenant's own namespace, where quota, Pod Security and network policies hold. None is written
 * into a manifest by the chart without quotes, so that none can add to one. What is below a path
 * counts too.
 */
export const TENANT_VALUES: readonly string[] = [
  "controlPlane.coredns.overwriteConfig",
  "experimental.deploy.vcluster.manifests",
  "networking.advanced.clusterDomain",
  "sync.fromHost.events.enabled",
  "sync.toHost.configMaps.all",
  "sync.toHost.configMaps.enabled",
  "sync.toHost.endpointSlices.enabled",
  "sync.toHost.endpoints.enabled",
  "sync.toHost.ingresses.enabled",
  "sync.toHost.persistentVolumeClaims.enabled",
  "sync.toHost.podDisruptionBudgets.enabled",
  "sync.toHost.pods.enabled",
  "sync.toHost.pods.rewriteHosts",
  "sync.toHost.pods.translateImage",
  "sync.toHost.pods.useSecretsForSATokens",
  "sync.toHost.secrets.all",
  "sync.toHost.secrets.enabled",
  "sync.toHost.services.enabled",
];

/** Keys from the root of the chart's values. */
type ValuePath = readonly (string | number)[];

/**
 * What holds for the values of the vCluster chart: nothing that needs a licence, no guard rail
 * undone, and valid by the chart's own schema (`values.schema.json`, parsed).
 */
export function vclusterRules(platform: PlatformSettings, valuesSchema: Mapping): readonly Rule[] {
  const validate = validation(platform, valuesSchema);
  return [
    eachTenant("vcluster-licence", function* ({ vcluster: { values } }) {
      for (const { path, value } of licensedIn(values)) {
        yield [
          inFile(path),
          `needs ${LICENCES[value.needs]} (read at vCluster ${READ_AT}); ${value.freeWay === undefined ? "there is no free way to the same end" : `the free way to the same end: ${value.freeWay}`}`,
        ];
      }
    }),
    eachTenant("vcluster-guard-rail", function* (tenant) {
      const { values } = tenant.vcluster;
      const licensed = licensedIn(values).map(({ path }) => path);
      const guarded = leaves(values).filter(
        (path) =>
          !licensed.some((above) => startsWith(path, above)) &&
          // Of a value that there is not, the chart's schema says so.
          isKnown(valuesSchema, path) &&
          !TENANT_VALUES.some((allowed) => startsWith(path, allowed.split("."))),
      );
      if (guarded.length === 0) return;
      const ours = platformValues(tenant, platform);
      for (const path of guarded) {
        const guard = closest(GUARDED_VALUES, path);
        if (guard !== undefined && !isDeepStrictEqual(valueAt(ours, path), valueAt(values, path))) {
          yield [inFile(path), `not a tenant's to set: ${guard.reason}`];
        }
      }
    }),
    eachTenant("vcluster-values", function* (tenant) {
      const { values } = tenant.vcluster;
      for (const { path, message } of validate(tenant)) {
        yield isTheTenants(path, values, platformValues(tenant, platform))
          ? [inFile(path), message]
          : [
              [],
              `the value ${path.join(".")} that the platform sets is not valid by the vCluster chart ${platform.charts.vcluster.version}: ${message}`,
            ];
      }
    }),
  ];
}

/**
 * Finds every fault of a tenant's values by the chart's schema. What the platform sets differs
 * between tenants of the same tier, Kubernetes version and node pool in names only, which the
 * schema does not look at: of those whose files add the same, one is checked for all.
 */
function validation(
  platform: PlatformSettings,
  schema: Mapping,
): (tenant: Tenant) => SchemaError[] {
  // Only made where there is a tenant: it takes a tenth of a second.
  let chart: ReturnType<typeof chartValidation> | undefined;
  const byKind = new Map<string, SchemaError[]>();
  return (tenant) => {
    const { tier, kubernetes, nodePool, vcluster } = tenant;
    const kind = JSON.stringify([tier, kubernetes, nodePool, vcluster.values]);
    const known = byKind.get(kind);
    if (known !== undefined) return known;
    chart ??= chartValidation(schema);
    const found = chart(vclusterValues(tenant, platform));
    byKind.set(kind, found);
    return found;
  };
}

const inFile = (path: ValuePath) => ["vcluster", "values", ...path];

/** The licensed values that are used, each once. Switched off or empty, a value is not used. */
function licensedIn(values: Mapping) {
  const found = new Map<string, { readonly path: ValuePath; readonly value: LicensedValue }>();
  for (const leaf of leaves(values)) {
    const value = closest(LICENSED_VALUES, leaf);
    if (value === undefined) continue;
    const path = leaf.slice(0, value.path.split(".").length);
    if (isUsed(valueAt(values, path))) found.set(JSON.stringify(path), { path, value });
  }
  return [...found.values()];
}

function isUsed(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMapping(value)) return value["enabled"] !== false && Object.values(value).some(isUsed);
  return value !== false && value !== "" && value !== null;
}

/** Of the entries that a path lies under, the one that says most about it. */
function closest<Entry extends { readonly path: string }>(
  entries: readonly Entry[],
  path: ValuePath,
): Entry | undefined {
  return entries
    .filter((entry) => startsWith(path, entry.path.split(".")))
    .toSorted((a, b) => b.path.split(".").length - a.path.split(".").length)[0];
}

function startsWith(path: ValuePath, above: ValuePath): boolean {
  return (
    above.length <= path.length && above.every((key, index) => key === "*" || key === path[index])
  );
}

/** Paths of all that is said: of lists and of what is no mapping. An empty mapping says nothing. */
function leaves(values: unknown, path: ValuePath = []): ValuePath[] {
  return isMapping(values)
    ? Object.entries(values).flatMap(([key, value]) => leaves(value, [...path, key]))
    : [path];
}

function valueAt(values: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      Array.isArray(value) ? value[Number(key)] : isMapping(value) ? value[key] : undefined,
    values,
  );
}

/** Whether a faulty value, or one that is missing, is what the tenant's file says. */
function isTheTenants(path: ValuePath, values: Mapping, ours: Mapping): boolean {
  if (valueAt(values, path) !== undefined) return true;
  return valueAt(ours, path) === undefined && valueAt(values, path.slice(0, -1)) !== undefined;
}

/** Every fault of values by the chart's schema. */
function chartValidation(schema: Mapping): (values: Mapping) => SchemaError[] {
  const chart = z.fromJSONSchema(schema);
  return (values) =>
    (chart.safeParse(values).error?.issues ?? []).flatMap((issue) => {
      const path = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
      const node = schemaAt(schema, path);
      if (issue.code !== "unrecognized_keys") {
        return [{ path, message: expected(allowed(node)).error({ input: valueAt(values, path) }) }];
      }
      const known = Object.keys(isMapping(node["properties"]) ? node["properties"] : {});
      return issue.keys.map((key) => {
        const meant = nearest(key, known);
        return {
          path: [...path, key],
          message: `the chart knows no such value${meant === undefined ? `, here it knows ${known.join(", ")}` : `, did you mean ${meant}?`}`,
        };
      });
    });
}

/** The part of a JSON Schema that describes the value at a path. */
function schemaAt(root: Mapping, path: ValuePath): Mapping {
  return path.reduce<Mapping>((parent, key) => {
    const { properties, items, additionalProperties } = parent;
    const own = isMapping(properties) ? properties[key] : undefined;
    return resolved(root, own ?? (typeof key === "number" ? items : additionalProperties));
  }, root);
}

/** Whether the chart's schema knows every mapping on the way to a value, and the value itself. */
function isKnown(root: Mapping, path: ValuePath): boolean {
  return path.every((key, index) => {
    const { properties, additionalProperties } = schemaAt(root, path.slice(0, index));
    return !isMapping(properties) || key in properties || additionalProperties !== false;
  });
}

function resolved(root: Mapping, node: unknown): Mapping {
  if (!isMapping(node)) return {};
  const { $ref } = node;
  return typeof $ref === "string" ? resolved(root, valueAt(root, $ref.split("/").slice(1))) : node;
}

const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  integer: "a whole number",
  number: "a number",
  object: "a mapping",
  string: "a text",
};

/** What a JSON Schema allows, in words. */
function allowed({ type, oneOf, anyOf, pattern }: Mapping): string {
  const choices = [oneOf, anyOf].find(Array.isArray);
  if (choices !== undefined) return choices.filter(isMapping).map(allowed).join(" or ");
  const what = (typeof type === "string" ? TYPES[type] : undefined) ?? "another value";
  return typeof pattern === "string" ? `${what} that matches ${pattern}` : what;
}
