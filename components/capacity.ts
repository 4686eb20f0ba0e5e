import type { PlatformSettings } from "../platform/settings.ts";
import { isMapping } from "../tenants/effective-settings.ts";
import { controlPlaneOf, type ControlPlanePods } from "../tenants/presets.ts";
import { formatBytes, formatMillicores } from "../tenants/quantity.ts";
import type { Finding, Rule } from "../tenants/rules.ts";
import type { Tenant } from "../tenants/schema.ts";
import type { FieldPath, TenantFile } from "../tenants/tenant-file.ts";

/** What a node has a limited amount of, and pods take. */
export const HOST_RESOURCES = ["cpu", "memory", "pods"] as const;
export type HostResource = (typeof HOST_RESOURCES)[number];

/** CPU in thousandths of a core, memory in bytes, pods in number. */
export type Amounts = Readonly<Record<HostResource, number>>;

/** What a tenant may take of the host: its quota, and its control plane on top. */
export interface TenantPromise extends Amounts {
  /** Size of all volumes together, in bytes. */
  readonly storage: number;
}

/** What a tenant was promised by the last update. */
export interface DeployedPromise extends Amounts {
  /** Undefined where it is not known: then it is the pool that the tenant's file names now. */
  readonly nodePool?: string | undefined;
}

/** A node of the host cluster. */
export interface HostNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly {
    readonly key: string;
    readonly value?: string | undefined;
    readonly effect: string;
  }[];
  /** Takes new pods: it is Ready and not cordoned. */
  readonly usable: boolean;
  readonly allocatable: Amounts;
}

/** A pod on a node of the host cluster that has not finished. */
export interface HostPod {
  readonly namespace: string;
  readonly node: string;
  /** What the scheduler sets aside for it: nothing, where its containers request nothing. */
  readonly requests: { readonly cpu: number; readonly memory: number };
}

/** What the host cluster has, and what runs on it. */
export interface HostResources {
  readonly nodes: readonly HostNode[];
  readonly pods: readonly HostPod[];
}

/** One resource of one node pool. */
export interface Capacity {
  /** Name of the pool; `a+b` for two pools together. */
  readonly pool: string;
  /** The pools whose tenants count. */
  readonly pools: readonly string[];
  readonly resource: HostResource | "storage";
  /** Number of the pool's nodes that take pods. */
  readonly nodes: number;
  /** What the tenants may take, all of them together. */
  readonly promised: number;
  /** Undefined for storage, of which nodes say nothing. */
  readonly limit: CapacityLimit | undefined;
}

/** Where what can be promised comes from. */
export interface CapacityLimit {
  /** What the nodes have for pods. */
  readonly allocatable: number;
  /** What pods on these nodes request that are no tenant's. */
  readonly others: number;
  /** How many times over what is left may be promised (`tenantry:overcommit`). */
  readonly overcommit: number;
  /** (allocatable - others) x overcommit, rounded down, and no less than 0. */
  readonly promisable: number;
}

/** What a tenant may take, control plane included. Of CPU and memory: what its pods may request. */
export function promisedTo(tenant: Tenant): TenantPromise {
  const { vcluster, etcd, coredns } = controlPlaneOf(tenant);
  const parts = [vcluster, coredns, ...(etcd === undefined ? [] : [etcd])];
  const all = (each: (part: ControlPlanePods) => number) =>
    total(parts, (part) => part.pods * each(part));
  const { cpu, memory, pods, storage } = tenant.quota;
  return {
    cpu: cpu + all(({ requests }) => requests.cpu),
    memory: memory + all(({ requests }) => requests.memory),
    pods: pods + all(() => 1),
    storage: storage + all((part) => part.storage),
  };
}

/**
 * What is promised of each node pool, and what can be. `leaving` names tenants that exist and are
 * not among `tenants`: what they take is not counted, it will be free.
 *
 * A node belongs to every pool whose labels it carries and whose taints are all that it has, and is
 * counted for each. A pool therefore bears the promises of all pools whose nodes are all among its
 * own, and two pools that share some nodes only are held against their nodes once more together, as
 * `a+b`. Sums say nothing about how well pods fit onto single nodes.
 */
