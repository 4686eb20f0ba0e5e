import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { KubeConfig } from "@kubernetes/client-node";
import fc from "fast-check";

import {
  capacityOf,
  capacityRule,
  left,
  promisedTo,
  type Amounts,
  type Capacity,
  type DeployedPromise,
  type HostNode,
  type HostPod,
  type HostResource,
} from "../../components/capacity.ts";
import { hostResources } from "../../components/host-nodes.ts";
import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import type { PlatformSettings } from "../../platform/settings.ts";
import { applyRules, readTenantFiles } from "../../tenants/load.ts";
import { parseBytes, parseMillicores } from "../../tenants/quantity.ts";
import { TIER_NAMES, type Tenant } from "../../tenants/schema.ts";
import { platform, tenant } from "./fixtures.ts";

const Mi = 2 ** 20;
const Gi = 2 ** 30;

function node(name: string, size: Partial<Amounts> = {}, more: Partial<HostNode> = {}): HostNode {
  const allocatable = { cpu: 10_000, memory: 64 * Gi, pods: 110, ...size };
  return { name, labels: {}, taints: [], usable: true, allocatable, ...more };
}

function pod(namespace: string, on: string, cpu: number, memory: number): HostPod {
  return { namespace, node: on, requests: { cpu, memory } };
}

/** A tenant of the tier small, whose control plane is one pod of 200m and 640Mi with a volume of 5Gi, and two of 20m and 64Mi. */
function sized(name: string, cpu: number, more: Partial<Tenant> = {}): Tenant {
  return { ...tenant, name, quota: { ...tenant.quota, cpu }, ...more };
}

function withPools(nodePools: PlatformSettings["nodePools"]): PlatformSettings {
  return { ...platform, nodePools };
}

function row(
  capacities: readonly Capacity[],
  resource: Capacity["resource"] = "cpu",
  pool = "shared",
): Capacity {
  const found = capacities.find((entry) => entry.pool === pool && entry.resource === resource);
  ok(found, `${pool} ${resource}`);
  return found;
}

describe("promisedTo", () => {
  it("adds the control plane of the tier small to the quota", () => {
    deepEqual(promisedTo(tenant), {
      cpu: 4240, // 4000 + 200 + 2 x 20
      memory: 8960 * Mi, // 8192 + 640 + 2 x 64
      pods: 43, // 40 + 1 + 2
      storage: 25 * Gi, // 20 + 5
    });
  });

  it("adds each of the pods of the tier critical, etcd's too", () => {
    deepEqual(promisedTo({ ...tenant, tier: "critical" }), {
      cpu: 6660, // 4000 + 4 x 500 + 3 x 200 + 3 x 20
      memory: 14_016 * Mi, // 8192 + 4 x 1024 + 3 x 512 + 3 x 64
      pods: 50, // 40 + 4 + 3 + 3
      storage: 50 * Gi, // 20 + 3 x 10
    });
  });

  for (const tier of TIER_NAMES) {
    it(`is what the quota of the namespace holds a tenant of the tier ${tier} to`, () => {
      const { hard } = planTenantVCluster({ ...tenant, tier }, platform).resourceQuota.spec;
      const { cpu, memory, pods, storage } = promisedTo({ ...tenant, tier });
      equal(parseMillicores(hard["requests.cpu"]), cpu);
      equal(parseBytes(hard["requests.memory"]), memory);
      equal(parseBytes(hard["requests.storage"]), storage);
      equal(Number(hard.pods), pods);
    });
  }
});

