import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { z } from "zod";
import { planTenantArgoCD } from "../../components/tenant-argocd-plan.ts";
import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import { vclusterValues } from "../../components/vcluster-values.ts";
import {
  formatBytes,
  formatMillicores,
  parseBytes,
  parseMillicores,
} from "../../tenants/quantity.ts";
import {
  ISOLATION_LEVEL_NAMES,
  NAME_LENGTH,
  tenantSchema,
  TIER_NAMES,
  type Tenant,
} from "../../tenants/schema.ts";
import { platform, tenant } from "../components/fixtures.ts";
import { type Clone, eventually } from "./clone.ts";
import { helmTemplate, type Rendered } from "./helm-template.ts";
import { HostApi, type Manifest, type Verdict } from "./host-api.ts";
import { acme, tenantFile, tenantsClone, withFiles } from "./tenants-clone.ts";

const minutes = 60_000;

const Toolchain = z.object({ bin: z.string(), assets: z.object({ vclusterChart: z.string() }) });
const UpResult = z.object({ changes: z.record(z.string(), z.number()) });
const CapacityRow = z.object({
  pool: z.string(),
  resource: z.string(),
  nodes: z.number(),
  promised: z.number(),
  allocatable: z.number().optional(),
  others: z.number().optional(),
  promisable: z.number().optional(),
  left: z.number().optional(),
  over: z.boolean(),
  change: z.number().optional(),
});
type CapacityRow = z.infer<typeof CapacityRow>;
const Strings = z.record(z.string(), z.string());
const HostObject = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    generation: z.number().optional(),
    labels: Strings.default({}),
    annotations: Strings.default({}),
  }),
});
const Quota = HostObject.extend({ spec: z.object({ hard: Strings }) });
const Node = HostObject.extend({
  spec: z.object({ taints: z.array(z.unknown()).default([]) }),
  status: z.object({ allocatable: Strings }),
});
const Container = z.object({
  resources: z.object({ requests: Strings.optional(), limits: Strings.optional() }),
});
const Pod = z.object({ spec: z.object({ containers: z.tuple([Container]) }) });
const Workload = z.object({
  kind: z.enum(["StatefulSet", "Deployment"]),
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.object({
    template: z.object({
      metadata: z.object({ labels: Strings.optional(), annotations: Strings.optional() }),
      spec: z.looseObject({ volumes: z.array(z.unknown()).default([]) }),
    }),
    volumeClaimTemplates: z
      .array(z.object({ metadata: z.object({ name: z.string() }) }))
      .default([]),
  }),
});

const huge = tenantFile("huge", "Huge", "quota: { cpu: 100 }");
/** What a virtual cluster of the tier small takes of the host beside the tenant's quota. */
const smallControlPlane = { cpu: 240, memory: 768 * 2 ** 20, pods: 3, storage: 5 * 2 ** 30 };