export function capacityOf(
  tenants: readonly Tenant[],
  platform: PlatformSettings,
  host: HostResources,
  leaving: Iterable<string> = [],
): Capacity[] {
  const tenantNamespaces = new Set(
    [...tenants.map(({ name }) => name), ...leaving].map((name) => `vc-${name}`),
  );
  const others = host.pods.filter(({ namespace }) => !tenantNamespaces.has(namespace));
  const promises = tenants.map((tenant) => ({ ...tenant, promise: promisedTo(tenant) }));
  return poolsOf(platform, host.nodes).flatMap(({ name, nodes, pools }) => {
    const names = new Set([...nodes].map((node) => node.name));
    const othersHere = others.filter(({ node }) => names.has(node));
    const taken: Amounts = {
      cpu: total(othersHere, ({ requests }) => requests.cpu),
      memory: total(othersHere, ({ requests }) => requests.memory),
      pods: othersHere.length,
    };
    const promisesHere = promises.filter(({ nodePool }) => pools.includes(nodePool));
    const row = { pool: name, pools, nodes: nodes.size };
    return [
      ...HOST_RESOURCES.map((resource) => ({
        ...row,
        resource,
        promised: total(promisesHere, ({ promise }) => promise[resource]),
        limit: limitOf(
          total([...nodes], ({ allocatable }) => allocatable[resource]),
          taken[resource],
          platform.overcommit[resource],
        ),
      })),
      {
        ...row,
        resource: "storage" as const,
        promised: total(promisesHere, ({ promise }) => promise.storage),
        limit: undefined,
      },
    ];
  });
}

/** How much more can be promised; negative if too much is. Undefined where there is no limit. */
export function left({ promised, limit }: Capacity): number | undefined {
  return limit === undefined ? undefined : limit.promisable - promised;
}

/**
 * No more is promised than the host can hold. `deployed` holds what existing tenants have been
 * promised, by name: where that is too much already, because a node is gone, only who asks for more
 * is refused. The fault is told to the file by which the sum first goes over, where tenants come in
 * this order: existing ones, those among them that grew, new ones.
 */
export function capacityRule(
  platform: PlatformSettings,
  host: HostResources,
  deployed: ReadonlyMap<string, DeployedPromise>,
): Rule {
  return {
    id: "capacity",
    check: (entries) => {
      const tenants = entries.map(({ tenant }) => tenant);
      const present = new Map(tenants.map(({ name, nodePool }) => [name, nodePool]));
      const poolBefore = (name: string) => deployed.get(name)?.nodePool ?? present.get(name) ?? "";
      return capacityOf(tenants, platform, host, deployed.keys()).flatMap((capacity): Finding[] => {
        const { resource, pools, promised, limit } = capacity;
        if (limit === undefined || resource === "storage" || promised <= limit.promisable) {
          return [];
        }
        const before = new Map(
          [...deployed]
            .filter(([name]) => pools.includes(poolBefore(name)))
            .map(([name, promise]) => [name, promise[resource]]),
        );
        if (promised <= total([...before.values()], (amount) => amount)) return [];
        const growing = entries
          .filter(({ tenant }) => pools.includes(tenant.nodePool))
          .map(({ tenant, file }) => ({
            file,
            name: tenant.name,
            growth: promisedTo(tenant)[resource] - (before.get(tenant.name) ?? 0),
            path: () =>
              deployed.has(tenant.name) && !before.has(tenant.name)
                ? ["nodePool"]
                : quotaPath(file, resource),
          }))
          .filter(({ growth }) => growth > 0)
          .sort((a, b) => Number(deployed.has(b.name)) - Number(deployed.has(a.name)));
        const kept = promised - total(growing, ({ growth }) => growth);
        let sum = kept;
        const told = growing.find(({ growth }) => (sum += growth) > limit.promisable);
        return told === undefined
          ? []
          : [
              {
                file: told.file,
                path: told.path(),
                message: refusal(capacity, limit, kept, growing),
              },
            ];
      });
    },
  };
}