describe("capacityOf", () => {
  it("holds what is promised against what the nodes have and others do not take", () => {
    const host = {
      nodes: [node("a"), node("b", { cpu: 6000, memory: 16 * Gi, pods: 50 })],
      pods: [
        pod("kube-system", "a", 100, 70 * Mi),
        pod("kube-system", "b", 0, 0), // requests nothing: a pod all the same
        pod("vc-acme", "a", 3000, 4 * Gi), // a tenant's: promised, not taken
        pod("vc-somebody", "a", 400, 0), // named like a tenant's, and none
        pod("kube-system", "elsewhere", 9000, 9 * Gi),
      ],
    };
    const capacities = capacityOf([tenant, sized("globex", 1000)], platform, host);
    const common = { pool: "shared", pools: ["shared"], nodes: 2 };
    deepEqual(capacities, [
      {
        ...common,
        resource: "cpu",
        promised: 5480, // 4240 + 1240
        limit: { allocatable: 16_000, others: 500, overcommit: 1, promisable: 15_500 },
      },
      {
        ...common,
        resource: "memory",
        promised: 17_920 * Mi, // 2 x 8960
        limit: {
          allocatable: 80 * Gi,
          others: 70 * Mi,
          overcommit: 1,
          promisable: 81_850 * Mi, // 81920 - 70
        },
      },
      {
        ...common,
        resource: "pods",
        promised: 86, // 2 x 43
        limit: { allocatable: 160, others: 3, overcommit: 1, promisable: 157 },
      },
      { ...common, resource: "storage", promised: 50 * Gi, limit: undefined },
    ]);
    deepEqual(capacities.map(left), [10_020, 63_930 * Mi, 71, undefined]);
  });

  it("counts no node that takes no new pods", () => {
    const host = { nodes: [node("a"), node("b", {}, { usable: false })], pods: [] };
    const cpu = row(capacityOf([], platform, host));
    equal(cpu.nodes, 1);
    equal(cpu.limit?.allocatable, 10_000);
  });

  it("promises nothing of a pool without a node", () => {
    const gpu = { labels: { gpu: "yes" }, taints: [] };
    const capacities = capacityOf(
      [sized("acme", 4000, { nodePool: "gpu" })],
      withPools({ shared: { labels: {}, taints: [] }, gpu }),
      { nodes: [node("a")], pods: [] },
    );
    deepEqual(row(capacities, "cpu", "gpu"), {
      pool: "gpu",
      pools: ["gpu"],
      resource: "cpu",
      nodes: 0,
      promised: 4240,
      limit: { allocatable: 0, others: 0, overcommit: 1, promisable: 0 },
    });
    // A pool without a node is no part of another.
    equal(row(capacities).promised, 0);
  });

  it("multiplies by the overcommit and rounds down, exactly", () => {
    const promisable = (free: number, overcommit: number) =>
      row(
        capacityOf(
          [],
          { ...platform, overcommit: { ...platform.overcommit, cpu: overcommit } },
          {
            nodes: [node("a", { cpu: free + 500 })],
            pods: [pod("x", "a", 500, 0)],
          },
        ),
      ).limit?.promisable;
    equal(promisable(10_000, 1.5), 15_000);
    equal(promisable(10_001, 1.5), 15_001); // 15001.5
    equal(promisable(4000, 1.15), 4600); // 4599.999999999999 in floating point
    equal(promisable(-400, 2), 0);
  });

  it("leaves out what tenants take that are leaving", () => {
    const host = { nodes: [node("a")], pods: [pod("vc-old", "a", 3000, 0)] };
    equal(row(capacityOf([], platform, host)).limit?.others, 3000);
    equal(row(capacityOf([], platform, host, ["old"])).limit?.others, 0);
  });

  describe("the nodes of a pool", () => {
    const gpuTaint = { key: "gpu", value: "yes", effect: "NoSchedule" as const };
    const members = (pools: PlatformSettings["nodePools"], nodes: readonly HostNode[]) =>
      Object.fromEntries(
        capacityOf([], withPools(pools), { nodes, pods: [] })
          .filter(({ resource }) => resource === "pods")
          .map(({ pool, limit }) => [pool, limit?.allocatable]),
      );
    const nodes = [
      node("plain", { pods: 1 }),
      node("gpu", { pods: 10 }, { labels: { gpu: "yes", zone: "a" }, taints: [gpuTaint] }),
      node("preferred", { pods: 100 }, { taints: [{ key: "x", effect: "PreferNoSchedule" }] }),
      node("evicting", { pods: 1000 }, { taints: [{ key: "gpu", effect: "NoExecute" }] }),
    ];

    it("carry its labels, and no taint that its pods do not tolerate", () => {
      deepEqual(
        members(
          {
            shared: { labels: {}, taints: [] },
            tolerant: { labels: {}, taints: [gpuTaint] },
            labelled: { labels: { gpu: "yes" }, taints: [] },
            both: { labels: { gpu: "yes" }, taints: [gpuTaint] },
            anyValue: { labels: { gpu: "yes" }, taints: [{ key: "gpu", effect: "NoSchedule" }] },
            otherValue: { labels: { gpu: "yes" }, taints: [{ ...gpuTaint, value: "no" }] },
            otherLabel: { labels: { gpu: "no" }, taints: [gpuTaint] },
          },
          nodes,
        ),
        {
          shared: 101,
          tolerant: 111,
          labelled: 0,
          both: 10,
          anyValue: 10,
          otherValue: 0,
          otherLabel: 0,
        },
      );
    });

    it("bear the promises of every pool that is a part of it", () => {
      const pools = {
        shared: { labels: {}, taints: [] },
        west: { labels: { zone: "west" }, taints: [] },
      };
      const host = {
        nodes: [node("a"), node("b", {}, { labels: { zone: "west" } })],
        pods: [],
      };
      const capacities = capacityOf(
        [sized("acme", 4000), sized("globex", 6000, { nodePool: "west" })],
        withPools(pools),
        host,
      );
      deepEqual(row(capacities).pools, ["shared", "west"]);
      equal(row(capacities).promised, 10_480);
      equal(row(capacities, "cpu", "west").promised, 6240);
    });

    it("are held together against the promises of two pools that share some", () => {
      const pools = {
        fast: { labels: { disk: "fast" }, taints: [] },
        west: { labels: { zone: "west" }, taints: [] },
      };
      const host = {
        nodes: [
          node("a", {}, { labels: { disk: "fast" } }),
          node("b", {}, { labels: { disk: "fast", zone: "west" } }),
          node("c", {}, { labels: { zone: "west" } }),
        ],
        pods: [],
      };
      const capacities = capacityOf(
        [
          sized("acme", 16_000, { nodePool: "fast" }),
          sized("globex", 16_000, { nodePool: "west" }),
        ],
        withPools(pools),
        host,
      );
      // 16240 each: either pool has 20 cores, but both have 30.
      equal(left(row(capacities, "cpu", "fast")), 3760);
      equal(left(row(capacities, "cpu", "west")), 3760);
      equal(left(row(capacities, "cpu", "fast+west")), -2480);
    });
  });

  const amounts = fc.record({
    cpu: fc.nat(200_000),
    memory: fc.nat(2 ** 40),
    pods: fc.nat(1000),
  });
  const labels = fc.constantFrom({}, { zone: "west" }, { disk: "fast", zone: "west" });
  const hostNodes = fc
    .array(fc.record({ amounts, labels, usable: fc.boolean() }), { maxLength: 6 })
    .map((list) =>
      list.map((each, index) =>
        node(`node-${index}`, each.amounts, { labels: each.labels, usable: each.usable }),
      ),
    );
  const overcommit = fc.double({ min: 0.1, max: 100, noNaN: true });
  const pools = {
    shared: { labels: {}, taints: [] },
    west: { labels: { zone: "west" }, taints: [] },
  };

  it("has room for what it says is left, and for not one more", () => {
    fc.assert(
      fc.property(hostNodes, overcommit, (nodes, ratio) => {
        const settings = { ...platform, overcommit: { cpu: ratio, memory: 1, pods: 1 } };
        const host = { nodes, pods: [] };
        const room = left(row(capacityOf([], settings, host))) ?? 0;
        fc.pre(room >= 1240);
        const leftBeside = (cpu: number) =>
          left(row(capacityOf([sized("acme", cpu)], settings, host)));
        equal(leftBeside(room - 240), 0);
        equal(leftBeside(room - 239), -1);
      }),
    );
  });

  it("never has less with one more node", () => {
    fc.assert(
      fc.property(hostNodes, amounts, labels, overcommit, (nodes, size, nodeLabels, ratio) => {
        const settings = {
          ...withPools(pools),
          overcommit: { cpu: ratio, memory: ratio, pods: ratio },
        };
        const promisable = (list: readonly HostNode[]) =>
          capacityOf([], settings, { nodes: list, pods: [pod("x", "node-0", 500, Gi)] });
        const more = promisable([...nodes, node("more", size, { labels: nodeLabels })]);
        for (const before of promisable(nodes)) {
          const after = row(more, before.resource, before.pool);
          ok((after.limit?.promisable ?? 0) >= (before.limit?.promisable ?? 0));
        }
      }),
    );
  });

  it("promises to two groups of tenants what it promises to each, together", () => {
    const tenants = fc
      .array(
        fc.record({
          cpu: fc.nat(100_000),
          tier: fc.constantFrom("small" as const, "critical" as const),
          nodePool: fc.constantFrom("shared", "west"),
        }),
        { maxLength: 8 },
      )
      .map((list) => list.map(({ cpu, ...more }, index) => sized(`tenant-${index}`, cpu, more)));
    fc.assert(
      fc.property(tenants, fc.nat(8), hostNodes, (all, split, nodes) => {
        const of = (list: readonly Tenant[]) =>
          capacityOf(list, withPools(pools), { nodes, pods: [] }).map(({ promised }) => promised);
        const rest = of(all.slice(split));
        deepEqual(
          of(all),
          of(all.slice(0, split)).map((promised, index) => promised + (rest[index] ?? 0)),
        );
      }),
    );
  });
});

