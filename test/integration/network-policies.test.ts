import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { ensureToolchain } from "../../dev/toolchain/ensure-toolchain.ts";
import { type Clone, eventually } from "./clone.ts";
import {
  ALL,
  Connectivity,
  endOf,
  networkObjects,
  pod,
  type NetworkObject,
  type NetworkPolicy,
  type Pod,
} from "./connectivity.ts";
import { acme, tenantsClone } from "./tenants-clone.ts";

const minutes = 60_000;

const Toolchain = z.object({ bin: z.string() });

/** What stands outside of a cluster, by what the matrix calls it. */
const addresses = {
  internet: "93.184.216.34",
  private: "10.0.0.1",
  "allowed to acme": "10.20.1.1",
  metadata: "169.254.169.254",
  "carrier's": "100.100.100.200",
  "host API server": "127.0.0.1",
  "internet, IPv6": "2606:2800:21f:cb07::1",
  "private, IPv6": "fd12:3456::1",
  "metadata, IPv6": "fd00:ec2::254",
  "metadata by NAT64": "64:ff9b::a9fe:a9fe",
};
const ipv6 = Object.values(addresses).filter((address) => address.includes(":"));

/** What a host has that no dev platform runs as pods, and pods that nobody should be fooled by. */
const standIns: NetworkObject[] = [
  pod("kube-system", "kube-dns", { "k8s-app": "kube-dns" }),
  pod("gateway", "gateway", { app: "gateway" }),
  ...["application-controller", "server", "repo-server"].map((component) =>
    pod("argocd", `argocd-${component}`, {
      "app.kubernetes.io/part-of": "argocd",
      "app.kubernetes.io/component": component,
    }),
  ),
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "monitoring", labels: { "kubernetes.io/metadata.name": "monitoring" } },
  },
  pod("monitoring", "monitoring", { "app.kubernetes.io/component": "server" }),
  ...["acme", "globex"].flatMap((tenant) => [
    // As if a tenant's labels came to the host as they are.
    pod(`vc-${tenant}`, "impostor", {
      app: "vcluster",
      release: tenant,
      "vcluster.loft.sh/managed-by": tenant,
      "app.kubernetes.io/component": "application-controller",
    }),
    // Of a tier that no dev platform offers.
    pod(`vc-${tenant}`, `${tenant}-etcd-0`, { app: "vcluster-etcd", release: tenant }),
    // A team may label its CoreDNS like any pod.
    pod(`vc-${tenant}`, "fenced-coredns", {
      "k8s-app": "vcluster-kube-dns",
      "vcluster.loft.sh/managed-by": tenant,
      "tenantry.dev/network-policies": "own",
      fenced: "true",
    }),
    pod(`vc-${tenant}`, "stray", { "app.kubernetes.io/name": tenant }),
  ]),
];

const ANY = "*";

/** The pods that the matrix is about, by what it calls them: namespace and labels. */
const pods: Record<string, readonly [namespace: string, labels: Record<string, string>]> = {
  ...Object.fromEntries(
    ["acme", "globex"].flatMap((tenant) =>
      Object.entries({
        web: { app: "web" },
        cashier: { app: "cashier" },
        ledger: { app: "ledger" },
        impostor: { app: "vcluster", "vcluster.loft.sh/managed-by": tenant },
        coredns: { "k8s-app": "vcluster-kube-dns", "pod-template-hash": ANY },
        "fenced coredns": { "k8s-app": "vcluster-kube-dns", fenced: "true" },
        "control plane": { "statefulset.kubernetes.io/pod-name": `${tenant}-0` },
        etcd: { app: "vcluster-etcd" },
        stray: { "app.kubernetes.io/name": tenant },
      }).map(([name, labels]) => [`${tenant} ${name}`, [`vc-${tenant}`, labels] as const]),
    ),
  ),
  gateway: ["gateway", { app: "gateway" }],
  ...Object.fromEntries(
    ["application-controller", "server", "repo-server"].map((component) => [
      `argocd ${component}`,
      ["argocd", { "app.kubernetes.io/component": component }] as const,
    ]),
  ),
  "kube-dns": ["kube-system", { "k8s-app": "kube-dns" }],
  monitoring: ["monitoring", {}],
};

type Matrix = Record<string, Record<string, string>>;

