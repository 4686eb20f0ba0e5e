import { deepEqual, equal, ok } from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import fc from "fast-check";
import { z } from "zod";

import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import { chartValuesSchema } from "../../components/vcluster-chart.ts";
import { vclusterValues } from "../../components/vcluster-values.ts";
import type { PlatformSettings } from "../../platform/settings.ts";
import { parseBytes, parseMillicores } from "../../tenants/quantity.ts";
import { ISOLATION_LEVEL_NAMES, TIER_NAMES, type Tenant } from "../../tenants/schema.ts";
import {
  chartFolder,
  chartSchema,
  pooledPlatform,
  tenant,
  tenantFiles,
  tenantOf,
} from "../components/fixtures.ts";
import { helmTemplate, type Rendered } from "./helm-template.ts";

const minutes = 60_000;

const Resources = z.object({
  requests: z.object({ cpu: z.string(), memory: z.string() }),
  limits: z.object({ cpu: z.string(), memory: z.string() }),
});
const SecurityContext = z.looseObject({
  privileged: z.boolean().optional(),
  allowPrivilegeEscalation: z.boolean().optional(),
  runAsNonRoot: z.boolean().optional(),
  runAsUser: z.number().optional(),
  procMount: z.string().optional(),
  seLinuxOptions: z.unknown().optional(),
  windowsOptions: z.unknown().optional(),
  appArmorProfile: z.unknown().optional(),
  sysctls: z.unknown().optional(),
  seccompProfile: z.object({ type: z.string() }).optional(),
  capabilities: z
    .object({ add: z.array(z.string()).default([]), drop: z.array(z.string()).default([]) })
    .optional(),
});
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  ports: z.array(z.looseObject({ hostPort: z.number().default(0) })).default([]),
  securityContext: SecurityContext.nullish(),
  resources: z.unknown().optional(),
});
const PodSpec = z.looseObject({
  hostNetwork: z.boolean().optional(),
  hostPID: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  volumes: z.array(z.looseObject({ name: z.string() })).default([]),
  initContainers: z.array(Container).default([]),
  containers: z.array(Container),
  securityContext: SecurityContext.optional(),
  nodeSelector: z.record(z.string(), z.string()).nullish(),
  tolerations: z.array(z.looseObject({ key: z.string() })).nullish(),
});
const Workload = z.object({
  kind: z.enum(["StatefulSet", "Deployment"]),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.object({
    replicas: z.number(),
    strategy: z.object({ rollingUpdate: z.object({ maxSurge: z.number() }) }).optional(),
    volumeClaimTemplates: z
      .array(
        z.object({
          spec: z.object({
            resources: z.object({ requests: z.object({ storage: z.string() }) }),
          }),
        }),
      )
      .default([]),
    template: z.object({ spec: PodSpec }),
  }),
});
type PodSpec = z.infer<typeof PodSpec>;