describe("capacityRule", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "capacity-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Lines 1 to 4 are the same in every file, the quota stands in line 8. */
  const file = (name: string, ...lines: readonly string[]) => {
    const text = [
      `name: ${name}`,
      "owner: { team: Acme, email: acme@example.com }",
      "costCentre: CC-1001",
      "tier: small",
      'kubernetes: "1.36"',
      ...lines,
    ];
    writeFileSync(join(folder, `${name}.yaml`), `${text.join("\n")}\n`);
  };
  const quota = (cpu: string, more = "") =>
    `quota: { cpu: "${cpu}", memory: 1Gi, pods: 10${more} }`;
  const faults = (
    nodes: readonly HostNode[],
    deployed: Readonly<Record<string, DeployedPromise>> = {},
    settings = platform,
    pods: readonly HostPod[] = [],
  ) => {
    const files = readTenantFiles(folder, []);
    deepEqual(files.faults, []);
    const rule = capacityRule(settings, { nodes, pods }, new Map(Object.entries(deployed)));
    return applyRules([rule], files.entries).map((fault) => ({
      at: `${fault.file.slice(folder.length + 1)} ${fault.field}`,
      message: fault.message,
    }));
  };
  const places = (...parameters: Parameters<typeof faults>) =>
    faults(...parameters).map(({ at }) => at);
  /** What a tenant of these files with so much CPU holds when it is deployed. */
  const deployedWith = (cpu: number, nodePool?: string): DeployedPromise => ({
    cpu: cpu + 240,
    memory: 1792 * Mi, // 1024 + 640 + 2 x 64
    pods: 13,
    nodePool,
  });

  it("lets a pool be promised to the last millicore, and not one more", () => {
    file("acme", quota("4"));
    file("globex", quota("2"));
    deepEqual(faults([node("a", { cpu: 6480 })]), []);
    deepEqual(faults([node("a", { cpu: 6479 })]), [
      {
        at: "globex.yaml quota.cpu",
        message:
          "node pool shared would promise 6480m cpu, 1m too much: 4240m more for acme, 2240m more for globex. " +
          "It can promise 6479m: (6479m allocatable on 1 usable node - 0 taken by others) x overcommit 1. " +
          "Lower quota.cpu, choose another nodePool, add nodes, or raise tenantry:overcommit.cpu",
      },
    ]);
  });

  it("reports every pool and resource with its own numbers", () => {
    file("acme", quota("4"));
    file("globex", quota("2"), "nodePool: gpu");
    const settings = {
      ...withPools({
        shared: { labels: {}, taints: [] },
        gpu: { labels: { gpu: "yes" }, taints: [] },
      }),
      overcommit: { cpu: 1.5, memory: 1, pods: 1 },
    };
    const found = faults([node("a", { cpu: 3000, memory: 2 * Gi, pods: 20 })], {}, settings, [
      pod("kube-system", "a", 500, 512 * Mi),
    ]);
    deepEqual(
      found.map(({ at, message }) => [at, message.split(": ")[0]]),
      [
        ["acme.yaml quota.cpu", "node pool shared would promise 4240m cpu, 490m too much"],
        ["acme.yaml quota.memory", "node pool shared would promise 1792Mi memory, 256Mi too much"],
        ["globex.yaml quota.cpu", "node pool gpu would promise 2240m cpu, 2240m too much"],
        ["globex.yaml quota.memory", "node pool gpu would promise 1792Mi memory, 1792Mi too much"],
        ["globex.yaml quota.pods", "node pool gpu would promise 13 pods, 13 too much"],
      ],
    );
    // 1.5 x (3 - 0.5)
    match(
      found[0]?.message ?? "",
      /It can promise 3750m: \(3 allocatable on 1 usable node - 500m taken by others\) x overcommit 1\.5\./,
    );
    match(found[2]?.message ?? "", /\(0 allocatable on 0 usable nodes - 0 taken by others\)/);
  });

  it("refuses nobody for a node that went away", () => {
    file("acme", quota("4"));
    file("globex", quota("2"));
    const deployed = { acme: deployedWith(4000), globex: deployedWith(2000) };
    deepEqual(faults([node("a", { cpu: 3000, pods: 5 })], deployed), []);
    deepEqual(faults([], deployed), []);
  });

  it("refuses who is new when a node went away, and says what there was before", () => {
    file("acme", quota("4"));
    file("globex", quota("2"));
    const [fault, ...more] = faults([node("a", { cpu: 3000 })], { globex: deployedWith(2000) });
    deepEqual(more, []);
    equal(fault?.at, "acme.yaml quota.cpu");
    match(fault.message, /3480m too much: 2240m as before, 4240m more for acme\. /);
  });

  it("tells who grew, where others stayed, and only of what grew", () => {
    file("acme", quota("3"));
    file("globex", quota("2"));
    const deployed = { acme: deployedWith(2000), globex: deployedWith(2000) };
    // The pods are too many as well, but they were before.
    const found = faults([node("a", { cpu: 5000, pods: 20 })], deployed);
    deepEqual(
      found.map(({ at }) => at),
      ["acme.yaml quota.cpu"],
    );
    match(found[0]?.message ?? "", /480m too much: 4480m as before, 1 more for acme\. /);
  });

  it("takes existing tenants before new ones, and these by their names", () => {
    for (const name of ["a", "b", "c", "z"]) file(name, quota("2"));
    // z grows by 1 core to 2240m: with a and b it is 6720m, with c too much.
    const deployed = { z: deployedWith(1000) };
    deepEqual(places([node("n", { cpu: 6720 })], deployed), ["c.yaml quota.cpu"]);
    deepEqual(places([node("n", { cpu: 6719 })], deployed), ["b.yaml quota.cpu"]);
    deepEqual(places([node("n", { cpu: 2239 })], deployed), ["z.yaml quota.cpu"]);
  });

  it("lets one tenant have what another gives back", () => {
    file("acme", quota("3"));
    file("globex", quota("1"));
    const deployed = { acme: deployedWith(2000), globex: deployedWith(2000) };
    deepEqual(faults([node("a", { cpu: 1000 })], deployed), []);
    // 4480m again, of which a tenant had 2240m that is leaving.
    rmSync(join(folder, "globex.yaml"));
    file("initech", quota("1"));
    const nodes = [node("a", { cpu: 4480 })];
    const pods = [pod("vc-globex", "a", 2000, 0)];
    deepEqual(
      faults(nodes, { acme: deployedWith(2000), globex: deployedWith(2000) }, platform, pods),
      [],
    );
  });

  it("tells a tenant that it cannot move to another pool", () => {
    file("acme", quota("4"), "nodePool: gpu");
    const settings = withPools({
      shared: { labels: {}, taints: [] },
      gpu: { labels: { gpu: "yes" }, taints: [] },
    });
    const nodes = [node("a"), node("b", { cpu: 4000 }, { labels: { gpu: "yes" } })];
    deepEqual(places(nodes, { acme: deployedWith(4000, "shared") }, settings), [
      "acme.yaml nodePool",
    ]);
    // Where it is not known which pool it had, it had this one.
    deepEqual(places(nodes, { acme: deployedWith(4000) }, settings), []);
  });

  it("points at the tier where the file has no quota of its own", () => {
    file("acme");
    deepEqual(places([node("a", { cpu: 2239 })]), ["acme.yaml tier"]);
  });

  it("names a few tenants and counts the others", () => {
    for (let index = 1; index <= 9; index++) file(`tenant-${index}`, quota("1"));
    const [fault] = faults([node("a", { cpu: 1000, pods: 1000 })]);
    match(
      fault?.message ?? "",
      /1240m more for tenant-4, 1240m more for tenant-5, 4960m more for 4 others\./,
    );
  });

  it("leaves a pool that does not exist to the rule for that", () => {
    file("acme", quota("4"), "nodePool: typo");
    deepEqual(faults([node("a")]), []);
  });

  it("refuses exactly when something is over that grew", () => {
    const size = fc.integer({ min: 500, max: 9000 });
    fc.assert(
      fc.property(size, size, fc.nat(20_000), (was, is, cpu) => {
        file("acme", quota(`${is}m`));
        const refused = faults([node("a", { cpu })], { acme: deployedWith(was) }).length > 0;
        equal(refused, is > was && is + 240 > cpu);
      }),
      { numRuns: 50 },
    );
  });
});