const API = "TCP 8443";
const VIRTUAL_DNS = "TCP 1053,UDP 1053";
const DNS = "TCP 53,UDP 53";
/** What no tenant owns has no policies of Tenantry's. */
const platformPods = {
  gateway: ALL,
  "argocd application-controller": ALL,
  "argocd server": ALL,
  "argocd repo-server": ALL,
  "kube-dns": ALL,
  monitoring: ALL,
};
const anywhere = {
  internet: ALL,
  private: ALL,
  "allowed to acme": ALL,
  metadata: ALL,
  "carrier's": ALL,
  "host API server": ALL,
  "internet, IPv6": ALL,
  "private, IPv6": ALL,
  "metadata, IPv6": ALL,
  "metadata by NAT64": ALL,
};
const controlPlanes = {
  "acme control plane": API,
  "acme etcd": API,
  "globex control plane": API,
  "globex etcd": API,
};

/** Who may connect to whom, and by what: all that is not written here is refused. */
const expected: Matrix = {
  "acme web": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme impostor": ALL,
    "acme coredns": ALL,
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
    "allowed to acme": "TCP 5432",
  },
  "acme cashier": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme impostor": ALL,
    "acme ledger": "TCP 8080",
    "acme coredns": ALL,
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
    "allowed to acme": "TCP 5432",
  },
  // Its team's own policies decide, beside what every pod needs.
  "acme ledger": {
    "acme cashier": "TCP 9090",
    "acme coredns": VIRTUAL_DNS,
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    "allowed to acme": "TCP 5432",
  },
  "acme impostor": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme impostor": ALL,
    "acme coredns": ALL,
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
    "allowed to acme": "TCP 5432",
  },
  // The resolver of a node can be at any address.
  "acme coredns": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme impostor": ALL,
    "acme coredns": ALL,
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    gateway: DNS,
    "argocd application-controller": DNS,
    "argocd server": DNS,
    "argocd repo-server": DNS,
    "kube-dns": DNS,
    monitoring: DNS,
    internet: ALL,
    private: DNS,
    "allowed to acme": "TCP 53,5432,UDP 53",
    metadata: DNS,
    "carrier's": DNS,
    "host API server": DNS,
    "internet, IPv6": ALL,
    "private, IPv6": DNS,
    "metadata, IPv6": DNS,
    "metadata by NAT64": DNS,
  },
  "acme fenced coredns": {
    "acme web": DNS,
    "acme cashier": DNS,
    "acme impostor": DNS,
    "acme coredns": "TCP 53,1053,UDP 53,1053",
    "acme fenced coredns": VIRTUAL_DNS,
    "acme control plane": API,
    "acme etcd": API,
    gateway: DNS,
    "argocd application-controller": DNS,
    "argocd server": DNS,
    "argocd repo-server": DNS,
    "kube-dns": DNS,
    monitoring: DNS,
    internet: DNS,
    private: DNS,
    "allowed to acme": DNS,
    metadata: DNS,
    "carrier's": DNS,
    "host API server": DNS,
    "internet, IPv6": DNS,
    "private, IPv6": DNS,
    "metadata, IPv6": DNS,
    "metadata by NAT64": DNS,
  },
  "acme control plane": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme ledger": ALL,
    "acme impostor": ALL,
    "acme coredns": ALL,
    "acme fenced coredns": ALL,
    "acme control plane": ALL,
    "acme etcd": ALL,
    "kube-dns": DNS,
    "host API server": "TCP 443",
  },
  "acme etcd": {
    "acme web": ALL,
    "acme cashier": ALL,
    "acme ledger": ALL,
    "acme impostor": ALL,
    "acme coredns": ALL,
    "acme fenced coredns": ALL,
    "acme control plane": ALL,
    "acme etcd": ALL,
    "kube-dns": DNS,
    "host API server": "TCP 443",
  },
  "acme stray": {},

  "globex web": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
  },
  "globex cashier": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
  },
  // The label, and no policy of the team.
  "globex ledger": {
    "globex coredns": VIRTUAL_DNS,
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
  },
  "globex impostor": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
    internet: ALL,
    "internet, IPv6": ALL,
  },
  "globex coredns": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
    gateway: DNS,
    "argocd application-controller": DNS,
    "argocd server": DNS,
    "argocd repo-server": DNS,
    "kube-dns": DNS,
    monitoring: DNS,
    internet: ALL,
    private: DNS,
    "allowed to acme": DNS,
    metadata: DNS,
    "carrier's": DNS,
    "host API server": DNS,
    "internet, IPv6": ALL,
    "private, IPv6": DNS,
    "metadata, IPv6": DNS,
    "metadata by NAT64": DNS,
  },
  "globex fenced coredns": {
    "globex web": DNS,
    "globex cashier": DNS,
    "globex impostor": DNS,
    "globex coredns": "TCP 53,1053,UDP 53,1053",
    "globex fenced coredns": VIRTUAL_DNS,
    "globex control plane": API,
    "globex etcd": API,
    gateway: DNS,
    "argocd application-controller": DNS,
    "argocd server": DNS,
    "argocd repo-server": DNS,
    "kube-dns": DNS,
    monitoring: DNS,
    internet: DNS,
    private: DNS,
    "allowed to acme": DNS,
    metadata: DNS,
    "carrier's": DNS,
    "host API server": DNS,
    "internet, IPv6": DNS,
    "private, IPv6": DNS,
    "metadata, IPv6": DNS,
    "metadata by NAT64": DNS,
  },
  "globex control plane": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex ledger": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": ALL,
    "globex control plane": ALL,
    "globex etcd": ALL,
    "kube-dns": DNS,
    "host API server": "TCP 443",
  },
  "globex etcd": {
    "globex web": ALL,
    "globex cashier": ALL,
    "globex ledger": ALL,
    "globex impostor": ALL,
    "globex coredns": ALL,
    "globex fenced coredns": ALL,
    "globex control plane": ALL,
    "globex etcd": ALL,
    "kube-dns": DNS,
    "host API server": "TCP 443",
  },
  "globex stray": {},

  gateway: { ...controlPlanes, ...platformPods, ...anywhere },
  "argocd application-controller": { ...controlPlanes, ...platformPods, ...anywhere },
  "argocd server": { ...controlPlanes, ...platformPods, ...anywhere },
  // It runs what tenants' repositories say.
  "argocd repo-server": { ...platformPods, ...anywhere },
  "kube-dns": { ...platformPods, ...anywhere },
  monitoring: { ...platformPods, ...anywhere },

  internet: platformPods,
  private: platformPods,
  "allowed to acme": platformPods,
  metadata: platformPods,
  "carrier's": platformPods,
  "host API server": platformPods,
  "internet, IPv6": platformPods,
  "private, IPv6": platformPods,
  "metadata, IPv6": platformPods,
  "metadata by NAT64": platformPods,
};