describe("the vCluster chart with the values of a tenant", function () {
  this.timeout(10 * minutes);
  let helm: string;
  let chart: string;
  let scratch: string;

  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    const { stdout } = await execa("node", ["cli/tenantry.js", "dev", "toolchain", "--json"]);
    helm = join(z.object({ bin: z.string() }).parse(JSON.parse(stdout)).bin, "helm");
    chart = chartFolder();
    scratch = mkdtempSync(join(tmpdir(), "tenantry-test-"));
  });
  after(() => {
    rmSync(scratch, { recursive: true });
  });

  /** What Argo CD would apply. Helm checks the values by the chart's schema, too. */
  const template = (name: string, values: object) => helmTemplate(helm, chart, name, values);
  const render = (of: Tenant, platform: PlatformSettings = pooledPlatform) =>
    template(of.name, vclusterValues(of, platform));
  const workloads = (manifests: readonly Rendered[]) =>
    manifests.flatMap((manifest) => Workload.safeParse(manifest).data ?? []);

  for (const tier of TIER_NAMES) {
    for (const isolation of ISOLATION_LEVEL_NAMES) {
      for (const nodePool of ["shared", "dedicated"]) {
        it(`renders for ${tier}, ${isolation}, on the node pool ${nodePool}`, async () => {
          const of = { ...tenant, tier, isolation, nodePool };
          const manifests = await render(of);
          const pods = workloads(manifests).map(({ spec }) => spec.template.spec);
          equal(pods.length, tier === "critical" ? 2 : 1);
          for (const pod of pods) {
            deepEqual(againstRestricted(pod), []);
            const pool = nodePool === "dedicated" ? ["dedicated"] : [];
            deepEqual(Object.values(pod.nodeSelector ?? {}), pool);
            equal(pod.tolerations?.length ?? 0, 2 * pool.length);
            for (const { image } of pod.containers) ok(!image.includes("vcluster-pro"), image);
          }
          withinNamespace(manifests);
          deepEqual(quotaOf(of), quotaNeeded(of, manifests));
        });
      }
    }
  }

  it("renders for any tenant", async () => {
    await fc.assert(
      fc.asyncProperty(tenantFiles, async (file) => {
        const of = tenantOf(file);
        const manifests = await render(of);
        for (const { spec } of workloads(manifests)) {
          deepEqual(againstRestricted(spec.template.spec), []);
        }
        withinNamespace(manifests);
      }),
      { numRuns: 25 },
    );
  });

  it("would be no match for Pod Security with the chart's own defaults", async () => {
    const pods = workloads(await template("acme", {})).map(({ spec }) => spec.template.spec);
    const faults = pods.flatMap(againstRestricted);
    ok(faults.includes("syncer: runAsUser"));
    ok(faults.includes("syncer: seccompProfile"));
    ok(faults.includes("kubernetes: capabilities"));
  });

  it("has the schema that a repository of Helm's own making serves", async () => {
    await execa(helm, ["package", chart, "--version", "0.36.1", "--destination", scratch]);
    await execa(helm, ["repo", "index", scratch]);
    const server: Server = createServer(({ url = "" }, response) => {
      response.end(readFileSync(join(scratch, url)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = z.object({ port: z.number() }).parse(server.address());
      const source = { repository: `http://127.0.0.1:${port}`, version: "0.36.1" };
      deepEqual(await chartValuesSchema(source, { TENANTRY_CACHE: scratch }), chartSchema());
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  /** What the quota of a tenant's namespace leaves to its control plane. */
  function quotaOf(of: Tenant): Record<string, number | undefined> {
    const { hard } = planTenantVCluster(of, pooledPlatform).resourceQuota.spec;
    return {
      "requests.cpu": (parseMillicores(hard["requests.cpu"]) ?? 0) - of.quota.cpu,
      "limits.cpu": (parseMillicores(hard["limits.cpu"]) ?? 0) - of.quota.cpu,
      "requests.memory": (parseBytes(hard["requests.memory"]) ?? 0) - of.quota.memory,
      "limits.memory": (parseBytes(hard["limits.memory"]) ?? 0) - of.quota.memory,
      "requests.storage": (parseBytes(hard["requests.storage"]) ?? 0) - of.quota.storage,
      pods: Number(hard.pods) - of.quota.pods,
      persistentvolumeclaims: Number(hard.persistentvolumeclaims) - of.quota.persistentVolumeClaims,
      services: Number(hard.services) - of.quota.objects.services,
    };
  }

  /** What the rendered control plane needs of it at most, with CoreDNS, which vCluster deploys. */
  function quotaNeeded(of: Tenant, manifests: readonly Rendered[]): Record<string, number> {
    const { controlPlane } = z
      .object({
        controlPlane: z.object({
          coredns: z.object({
            deployment: z.object({ replicas: z.number().default(1), resources: Resources }),
          }),
        }),
      })
      .parse(vclusterValues(of, pooledPlatform));
    const { replicas, resources } = controlPlane.coredns.deployment;
    const parts = [
      // Its Deployment allows one more while it is rolled out: a quarter of them, rounded up.
      { pods: replicas + 1, resources, claims: [] },
      ...workloads(manifests).map(({ spec }) => ({
        pods: spec.replicas + (spec.strategy?.rollingUpdate.maxSurge ?? 0),
        resources: Resources.parse(spec.template.spec.containers[0]?.resources),
        claims: spec.volumeClaimTemplates.map((claim) => claim.spec.resources.requests.storage),
      })),
    ];
    for (const { spec } of workloads(manifests)) equal(spec.template.spec.containers.length, 1);
    const sum = (each: (part: (typeof parts)[number]) => number) =>
      parts.reduce((total, part) => total + part.pods * each(part), 0);
    return {
      "requests.cpu": sum((part) => parseMillicores(part.resources.requests.cpu) ?? NaN),
      "limits.cpu": sum((part) => parseMillicores(part.resources.limits.cpu) ?? NaN),
      "requests.memory": sum((part) => parseBytes(part.resources.requests.memory) ?? NaN),
      "limits.memory": sum((part) => parseBytes(part.resources.limits.memory) ?? NaN),
      "requests.storage": sum(({ claims }) =>
        claims.reduce((total, size) => total + (parseBytes(size) ?? NaN), 0),
      ),
      pods: sum(() => 1),
      persistentvolumeclaims: sum(({ claims }) => claims.length),
      // And kube-dns, which comes from inside.
      services: manifests.filter(({ kind }) => kind === "Service").length + 1,
    };
  }
});

/** Nothing outside of the tenant's namespace: the platform's AppProject would not let it through. */
function withinNamespace(manifests: readonly Rendered[]): void {
  // What the AppProject of a virtual cluster lets through: every kind of it is of a namespace.
  const { namespaceResourceWhitelist } = planTenantVCluster(tenant, pooledPlatform).project.spec;
  const namespaced = new Set(
    namespaceResourceWhitelist.map(({ group, kind }) => (group === "" ? kind : `${kind}.${group}`)),
  );
  const namespace = manifests.find(({ kind }) => kind === "Secret")?.metadata.namespace;
  for (const { apiVersion, kind, metadata, spec } of manifests) {
    const group = apiVersion.split("/").at(-2);
    ok(namespaced.has(group === undefined ? kind : `${kind}.${group}`), kind);
    ok(metadata.namespace === undefined || metadata.namespace === namespace, metadata.name);
    if (kind === "Service") {
      const { type, clusterIP } = z
        .object({ type: z.string().optional(), clusterIP: z.string().optional() })
        .parse(spec);
      ok(type === "ClusterIP" || clusterIP === "None", metadata.name);
    }
  }
}

/**
 * The controls of the Pod Security Standard `restricted`, baseline's included, that a pod breaks
 * (kubernetes.io/docs/concepts/security/pod-security-standards, without those of Windows).
 */
function againstRestricted(pod: PodSpec): string[] {
  const volumes = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
  ];
  const faults = [
    ...(["hostNetwork", "hostPID", "hostIPC"] as const).filter((key) => pod[key] === true),
    ...pod.volumes.flatMap(({ name, ...source }) =>
      Object.keys(source)
        .filter((type) => !volumes.includes(type))
        .map((type) => `volume ${name}: ${type}`),
    ),
    ...(["sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"] as const).filter(
      (key) => pod.securityContext?.[key] !== undefined,
    ),
  ];
  for (const { name, ports, securityContext } of [...pod.initContainers, ...pod.containers]) {
    const own = securityContext ?? {};
    const context = { ...pod.securityContext, ...own };
    const broken = {
      hostPort: ports.some(({ hostPort }) => hostPort !== 0),
      privileged: own.privileged === true,
      procMount: own.procMount !== undefined && own.procMount !== "Default",
      seLinuxOptions: own.seLinuxOptions !== undefined,
      appArmorProfile: own.appArmorProfile !== undefined,
      allowPrivilegeEscalation: own.allowPrivilegeEscalation !== false,
      runAsNonRoot: context.runAsNonRoot !== true,
      runAsUser: context.runAsUser === 0,
      seccompProfile: !["RuntimeDefault", "Localhost"].includes(context.seccompProfile?.type ?? ""),
      capabilities:
        !(own.capabilities?.drop.includes("ALL") ?? false) ||
        own.capabilities?.add.some((capability) => capability !== "NET_BIND_SERVICE"),
    };
    for (const [control, is] of Object.entries(broken)) {
      if (is === true) faults.push(`${name}: ${control}`);
    }
  }
  return faults;
}