/** An amount, no less than 0, as a Kubernetes quantity, exactly. */
export function formatAmount(resource: Capacity["resource"], amount: number): string {
  if (resource === "pods") return `${amount}`;
  return resource === "cpu" ? formatMillicores(amount) : formatBytes(amount);
}

/** The most tenants that a message names. */
const NAMED = 5;

function refusal(
  { pool, resource, nodes, promised }: Capacity,
  { allocatable, others, overcommit, promisable }: CapacityLimit,
  kept: number,
  growing: readonly { readonly name: string; readonly growth: number }[],
): string {
  const amount = (value: number) => formatAmount(resource, value);
  const unnamed = growing.slice(NAMED);
  const parts = [
    ...(kept > 0 ? [`${amount(kept)} as before`] : []),
    ...growing.slice(0, NAMED).map(({ name, growth }) => `${amount(growth)} more for ${name}`),
    ...(unnamed.length === 0
      ? []
      : [`${amount(total(unnamed, ({ growth }) => growth))} more for ${unnamed.length} others`]),
  ];
  return (
    `node pool ${pool} would promise ${amount(promised)} ${resource}, ${amount(promised - promisable)} too much: ` +
    `${parts.join(", ")}. It can promise ${amount(promisable)}: ` +
    `(${amount(allocatable)} allocatable on ${nodes} usable ${nodes === 1 ? "node" : "nodes"} - ${amount(others)} taken by others) x overcommit ${overcommit}. ` +
    `Lower quota.${resource}, choose another nodePool, add nodes, or raise tenantry:overcommit.${resource}`
  );
}

/** Where the file says how much: in its quota, or by its tier. */
function quotaPath({ content }: TenantFile, resource: HostResource): FieldPath {
  const quota = content?.["quota"];
  return isMapping(quota) && resource in quota ? ["quota", resource] : ["tier"];
}

function limitOf(allocatable: number, others: number, overcommit: number): CapacityLimit {
  // In whole millionths: in floating point 4000 x 1.15 would be rounded down to 4599.
  const scaled = BigInt(allocatable - others) * BigInt(Math.round(overcommit * 1e6));
  const promisable = Math.max(0, Number(scaled / 1_000_000n));
  return { allocatable, others, overcommit, promisable };
}

interface Pool {
  readonly name: string;
  readonly nodes: ReadonlySet<HostNode>;
  /** The pools whose nodes are all among these. */
  readonly pools: readonly string[];
}

function poolsOf(platform: PlatformSettings, nodes: readonly HostNode[]): Pool[] {
  const single = Object.entries(platform.nodePools).map(([name, pool]) => ({
    name,
    nodes: new Set(nodes.filter((node) => belongsTo(pool, node))),
  }));
  const pairs = single.flatMap((a, index) =>
    single
      .slice(index + 1)
      .filter((b) => overlap(a.nodes, b.nodes))
      .map((b) => ({ name: `${a.name}+${b.name}`, nodes: new Set([...a.nodes, ...b.nodes]) })),
  );
  return [...single, ...pairs].map((pool) => ({
    ...pool,
    pools: single
      .filter(
        ({ name, nodes }) => name === pool.name || (nodes.size > 0 && within(nodes, pool.nodes)),
      )
      .map(({ name }) => name),
  }));
}

function belongsTo(pool: PlatformSettings["nodePools"][string], node: HostNode): boolean {
  return (
    node.usable &&
    Object.entries(pool.labels).every(([key, value]) => node.labels[key] === value) &&
    node.taints.every(
      ({ key, value = "", effect }) =>
        effect === "PreferNoSchedule" ||
        // A toleration without a value tolerates any.
        pool.taints.some(
          (taint) =>
            taint.key === key && taint.effect === effect && (taint.value ?? value) === value,
        ),
    )
  );
}

function within(inner: ReadonlySet<HostNode>, outer: ReadonlySet<HostNode>): boolean {
  return [...inner].every((node) => outer.has(node));
}

/** Whether there are common nodes, and on each side others. */
function overlap(a: ReadonlySet<HostNode>, b: ReadonlySet<HostNode>): boolean {
  return [...a].some((node) => b.has(node)) && !within(a, b) && !within(b, a);
}

function total<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + amount(item), 0);
}