/** Each policy of the host, and a connection that is decided otherwise without it. */
const witnesses: Record<string, readonly [from: string, to: string, without: string]> = {
  "vc-acme/default-deny": ["internet", "acme stray", ALL],
  "vc-acme/control-plane": ["gateway", "acme control plane", ""],
  "vc-acme/synced-pods": ["acme ledger", "acme control plane", ""],
  "vc-acme/dns": ["acme coredns", "private", ""],
  "vc-acme/within-virtual-cluster": ["acme web", "acme cashier", ""],
  "vc-acme/internet": ["acme web", "internet", ""],
  "vc-acme/ledger-x-default-x-acme": ["acme cashier", "acme ledger", ""],
  "vc-globex/default-deny": ["internet", "globex stray", ALL],
  "vc-globex/control-plane": ["gateway", "globex control plane", ""],
  "vc-globex/synced-pods": ["globex ledger", "globex control plane", ""],
  "vc-globex/dns": ["globex coredns", "private", ""],
  "vc-globex/within-virtual-cluster": ["globex web", "globex cashier", ""],
  "vc-globex/internet": ["globex web", "internet", ""],
};

/** A Deployment inside a virtual cluster that Pod Security `restricted` accepts. */
function deployment(app: string, labels: Record<string, string> = {}): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app },
    spec: {
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app, ...labels } },
        spec: {
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [
            {
              name: app,
              image: "nginxinc/nginx-unprivileged:1.29",
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ["ALL"] },
              },
            },
          ],
        },
      },
    },
  };
}
const workloads = [
  deployment("web"),
  deployment("cashier"),
  deployment("ledger", { "tenantry.dev/network-policies": "own" }),
];
const cashiers = [{ podSelector: { matchLabels: { app: "cashier" } } }];
/** What acme's team wrote for its ledger. */
const teamPolicy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "ledger" },
  spec: {
    podSelector: { matchLabels: { app: "ledger" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: cashiers, ports: [{ protocol: "TCP", port: 8080 }] }],
    egress: [
      { to: cashiers, ports: [{ protocol: "TCP", port: 9090 }] },
      {
        to: [{ ipBlock: { cidr: "10.20.0.0/16" } }],
        ports: [{ protocol: "TCP", port: 5432 }],
      },
    ],
  },
};

