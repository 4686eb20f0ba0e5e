import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { parse } from "yaml";
import { z } from "zod";

import { vclusterRole } from "../../components/vcluster-role.ts";
import { platformValues, vclusterValues } from "../../components/vcluster-values.ts";
import { KUBERNETES_IMAGE_TAGS, KUBERNETES_VERSIONS, TIER_NAMES } from "../../tenants/schema.ts";
import {
  chartFolder,
  chartSchema,
  platform,
  pooledPlatform,
  tenant,
  tenantFiles,
  tenantOf,
} from "./fixtures.ts";

const critical = { ...tenant, tier: "critical" } as const;
const pooled = { ...critical, nodePool: "dedicated" };

describe("the values of the vCluster chart", function () {
  this.timeout(120_000); // the first time, the chart is downloaded
  let chart: string;
  before(() => {
    chart = chartFolder();
  });

  it("are valid by the chart's own schema, for every tenant", () => {
    // The schema says nothing about formats, and repeats types that Ajv's strict mode infers.
    const validate = new Ajv2020({ strict: false }).compile(chartSchema());
    fc.assert(
      fc.property(tenantFiles, (file) => {
        validate(vclusterValues(tenantOf(file), pooledPlatform));
        deepEqual(validate.errors, null);
      }),
    );
    ok(!validate({ ...vclusterValues(tenant, platform), exportKubeconfig: {} }), "knows its keys");
  });

  it("offer only Kubernetes versions that this vCluster supports", () => {
    const source = readFileSync(join(chart, "..", "config", "default_extra_values.go"), "utf8");
    for (const version of KUBERNETES_VERSIONS) {
      ok(source.includes(`"${version}": "ghcr.io/loft-sh/kubernetes:v${version}.`), version);
      ok(KUBERNETES_IMAGE_TAGS[version].startsWith(`v${version}.`));
    }
  });

  it("repeat no default of the chart", () => {
    const defaults: unknown = parse(readFileSync(join(chart, "values.yaml"), "utf8"));
    const said = TIER_NAMES.flatMap((tier) =>
      repeated(
        vclusterValues({ ...tenant, tier, nodePool: "dedicated" }, pooledPlatform),
        defaults,
      ),
    );
    deepEqual(
      [...new Set(said)],
      [
        // Said because the namespace's quota counts them.
        "controlPlane.coredns.deployment.resources.requests.cpu",
        "controlPlane.coredns.deployment.resources.requests.memory",
        "controlPlane.coredns.deployment.resources.limits.memory",
        "controlPlane.statefulSet.resources.requests.cpu",
        "controlPlane.statefulSet.security.containerSecurityContext.allowPrivilegeEscalation",
        "controlPlane.statefulSet.persistence.volumeClaim.size",
        // The size of one tier is the default, in another it is the memory limit.
        "controlPlane.statefulSet.resources.limits.memory",
        "controlPlane.backingStore.etcd.deploy.statefulSet.persistence.volumeClaim.enabled",
      ],
    );
  });

  it("give clients and certificates the same names", () => {
    const { controlPlane, exportKubeConfig } = platformValues(tenant, platform);
    deepEqual(controlPlane.proxy.extraSANs, [
      "acme.k8s.example.com",
      "10.1.2.3",
      "acme.vc-acme.svc",
    ]);
    equal(controlPlane.tlsRoute.host, "acme.k8s.example.com");
    equal(exportKubeConfig.server, "https://10.1.2.3:8443");
    equal(exportKubeConfig.additionalSecrets[0]?.server, "https://acme.vc-acme:443");
  });

  it("answer to the host name that the tenant chose", () => {
    const domain = "api.acme.example.com";
    const { controlPlane } = platformValues({ ...tenant, exposure: { domain } }, platform);
    equal(controlPlane.tlsRoute.host, domain);
    equal(controlPlane.proxy.extraSANs[0], domain);
  });

  it("keep a critical tenant's objects in three etcd members, behind three replicas", () => {
    const { controlPlane } = platformValues(critical, platform);
    const etcd = controlPlane.backingStore?.etcd.deploy;
    equal(etcd?.enabled, true);
    equal(etcd.statefulSet.highAvailability.replicas, 3);
    equal(controlPlane.statefulSet.highAvailability?.replicas, 3);
    equal(controlPlane.coredns.deployment.replicas, 2);
  });

  it("keep the others' in the control plane's one volume", () => {
    for (const tier of ["small", "standard"] as const) {
      const { controlPlane } = platformValues({ ...tenant, tier }, platform);
      equal(controlPlane.backingStore, undefined);
      equal(controlPlane.statefulSet.highAvailability, undefined);
      equal(controlPlane.statefulSet.persistence?.volumeClaim.retentionPolicy, "Delete");
    }
  });

  it("bind the control plane and all pods inside to the node pool", () => {
    const { controlPlane, sync } = platformValues(pooled, pooledPlatform);
    const nodeSelector = { "example.com/pool": "dedicated" };
    for (const pods of [
      controlPlane.statefulSet,
      controlPlane.backingStore?.etcd.deploy.statefulSet,
    ]) {
      deepEqual(pods?.scheduling.nodeSelector, nodeSelector);
      deepEqual(pods.scheduling.tolerations, [
        {
          key: "example.com/pool",
          operator: "Equal",
          value: "dedicated",
          effect: "NoSchedule",
        },
        { key: "example.com/spot", operator: "Exists", effect: "NoExecute" },
      ]);
    }
    deepEqual(sync.fromHost, { nodes: { selector: { labels: nodeSelector } } });
    deepEqual(sync.toHost.pods.enforceTolerations, [
      "example.com/pool=dedicated:NoSchedule",
      "example.com/spot:NoExecute",
    ]);
  });

  it("add what the tenant's file says: mappings merge, the rest replaces", () => {
    const values = {
      sync: { toHost: { ingresses: { enabled: true } } },
      controlPlane: { proxy: { extraSANs: ["x"] } },
    };
    const merged = z
      .object({
        sync: z.object({ toHost: z.unknown() }),
        controlPlane: z.looseObject({ proxy: z.unknown() }),
      })
      .parse(vclusterValues({ ...tenant, vcluster: { values } }, platform));
    deepEqual(merged.sync.toHost, {
      networkPolicies: { enabled: true },
      pods: { priorityClassName: "tenantry-small" },
      ingresses: { enabled: true },
    });
    deepEqual(merged.controlPlane.proxy, { extraSANs: ["x"] });
    ok("tlsRoute" in merged.controlPlane);
  });
});