describe("hostResources", () => {
  let server: Server;
  let asked: string[];
  let answers: Record<string, unknown>;
  let kubeConfig: KubeConfig;
  beforeEach(async () => {
    asked = [];
    answers = {};
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://host");
      const after = searchParams.get("continue");
      asked.push(`${searchParams.get("limit") ?? "all"} of ${pathname}`);
      const answer = answers[after === null ? pathname : `${pathname} after ${after}`];
      response.writeHead(answer === undefined ? 403 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(answer ?? { kind: "Status", message: "not yours to see" }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    ok(address !== null && typeof address === "object");
    kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser(
      { name: "host", server: `http://127.0.0.1:${address.port}`, skipTLSVerify: true },
      { name: "user" },
    );
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  const list = (items: readonly unknown[], next?: string) => ({
    apiVersion: "v1",
    metadata: { resourceVersion: "1", ...(next === undefined ? {} : { continue: next }) },
    items,
  });
  const ready = (status: string) => [
    { type: "MemoryPressure", status: "False" },
    { type: "Ready", status },
  ];
  const nodeObject = (name: string, spec: object, status: object, labels?: object) => ({
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
    spec,
    status,
  });
  const container = (cpu?: string, memory?: string, restartPolicy?: string) => ({
    name: "c",
    ...(cpu === undefined ? {} : { resources: { requests: { cpu, memory } } }),
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
  });
  const podObject = (spec: object, phase = "Running", namespace = "default") => ({
    metadata: { namespace, name: "p" },
    spec: { nodeName: "a", containers: [container("100m", "64Mi")], ...spec },
    status: { phase },
  });
  const NODES = "/api/v1/nodes";
  const PODS = "/api/v1/pods";

  it("reads what nodes have, and which take no pods", async () => {
    const allocatable = { cpu: "3920m", memory: "16069568Ki", pods: "110", "example.com/gpu": "1" };
    const taints = [
      { key: "gpu", value: "yes", effect: "NoSchedule" },
      { key: "x", effect: "NoExecute", timeAdded: "2026-01-01T00:00:00Z" },
    ];
    answers = {
      [NODES]: list([
        nodeObject("a", { taints }, { allocatable, conditions: ready("True") }, { zone: "west" }),
        nodeObject("cordoned", { unschedulable: true }, { allocatable, conditions: ready("True") }),
        nodeObject("not-ready", {}, { allocatable, conditions: ready("False") }),
        nodeObject("lost", {}, { allocatable, conditions: ready("Unknown") }),
        nodeObject("just-made", {}, {}),
      ]),
      [PODS]: list([]),
    };
    const size = { cpu: 3920, memory: 16_069_568 * 1024, pods: 110 };
    const unusable = { labels: {}, taints: [], usable: false };
    deepEqual(JSON.parse(JSON.stringify(await hostResources(kubeConfig))), {
      nodes: [
        {
          name: "a",
          labels: { zone: "west" },
          taints: [
            { key: "gpu", value: "yes", effect: "NoSchedule" },
            { key: "x", effect: "NoExecute" },
          ],
          usable: true,
          allocatable: size,
        },
        { name: "cordoned", ...unusable, allocatable: size },
        { name: "not-ready", ...unusable, allocatable: size },
        { name: "lost", ...unusable, allocatable: size },
        { name: "just-made", ...unusable, allocatable: { cpu: 0, memory: 0, pods: 0 } },
      ],
      pods: [],
    });
  });

  it("counts what the scheduler sets aside for pods that have a node and have not finished", async () => {
    // https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    // https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    const cases: [object, string, Partial<Record<HostResource, number>> | undefined][] = [
      [
        { containers: [container("100m", "64Mi"), container("1", "1Gi")] },
        "Running",
        { cpu: 1100, memory: 1088 * Mi },
      ],
      [{ containers: [container()] }, "Running", { cpu: 0, memory: 0 }],
      [
        { initContainers: [container("300m", "32Mi"), container("200m", "16Mi")] },
        "Pending",
        { cpu: 300, memory: 64 * Mi },
      ],
      // The sidecar stays: 50 + 100. The init container after it runs beside it: 50 + 200.
      [
        { initContainers: [container("50m", "8Mi", "Always"), container("200m", "8Mi")] },
        "Running",
        { cpu: 250, memory: 72 * Mi },
      ],
      [
        { initContainers: [container("200m", "8Mi"), container("150m", "8Mi", "Always")] },
        "Running",
        { cpu: 250, memory: 72 * Mi },
      ],
      [{ overhead: { cpu: "250m", memory: "120Mi" } }, "Running", { cpu: 350, memory: 184 * Mi }],
      [{ resources: { requests: { cpu: "2" } } }, "Running", { cpu: 2000, memory: 64 * Mi }],
      [{}, "Succeeded", undefined],
      [{}, "Failed", undefined],
      [{ nodeName: undefined }, "Pending", undefined],
      [{}, "Unknown", { cpu: 100, memory: 64 * Mi }],
    ];
    answers = {
      [NODES]: list([]),
      [PODS]: list(cases.map(([spec, phase]) => podObject(spec, phase))),
    };
    deepEqual(
      (await hostResources(kubeConfig)).pods,
      cases.flatMap(([, , requests]) =>
        requests === undefined ? [] : [{ namespace: "default", node: "a", requests }],
      ),
    );
  });

  it("reads page by page", async () => {
    answers = {
      [NODES]: list([]),
      [PODS]: list([podObject({}, "Running", "one")], "first+page"),
      [`${PODS} after first+page`]: list([podObject({}, "Running", "two")], ""),
    };
    const { pods } = await hostResources(kubeConfig);
    deepEqual(
      pods.map(({ namespace }) => namespace),
      ["one", "two"],
    );
    deepEqual(asked.sort(), [`500 of ${NODES}`, `500 of ${PODS}`, `500 of ${PODS}`]);
  });

  it("says what was asked of which server", async () => {
    answers = { [NODES]: list([]) };
    await rejects(hostResources(kubeConfig), (error: Error) => {
      match(
        error.message,
        /^the host cluster's capacity is not known: GET http:\/\/127\.0\.0\.1:\d+\/api\/v1\/pods: answered 403: .*not yours to see/,
      );
      return true;
    });
    answers = {
      [NODES]: list([nodeObject("a", {}, { allocatable: { cpu: "many" } })]),
      [PODS]: list([]),
    };
    await rejects(hostResources(kubeConfig), /\/api\/v1\/nodes: .*expected a quantity, got many/s);
  });
});