function podOf(name: string, objects: readonly NetworkObject[]): Pod {
  const [namespace, labels] = pods[name] ?? ["", {}];
  const fitting = objects
    .filter((object) => object.kind === "Pod")
    .filter(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        Object.entries(labels).every(([key, value]) =>
          value === ANY ? key in metadata.labels : metadata.labels[key] === value,
        ),
    );
  const [only, another] = fitting;
  if (only === undefined || another !== undefined) {
    throw new Error(`${name} is ${fitting.map(endOf).join(", ")}`);
  }
  return only;
}

/** The whole matrix. Each pod has a twin: what replicas may say to each other is its own question. */
async function matrixOf(analyser: string, objects: readonly NetworkObject[]): Promise<Matrix> {
  const found = Object.keys(pods).map((name) => [name, podOf(name, objects)] as const);
  const twins = found.map(([, { metadata, ...rest }]) => ({
    ...rest,
    metadata: { ...metadata, name: `${metadata.name}-twin` },
  }));
  const connectivity = await Connectivity.compute(analyser, [...objects, ...twins], ipv6);
  const ends = [
    ...found.map(([name, object]) => ({
      name,
      source: endOf(object),
      destination: `${endOf(object)}-twin`,
      outside: false,
    })),
    ...Object.entries(addresses).map(([name, address]) => ({
      name,
      source: address,
      destination: address,
      outside: true,
    })),
  ];
  return Object.fromEntries(
    ends.map((from) => [
      from.name,
      Object.fromEntries(
        ends
          .filter((to) => !(from.outside && to.outside))
          .map((to) => [to.name, connectivity.allowed(from.source, to.destination)] as const)
          .filter(([, ports]) => ports !== ""),
      ),
    ]),
  );
}

/** A policy without each of its rules, and without each peer of a rule. */
function lessened(policy: NetworkPolicy): { what: string; policy: NetworkPolicy }[] {
  const directions = [
    { direction: "ingress", side: "from" },
    { direction: "egress", side: "to" },
  ] as const;
  return directions.flatMap(({ direction, side }) => {
    const rules = policy.spec[direction];
    return rules.flatMap((rule, index) => {
      const peers = rule[side] ?? [];
      const what = `${nameOf(policy)} ${direction} ${index + 1}`;
      const less = (others: typeof rules) => ({
        ...policy,
        spec: { ...policy.spec, [direction]: rules.toSpliced(index, 1, ...others) },
      });
      return [
        { what, policy: less([]) },
        ...(peers.length < 2 ? [] : peers).map((_, peer) => ({
          what: `${what}, peer ${peer + 1}`,
          policy: less([{ ...rule, [side]: peers.toSpliced(peer, 1) }]),
        })),
      ];
    });
  });
}

function nameOf({ metadata: { namespace, name } }: NetworkPolicy): string {
  return `${namespace}/${name}`;
}