describe("tenants as data", function () {
  this.timeout(10 * minutes);
  let clone: Clone;
  let scratch: string;
  let bin: string;
  let chart: string;
  let host: HostApi;

  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    clone = await tenantsClone();
    scratch = mkdtempSync(join(tmpdir(), "tenantry-scratch-"));
    const { assets, ...toolchain } = Toolchain.parse(
      JSON.parse(await clone.succeed("node", ["cli/tenantry.js", "dev", "toolchain", "--json"])),
    );
    bin = toolchain.bin;
    chart = assets.vclusterChart;
    await clone.succeed("npm", ["run", "--silent", "up"]);
    host = await HostApi.open(join(clone.folder, ".tenantry", "kubeconfig"));
  });

  after(async () => {
    await clone.tenantry("dev", "down");
    clone.remove();
    rmSync(scratch, { recursive: true, force: true });
    host.close();
  });

  async function kubectl(...rest: string[]): Promise<string> {
    const kubeconfig = join(clone.folder, ".tenantry", "kubeconfig");
    return await clone.succeed(join(bin, "kubectl"), ["--kubeconfig", kubeconfig, ...rest]);
  }
  async function get<Schema extends z.ZodType>(
    schema: Schema,
    ...rest: string[]
  ): Promise<z.infer<Schema>> {
    return schema.parse(JSON.parse(await kubectl("get", ...rest, "-o", "json")));
  }
  async function up(): Promise<string[]> {
    const output = await clone.succeed("npm", ["run", "--silent", "up", "--", "--json"]);
    return Object.keys(UpResult.parse(JSON.parse(output)).changes).sort();
  }

  describe("a quantity", () => {
    const limits = (min: object, max: object): Manifest => ({
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "quantity", namespace: "default" },
      spec: { limits: [{ type: "Container", min, max }] },
    });
    /** What the API server thinks of the order of two quantities. */
    async function atMost(resource: string, quantity: string, other: string): Promise<boolean> {
      const { accepted, reason } = await host.dryRun(
        limits({ [resource]: quantity }, { [resource]: other }),
      );
      assert.ok(accepted || reason.includes("is greater than max value"), reason);
      return accepted;
    }
    const most = Number.MAX_SAFE_INTEGER;
    const kinds = [
      { resource: "cpu", unit: "m", count: parseMillicores, format: formatMillicores },
      { resource: "memory", unit: "", count: parseBytes, format: formatBytes },
    ];
    /** Why a quantity may be refused that Kubernetes takes. */
    const unwanted = new Map([
      ["a sign", /^[+-]/],
      ["space around it", /^\s|\s$/],
      ["no digit", /^\.?([a-zA-Z]|$)/],
      ["an exponent of three digits", /[eE][+-]?\d{3}/],
    ]);
    const tooLarge = "too large to be counted";
    const digits = fc.oneof(
      fc.constantFrom("", "0", "1", "007"),
      fc.nat(5000).map(String),
      fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
    );
    const exponent = fc
      .tuple(
        fc.constantFrom("e", "E"),
        fc.constantFrom("", "+", "-"),
        fc.oneof(fc.constantFrom("", "+", "1.5"), fc.nat(25).map(String), fc.nat(130).map(String)),
      )
      .map((parts) => parts.join(""));
    const suffix = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          ...["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"],
        ),
      },
      exponent,
      fc.constantFrom("K", "g", "ki", "KI", "GiB", " Gi", "i", "mm", "Z", "Zi", "b", "%"),
    );
    const mostly = (usual: fc.Arbitrary<string>, rarely: fc.Arbitrary<string>) =>
      fc.oneof({ weight: 12, arbitrary: usual }, rarely);
    const nothing = fc.constant("");
    const quantities = mostly(
      fc
        .tuple(
          mostly(nothing, fc.constantFrom(" ", "\t")),
          mostly(nothing, fc.constantFrom("+", "-", "--")),
          digits,
          fc.oneof(nothing, fc.constant("."), fc.stringMatching(/^\.[0-9]{1,12}$/)),
          suffix,
          mostly(nothing, fc.constantFrom(" ", "\n")),
        )
        .map((parts) => parts.join("")),
      fc.string(),
    );

    it("is read as the API server reads it, or refused for a reason", async () => {
      const seen = { counted: 0, refused: 0 };
      const reasons = new Set<string>();
      await fc.assert(
        fc.asyncProperty(quantities, async (text) => {
          const { accepted } = await host.dryRun({
            apiVersion: "v1",
            kind: "ResourceQuota",
            metadata: { name: "quantity", namespace: "default" },
            spec: { hard: { "requests.cpu": text, "requests.memory": text } },
          });
          for (const { resource, unit, count } of kinds) {
            const amount = count(text);
            if (!accepted) {
              assert.equal(amount, undefined);
              seen.refused++;
            } else if (amount === undefined) {
              const [reason] = [...unwanted].find(([, pattern]) => pattern.test(text)) ?? [];
              if (reason === undefined) {
                assert.ok(!(await atMost(resource, text, `${most}${unit}`)), resource);
              }
              reasons.add(reason ?? tooLarge);
            } else {
              // Rounded up to a whole number.
              assert.ok(await atMost(resource, text, `${amount}${unit}`), `≤ ${amount}`);
              assert.ok(
                amount === 0 || !(await atMost(resource, text, `${amount - 1}${unit}`)),
                `> ${amount - 1}`,
              );
              seen.counted++;
            }
          }
        }),
        {
          numRuns: 300,
          examples: [
            ["+1"],
            ["-0"],
            [" 1"],
            ["1 "],
            ["E1"],
            ["1e007"],
            ["1Ei"],
            ["9007199254740991"],
          ],
        },
      );
      assert.ok(seen.counted > 30 && seen.refused > 30, JSON.stringify(seen));
      assert.deepEqual([...reasons].sort(), [...unwanted.keys(), tooLarge].sort());
    });

    it("is written as the API server reads it", async () => {
      const amounts = fc.oneof(
        fc.maxSafeNat(),
        fc.nat(5000),
        fc.tuple(fc.nat(1023), fc.nat(4)).map(([count, power]) => count * 1024 ** power),
        fc.tuple(fc.nat(999), fc.nat(4)).map(([count, power]) => count * 1000 ** power),
      );
      await fc.assert(
        fc.asyncProperty(amounts, async (amount) => {
          for (const { resource, unit, format } of kinds) {
            assert.ok(await atMost(resource, format(amount), `${amount}${unit}`));
            assert.ok(await atMost(resource, `${amount}${unit}`, format(amount)));
          }
        }),
        { numRuns: 100, examples: [[0], [most]] },
      );
    });
  });

  describe("what a tenant file may say", () => {
    const namespaceOf = (of: Tenant): Manifest => ({
      ...{ apiVersion: "v1", kind: "Namespace" },
      ...planTenantVCluster(of, platform).namespace,
    });
    const accepts = async (manifest: Manifest) => {
      const { accepted, reason } = await host.dryRun(manifest);
      assert.ok(accepted, reason);
    };
    /** Asks for valid and invalid values, and that there were enough of both. */
    async function both<Value>(
      values: fc.Arbitrary<Value>,
      isValid: (value: Value) => boolean,
      check: (value: Value, valid: boolean) => Promise<void>,
    ): Promise<void> {
      const seen = { valid: 0, invalid: 0 };
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          const valid = isValid(value);
          seen[valid ? "valid" : "invalid"]++;
          await check(value, valid);
        }),
        { numRuns: 150 },
      );
      assert.ok(seen.valid > 5 && seen.invalid > 5, JSON.stringify(seen));
    }
    const { shape } = tenantSchema;

    it("as its name names a Service, a Namespace, an Application and an AppProject", async () => {
      const names = fc.oneof(
        fc.stringMatching(/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/),
        fc.stringMatching(/^[a-z]([-a-z0-9]{0,70}[a-z0-9])?$/),
        fc.stringMatching(/^[-.aA0_]{0,4}$/),
        fc.string(),
      );
      await both(
        names,
        (name) => shape.name.safeParse(name).success,
        async (name, valid) => {
          const service = await host.dryRun({
            apiVersion: "v1",
            kind: "Service",
            metadata: { name, namespace: "gateway" },
            spec: { ports: [{ port: 443 }] },
          });
          if (!valid) return;
          assert.ok(service.accepted, service.reason);
          const of = { ...tenant, name };
          const { project, rootApplication } = planTenantArgoCD(of, platform);
          await accepts(namespaceOf(of));
          await accepts({ ...project });
          await accepts({ ...rootApplication });
          await accepts({ ...planTenantVCluster(of, platform).application });
        },
      );
    });

    it("as its labels and its cost centre are labels of its namespace", async () => {
      // Mostly valid, so that one part alone is wrong.
      const text = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/),
        },
        fc.stringMatching(/^[-A0_./]{0,4}$/),
        fc.stringMatching(/^[a-z]{60,66}$/),
        fc.string({ maxLength: 5 }),
      );
      const prefix = fc.oneof(
        fc.constant(""),
        fc.domain().map((domain) => `${domain}/`),
        fc.stringMatching(/^[-A-Za-z0-9]{1,2}(\.[-A-Za-z0-9]{0,2}){0,2}\/$/),
      );
      await both(
        fc.tuple(prefix, text, text).map(([start, key, value]) => ({ [`${start}${key}`]: value })),
        (labels) => shape.labels.safeParse(labels).success,
        async (labels, valid) => {
          if (valid) await accepts(namespaceOf({ ...tenant, name: "labels", labels }));
        },
      );
      await both(
        text,
        (value) => shape.costCentre.safeParse(value).success,
        async (costCentre, valid) => {
          if (valid) await accepts(namespaceOf({ ...tenant, name: "labels", costCentre }));
        },
      );
    });

    it("of its owner and its display name stands on its namespace", async () => {
      const text = fc.oneof(
        fc.string({ unit: "grapheme", maxLength: 70 }),
        fc.string({ unit: fc.constantFrom("a", "İ", " ", "-", "\n"), maxLength: 70 }),
        // Lower case, it is twice as long.
        fc.string({ unit: fc.constantFrom("a", "İ"), minLength: 40, maxLength: 63 }),
      );
      const owner = { ...tenant.owner };
      await both(
        text,
        (team) => shape.owner.safeParse({ ...owner, team }).success,
        async (team, valid) => {
          const of = { ...tenant, name: "labels", owner: { ...owner, team }, displayName: team };
          if (valid) await accepts(namespaceOf(of));
        },
      );
    });

    it("as its domain is a host name of a TLSRoute", async () => {
      const domains = fc.oneof(
        fc.domain(),
        fc.ipV4(),
        fc.stringMatching(/^[-a0]{1,3}(\.[-a0]{1,3}){0,3}$/),
        fc.stringMatching(/^[a-z]{60,66}(\.[a-z]{60,63}){1,3}$/),
        fc.string(),
      );
      await both(
        domains,
        (domain) => shape.exposure.safeParse({ domain }).success,
        async (domain, valid) => {
          if (!valid) return;
          await accepts({
            apiVersion: "gateway.networking.k8s.io/v1",
            kind: "TLSRoute",
            metadata: { name: "domain", namespace: "default" },
            spec: {
              parentRefs: [{ name: "gateway", namespace: "gateway" }],
              hostnames: [domain],
              rules: [{ backendRefs: [{ name: "domain", port: 443 }] }],
            },
          });
        },
      );
    });
  });

  describe("what is planned for a tenant", () => {
    /** Pods as the controllers would make them of what the chart has. */
    function podsOf(rendered: readonly Rendered[]): Manifest[] {
      return rendered
        .flatMap((manifest) => Workload.safeParse(manifest).data ?? [])
        .map(({ metadata, spec: { template, volumeClaimTemplates } }) => ({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { ...template.metadata, ...metadata },
          spec: {
            ...template.spec,
            volumes: [
              ...template.spec.volumes,
              ...volumeClaimTemplates.map(({ metadata: { name } }) => ({
                name,
                persistentVolumeClaim: { claimName: `${name}-${metadata.name}-0` },
              })),
            ],
          },
        }));
    }
    const unobjected = ({ accepted, reason, warnings }: Verdict) => {
      assert.ok(accepted, reason);
      assert.deepEqual(warnings, []);
    };

    for (const tier of TIER_NAMES) {
      for (const isolation of ISOLATION_LEVEL_NAMES) {
        it(`and rendered by the chart is accepted by the host: ${tier}, ${isolation}`, async () => {
          // As long as names may be.
          const name = `${tier}-${isolation}-`.padEnd(NAME_LENGTH, "x");
          const of: Tenant = { ...tenant, name, tier, isolation };
          const plan = planTenantVCluster(of, platform);
          const { namespace } = plan.resourceQuota.metadata;
          const core = { apiVersion: "v1" };
          const networking = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };
          await host.create({ ...core, kind: "Namespace", ...plan.namespace });
          await host.create({ ...core, kind: "ResourceQuota", ...plan.resourceQuota });
          await host.create({ ...core, kind: "LimitRange", ...plan.limitRange });
          for (const policy of Object.values(plan.networkPolicies)) {
            await host.create({ ...networking, ...policy });
          }
          for (const secret of Object.values(plan.secrets)) {
            unobjected(await host.dryRun({ ...core, kind: "Secret", ...secret }));
          }

          const values = vclusterValues(of, platform);
          const rendered = await helmTemplate(join(bin, "helm"), chart, name, values);
          for (const manifest of rendered) {
            const { metadata } = manifest;
            const inNamespace = { ...manifest, metadata: { ...metadata, namespace } };
            unobjected(await host.dryRun(inNamespace));
            // Pods are admitted only once their service account is there.
            if (manifest.kind === "ServiceAccount") await host.create(inNamespace);
          }
          const pods = podsOf(rendered);
          assert.equal(pods.length, tier === "critical" ? 2 : 1);
          await eventually("the quota in force", 60, async () => {
            const quota = ["resourcequota", "tenant", "-n", namespace];
            return (await kubectl("get", ...quota, "-o", "jsonpath={.status.hard}")) !== "";
          });
          for (const pod of pods) {
            unobjected(await host.dryRun(pod));
            // The namespace does look: of a pod that is not as it is, something is said.
            const { accepted, reason, warnings } = await host.dryRun({
              ...pod,
              spec: { ...z.looseObject({}).parse(pod["spec"]), hostNetwork: true },
            });
            assert.ok(!accepted);
            assert.match(reason, new RegExp(`violates PodSecurity "${isolation}:latest": host `));
            assert.deepEqual(warnings, []);
          }
        });
      }
    }
  });

  describe("tenantry capacity", () => {
    const ours = [
      { cpu: 4000, memory: 8 * 2 ** 30, pods: 40, storage: 20 * 2 ** 30 },
      { cpu: 2000, memory: 4 * 2 ** 30, pods: 20, storage: 10 * 2 ** 30 },
    ];
    const promised = (resource: keyof typeof smallControlPlane) =>
      ours.reduce((sum, quota) => sum + quota[resource] + smallControlPlane[resource], 0);
    let nodes: z.infer<typeof Node>[];

    before(async () => {
      const { items } = await get(z.object({ items: z.array(Node).min(1) }), "nodes");
      // Of the pool `shared`: the dedicated node keeps other pods away.
      nodes = items.filter(({ spec }) => spec.taints.length === 0);
      // What is no tenant's takes its part too.
      await host.create({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "others", namespace: "default" },
        spec: {
          containers: [
            {
              name: "others",
              image: "others",
              resources: { requests: { cpu: "1500m", memory: "1Gi" } },
            },
          ],
        },
      });
      await kubectl(...["wait", "pod/others", "--for=condition=PodScheduled", "--timeout=60s"]);
    });
    after(async () => {
      await kubectl("delete", "pod", "others", "--grace-period=0", "--force");
    });
    async function capacity(exitCode: 0 | 1, ...options: string[]): Promise<CapacityRow[]> {
      const result = await clone.tenantry("capacity", "--json", ...options);
      assert.equal(result.exitCode, exitCode, result.stdout + result.stderr);
      return z
        .array(CapacityRow)
        .parse(JSON.parse(result.stdout))
        .filter(({ pool }) => pool === "shared");
    }
    const sum = (resource: string, count: (text: string) => number | undefined) =>
      nodes.reduce(
        (total, { status }) => total + (count(status.allocatable[resource] ?? "") ?? NaN),
        0,
      );

    it("compares what the nodes have with what the files promise", async () => {
      const rows = await capacity(0);
      const expected = [
        { resource: "cpu", allocatable: sum("cpu", parseMillicores), others: 1500 },
        { resource: "memory", allocatable: sum("memory", parseBytes), others: 2 ** 30 },
        { resource: "pods", allocatable: sum("pods", Number), others: 1 },
      ] as const;
      assert.deepEqual(rows, [
        ...expected.map(({ resource, allocatable, others }) => ({
          ...{ pool: "shared", resource, nodes: nodes.length, over: false },
          ...{ promised: promised(resource), allocatable, others },
          promisable: allocatable - others,
          left: allocatable - others - promised(resource),
        })),
        {
          ...{ pool: "shared", resource: "storage", nodes: nodes.length, over: false },
          promised: promised("storage"),
        },
      ]);
    });

    it("says what another file would change", async () => {
      const another = join(scratch, "initech.yaml");
      writeFileSync(another, tenantFile("initech", "Initech"));
      const grown = join(scratch, "acme.yaml");
      writeFileSync(grown, acme.replace("cpu: 4", "cpu: 6.5"));
      const [more, same] = await Promise.all([
        capacity(0, "--what-if", another),
        capacity(0, "--what-if", grown),
      ]);
      const changes = (rows: readonly CapacityRow[]) =>
        Object.fromEntries(rows.map(({ resource, change }) => [resource, change]));
      assert.deepEqual(changes(more), {
        cpu: 2000 + smallControlPlane.cpu,
        memory: 4 * 2 ** 30 + smallControlPlane.memory,
        pods: 20 + smallControlPlane.pods,
        storage: 10 * 2 ** 30 + smallControlPlane.storage,
      });
      assert.deepEqual(changes(same), { cpu: 2500, memory: 0, pods: 0, storage: 0 });
      assert.equal(same.find(({ resource }) => resource === "cpu")?.promised, 6480 + 2500);
    });

    it("says by how much a tenant is too big, and ends 1", async () => {
      const file = join(scratch, "huge.yaml");
      writeFileSync(file, huge);
      const { exitCode, stdout, stderr } = await clone.tenantry("capacity", "--what-if", file);
      assert.equal(exitCode, 1);
      assert.match(stdout, /^shared +cpu +2 +64 +1\.5 +1 +106\.72 +\+100\.24 +-44\.22 +OVER *$/m);
      assert.match(stdout, /^shared +storage +2 +- +- +- +55Gi +\+15Gi +- *$/m);
      assert.match(stderr, /^tenantry: more is promised .*\n +shared cpu: 44220m too much$/);
    });

    describe("when no node takes pods", () => {
      before(async () => {
        await kubectl("cordon", ...nodes.map(({ metadata }) => metadata.name));
      });
      after(async () => {
        await kubectl("uncordon", ...nodes.map(({ metadata }) => metadata.name));
      });

      it("has nothing to promise, and npm run up keeps the promises that there are", async () => {
        const [cpu] = await capacity(1);
        assert.deepEqual([cpu?.nodes, cpu?.allocatable, cpu?.left], [0, 0, -6480]);
        assert.deepEqual(await up(), ["same"]);
      });
    });
  });

  describe("a change that npm run up refuses", () => {
    /** Names and versions of what the stack and the host hold; the state itself has secrets. */
    async function state(): Promise<unknown> {
      const Resources = z.array(z.looseObject({ urn: z.string() })).min(1);
      const stack = await clone.shell("pulumi stack export");
      assert.equal(stack.exitCode, 0, stack.stderr);
      const { deployment } = z
        .object({ deployment: z.object({ resources: Resources }) })
        .parse(JSON.parse(stack.stdout));
      const objects = "namespaces,resourcequotas,limitranges,appprojects.argoproj.io";
      const HostObjects = z.object({ items: z.array(HostObject).min(1) });
      const { items } = await get(HostObjects, objects, "--all-namespaces");
      return {
        resources: deployment.resources.map(({ urn, ...resource }) => [
          urn,
          createHash("sha256")
            .update(JSON.stringify(resource).replaceAll(/"ciphertext":"[^"]*"/g, ""))
            .digest("hex"),
        ]),
        objects: items.map(({ metadata }) => metadata),
      };
    }
    async function refusedUp(files: ReadonlyMap<string, string | undefined>): Promise<string> {
      const { exitCode, stderr } = await withFiles(clone, files, () =>
        clone.run("npm", ["run", "--silent", "up"]),
      );
      assert.equal(exitCode, 1, stderr);
      return stderr;
    }
    let settled: unknown;
    before(async () => {
      settled = await state();
    });
    afterEach(async () => {
      assert.deepEqual(await state(), settled, "it touches nothing");
    });

    it("is a tenant that is too big for the host", async () => {
      const stderr = await refusedUp(new Map([["tenants/huge.yaml", huge]]));
      assert.match(
        stderr,
        /^ +tenants\/huge\.yaml:6:10 quota\.cpu: node pool shared would promise 106720m cpu, 42720m too much: 6480m as before, 100240m more for huge\. It can promise 64: \(64 allocatable on 2 usable nodes - 0 taken by others\) x overcommit 1\./m,
      );
    });

    it("is a rename, another store, a chart value that is unknown, guarded or licensed", async () => {
      const stderr = await refusedUp(
        new Map([
          ["tenants/acme.yaml", undefined],
          ["tenants/payments.yaml", acme.replace("name: acme", "name: payments")],
          [
            "tenants/globex.yaml",
            tenantFile(
              "globex",
              "Globex",
              "vcluster:",
              "  values:",
              "    telemetri: { enabled: true }",
              "    rbac: { role: { extraRules: [{}] } }",
              "    controlPlane: { backingStore: { etcd: { embedded: { enabled: true } } } }",
            ).replace("tier: small", "tier: critical"),
          ],
        ]),
      );
      for (const message of [
        /tenants\/payments\.yaml:1:1 name: looks like acme under another name/,
        /tenants\/globex\.yaml:4:1 tier: globex keeps its objects in sqlite/,
        /tenants\/globex\.yaml:8:5 vcluster\.values\.telemetri: the chart knows no such value/,
        /tenants\/globex\.yaml:9:21 vcluster\.values\.rbac\.role\.extraRules: not a tenant's to set/,
        /tenants\/globex\.yaml:10:45 vcluster\.values\.controlPlane\.backingStore\.etcd\.embedded: needs a vCluster Platform with a licence/,
      ]) {
        assert.match(stderr, message);
      }
    });
  });

  describe("a change that npm run up makes", () => {
    const ingress = ["ingresses", "--namespace", "vc-acme", "-o", "name"];
    const root: Manifest = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "root", namespace: "vc-globex" },
      spec: {
        priorityClassName: "tenantry-small",
        containers: [{ name: "root", image: "root" }],
      },
    };
    const seen = async () => ({
      acme: await get(HostObject, "pod", "acme-0", "-n", "vc-acme"),
      globex: await get(HostObject, "pod", "globex-0", "-n", "vc-globex"),
      quota: await get(Quota, "resourcequota", "tenant", "-n", "vc-globex"),
      statefulSet: await get(HostObject, "statefulset", "globex", "-n", "vc-globex"),
    });
    let earlier: Awaited<ReturnType<typeof seen>>;
    let kubeconfig: string;

    before(async () => {
      kubeconfig = join(scratch, "acme.kubeconfig");
      writeFileSync(kubeconfig, (await clone.tenantry("kubeconfig", "acme")).stdout, {
        mode: 0o600,
      });
      await clone.succeed(join(bin, "kubectl"), [
        ...["--kubeconfig", kubeconfig, "create", "ingress", "web"],
        "--rule=web.acme.tenantry.localhost/=web:80",
      ]);
      earlier = await seen();
      assert.equal(earlier.quota.spec.hard["requests.cpu"], "2240m");
      const { accepted, reason } = await host.dryRun(root);
      assert.ok(!accepted && reason.includes('violates PodSecurity "restricted'), reason);

      clone.write(
        "tenants/acme.yaml",
        `${acme}vcluster: { values: { sync: { toHost: { ingresses: { enabled: true } } } } }\n`,
      );
      clone.write(
        "tenants/globex.yaml",
        tenantFile(
          "globex",
          "Globex",
          'displayName: "Globex: Lager & Söhne, 100 %"',
          "isolation: baseline",
          "quota: { cpu: 2500m, memory: 5Gi, storage: 1e9, pods: 21, loadBalancers: 1, objects: { services: 31 } }",
          "containers: { requests: { cpu: 10m, memory: 64Mi }, limits: { cpu: 0.3, memory: 500M } }",
          'labels: { example.com/area: logistics, empty: "" }',
        ),
      );
      assert.equal(await kubectl("get", ...ingress), "");
      assert.deepEqual(await up(), ["same", "update"]);
    });

    it("gives a virtual cluster the chart's values that its file adds", async () => {
      const Application = z.object({
        spec: z.object({
          source: z.object({
            helm: z.object({
              valuesObject: z.object({
                sync: z.object({ toHost: z.object({ ingresses: z.unknown() }) }),
              }),
            }),
          }),
        }),
      });
      const { spec } = await get(Application, "application", "vc-acme", "-n", "argocd");
      assert.deepEqual(spec.source.helm.valuesObject.sync.toHost.ingresses, { enabled: true });
      await eventually("the Ingress on the host", 90, async () =>
        (await kubectl("get", ...ingress)).includes("web-x-default-x-acme"),
      );
      assert.notEqual((await seen()).acme.metadata.uid, earlier.acme.metadata.uid);
    });

    it("raises a quota in place, and the virtual cluster runs on", async () => {
      const now = await seen();
      assert.equal(now.quota.metadata.uid, earlier.quota.metadata.uid);
      const { hard } = now.quota.spec;
      assert.equal(parseMillicores(hard["requests.cpu"] ?? ""), 2500 + smallControlPlane.cpu);
      assert.equal(
        parseBytes(hard["requests.memory"] ?? ""),
        5 * 2 ** 30 + smallControlPlane.memory,
      );
      assert.equal(parseBytes(hard["requests.storage"] ?? ""), 1e9 + smallControlPlane.storage);
      assert.equal(hard["pods"], `${21 + smallControlPlane.pods}`);
      assert.equal(hard["services"], `${31 + 3}`);
      assert.equal(hard["services.loadbalancers"], "1");
      assert.equal(now.globex.metadata.uid, earlier.globex.metadata.uid);
      assert.equal(now.statefulSet.metadata.generation, earlier.statefulSet.metadata.generation);
    });

    it("shows display name and labels on the host", async () => {
      const { metadata } = await get(HostObject, "namespace", "vc-globex");
      const { "example.com/area": area, empty } = metadata.labels;
      assert.deepEqual([area, empty], ["logistics", ""]);
      assert.equal(
        metadata.annotations["tenantry.dev/display-name"],
        "Globex: Lager & Söhne, 100 %",
      );
      assert.equal(metadata.labels["pod-security.kubernetes.io/enforce"], "baseline");
      const project = await kubectl(
        ...["get", "appproject", "globex", "-n", "argocd", "-o", "jsonpath={.spec.description}"],
      );
      assert.match(project, /Globex: Lager & Söhne, 100 %/);
    });

    it("admits pods by the isolation level, with the sizes of the file", async () => {
      const { accepted, reason, body, warnings } = await host.dryRun(root);
      assert.ok(accepted, reason);
      assert.match(warnings.join("\n"), /would violate PodSecurity \\"restricted/);
      const [{ resources }] = Pod.parse(body).spec.containers;
      assert.deepEqual([resources.requests?.["cpu"], resources.limits?.["cpu"]], ["10m", "300m"]);
      assert.equal(parseBytes(resources.requests?.["memory"] ?? ""), 64 * 2 ** 20);
      assert.equal(parseBytes(resources.limits?.["memory"] ?? ""), 500e6);
      const privileged = await host.dryRun({
        ...root,
        spec: { ...z.looseObject({}).parse(root["spec"]), hostNetwork: true },
      });
      assert.match(privileged.reason, /violates PodSecurity "baseline/);
    });
  });
});