describe("vclusterRole", () => {
  const rules = (values: object, replicas = 1) =>
    vclusterRole("acme", z.looseObject({}).parse(values), replicas).flatMap(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
        ),
    );

  it("has no wildcard, and no word of RBAC, nodes or namespaces", () => {
    for (const rule of rules({}, 3)) {
      match(rule, /^[a-z]+ [a-z/]+\.[a-z.0-9]*$/);
      ok(
        !/ (roles|rolebindings|serviceaccounts|nodes|namespaces|resourcequotas)\b/.test(rule),
        rule,
      );
    }
  });

  it("grows by what the tenant's file syncs, and by replicas that need a leader", () => {
    const extra = (values: object, replicas?: number) =>
      rules(values, replicas).filter((rule) => !rules({}).includes(rule));
    deepEqual(extra({ sync: { toHost: { ingresses: { enabled: false } } } }), []);
    ok(
      extra({ sync: { toHost: { ingresses: { enabled: true } } } }).includes(
        "create ingresses.networking.k8s.io",
      ),
    );
    ok(
      extra({ sync: { toHost: { podDisruptionBudgets: { enabled: true } } } }).includes(
        "create poddisruptionbudgets.policy",
      ),
    );
    ok(extra({}, 3).includes("create leases.coordination.k8s.io"));
  });
});

/** Paths of the values that say what the defaults say. */
function repeated(value: unknown, byDefault: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value) === JSON.stringify(byDefault) ? [path] : [];
  }
  const defaults = z.record(z.string(), z.unknown()).catch({}).parse(byDefault);
  return Object.entries(value).flatMap(([key, child]) =>
    repeated(child, defaults[key], path === "" ? key : `${path}.${key}`),
  );
}