describe("network policies, judged without a network", function () {
  this.timeout(10 * minutes);
  let clone: Clone;
  let scratch: string;
  let bin: string;
  let analyser: string;
  let host: readonly NetworkObject[];

  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    clone = await tenantsClone();
    scratch = mkdtempSync(join(tmpdir(), "tenantry-scratch-"));
    clone.write("tenants/acme.yaml", `${acme}egress: [{ to: 10.20.0.0/16, ports: [5432] }]\n`);
    ({ bin } = Toolchain.parse(
      JSON.parse(await clone.succeed("node", ["cli/tenantry.js", "dev", "toolchain", "--json"])),
    ));
    const toolchain = await ensureToolchain({ names: ["netpol-analyzer"] });
    analyser = toolchain.binaries["netpol-analyzer"].path;
    await clone.succeed("npm", ["run", "--silent", "up"]);
    for (const [tenant, manifests] of [
      ["acme", [...workloads, teamPolicy]],
      ["globex", workloads],
    ] as const) {
      const kubeconfig = join(scratch, `${tenant}.kubeconfig`);
      const content = await clone.succeed("node", ["cli/tenantry.js", "kubeconfig", tenant]);
      writeFileSync(kubeconfig, content, { mode: 0o600 });
      const file = join(scratch, "manifests.json");
      const list = { apiVersion: "v1", kind: "List", items: manifests };
      writeFileSync(file, JSON.stringify(list));
      await kubectl(kubeconfig, "apply", "-f", file);
    }
    await eventually("the workloads and the policy on the host", 90, async () => {
      host = [...(await onHost()), ...standIns];
      const names = host.map(({ metadata }) => metadata.name);
      return (
        names.includes("ledger-x-default-x-acme") &&
        ["acme", "globex"].every((tenant) =>
          workloadNames.every((app) =>
            names.some((name) => name.startsWith(app) && name.endsWith(`-x-default-x-${tenant}`)),
          ),
        )
      );
    });
  });

  after(async () => {
    await clone.tenantry("dev", "down");
    clone.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const workloadNames = ["web", "cashier", "ledger"];
  async function kubectl(kubeconfig: string, ...rest: string[]): Promise<string> {
    return await clone.succeed(join(bin, "kubectl"), ["--kubeconfig", kubeconfig, ...rest]);
  }
  async function onHost(): Promise<NetworkObject[]> {
    const kubeconfig = join(clone.folder, ".tenantry", "kubeconfig");
    const kinds = "namespaces,pods,networkpolicies";
    return networkObjects(
      await kubectl(kubeconfig, "get", kinds, "--all-namespaces", "-o", "json"),
    );
  }
  const policies = () => host.filter((object) => object.kind === "NetworkPolicy");

  it("allow what the matrix says, and nothing else", async () => {
    const matrix = await matrixOf(analyser, host);
    const ends = Object.keys(matrix);
    assert.deepEqual(ends, Object.keys(expected));
    const otherwise = ends.flatMap((from) =>
      ends.flatMap((to) => {
        const [now, then] = [matrix[from]?.[to] ?? "nothing", expected[from]?.[to] ?? "nothing"];
        return now === then ? [] : [`${from} to ${to}: ${now} instead of ${then}`];
      }),
    );
    assert.deepEqual(otherwise, []);
  });

  it("open the internet to a tenant's pods, and no private address", async () => {
    const edges = {
      closed: [
        ...["::1", "64:ff9b::", "64:ff9b::ffff:ffff", "fc00::", "fdff:ffff::1"],
        ...["fe80::1", "febf:ffff::1", "ff00::", "ff0e::1"],
      ],
      open: ["2000::1", "64:ff9a:ffff::1", "64:ff9b::1:0:0", "fbff:ffff::1"],
    };
    const connectivity = await Connectivity.compute(analyser, host, Object.values(edges).flat());
    // Every edge by hand: a block that is a bit too wide or too narrow shows here.
    const internet = [
      `1.0.0.0-9.255.255.255 ${ALL}`,
      `11.0.0.0-100.63.255.255 ${ALL}`,
      `100.128.0.0-126.255.255.255 ${ALL}`,
      `128.0.0.0-169.253.255.255 ${ALL}`,
      `169.255.0.0-172.15.255.255 ${ALL}`,
      `172.32.0.0-191.255.255.255 ${ALL}`,
      `192.0.1.0-192.167.255.255 ${ALL}`,
      `192.169.0.0-198.17.255.255 ${ALL}`,
      `198.20.0.0-223.255.255.255 ${ALL}`,
    ];
    const from = (name: string) => connectivity.addressesFrom(endOf(podOf(name, host))).sort();
    assert.deepEqual(from("globex web"), internet.toSorted());
    assert.deepEqual(
      from("acme web"),
      [...internet, "10.20.0.0-10.20.255.255 TCP 5432"].toSorted(),
    );
    const web = endOf(podOf("globex web", host));
    for (const edge of edges.closed) assert.equal(connectivity.allowed(web, edge), "", edge);
    for (const edge of edges.open) assert.equal(connectivity.allowed(web, edge), ALL, edge);
    assert.deepEqual(from("globex ledger"), []);
    assert.deepEqual(from("globex control plane"), ["127.0.0.1-127.0.0.1 TCP 443"]);
  });

  describe("are each needed:", () => {
    it("there are no others", () => {
      assert.deepEqual(policies().map(nameOf).sort(), Object.keys(witnesses).sort());
    });

    for (const [policy, [from, to, without]] of Object.entries(witnesses)) {
      it(`without ${policy}, from ${from} to ${to} passes ${without || "nothing"}`, async () => {
        const others = host.filter(
          (object) => object.kind !== "NetworkPolicy" || nameOf(object) !== policy,
        );
        assert.notEqual(expected[from]?.[to] ?? "", without);
        assert.equal((await matrixOf(analyser, others))[from]?.[to] ?? "", without);
      });
    }

    it("rule by rule, and peer by peer", async () => {
      const idle: string[] = [];
      const matrix = await matrixOf(analyser, host);
      for (const policy of policies()) {
        for (const { what, policy: less } of lessened(policy)) {
          const objects = host.map((object) => (object === policy ? less : object));
          if (isDeepStrictEqual(await matrixOf(analyser, objects), matrix)) idle.push(what);
        }
      }
      assert.deepEqual(idle, []);
    });
  });
});
