import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { z } from "zod";

import type { PlatformSettings } from "../../platform/settings.ts";
import { completeSettings, type Mapping } from "../../tenants/effective-settings.ts";
import {
  ISOLATION_LEVEL_NAMES,
  KUBERNETES_VERSIONS,
  tenantSchema,
  TIER_NAMES,
  type Tenant,
} from "../../tenants/schema.ts";

const Gi = 2 ** 30;

export const tenant: Tenant = {
  name: "acme",
  owner: { team: "Acme Payments", email: "payments@example.com" },
  costCentre: "CC-1001",
  kubernetes: "1.36",
  displayName: "Acme Payments",
  tier: "small",
  isolation: "restricted",
  quota: {
    cpu: 4000,
    memory: 8 * Gi,
    storage: 20 * Gi,
    pods: 40,
    persistentVolumeClaims: 10,
    loadBalancers: 0,
    objects: { services: 50, configMaps: 200, secrets: 200 },
  },
  containers: {
    requests: { cpu: 50, memory: Gi / 8 },
    limits: { cpu: 500, memory: Gi / 2 },
  },
  nodePool: "shared",
  exposure: {},
  argocd: { mode: "shared", roles: { admin: [], developer: [], viewer: [] }, kinds: [] },
  repository: { visibility: "private", reviewers: [], protectedBranches: [] },
  services: [],
  stages: { maximum: 0, longestTimeToLive: 86_400 },
  labels: {},
  imageRegistries: [],
  egress: [],
  vcluster: { values: {} },
};

export const platform: PlatformSettings = {
  host: {
    clusterIdentifier: "host",
    apiServer: { addresses: ["10.9.8.7/32"], port: 6443 },
  },
  argocd: { namespace: "argocd", url: "https://argocd.example.com" },
  charts: { vcluster: { repository: "https://charts.loft.sh", version: "0.36.1" } },
  virtualClusters: {
    domain: "k8s.example.com",
    port: 8443,
    address: "10.1.2.3",
    gateway: { name: "tenants", namespace: "gateway-system" },
  },
  git: { url: "https://github.com", owner: "example" },
  offers: { tiers: [...TIER_NAMES], kubernetes: [...KUBERNETES_VERSIONS] },
  nodePools: { shared: { labels: {}, taints: [] } },
  imageRegistries: ["docker.io/library"],
  overcommit: { cpu: 1, memory: 1, pods: 1 },
  services: [],
  groups: [],
};

/** The vCluster chart itself, out of the module that the toolchain pins: the judge of its values. */
export function chartFolder(): string {
  const go = ["mod", "download", "-json", "github.com/loft-sh/vcluster"];
  const module = execFileSync("go", go, {
    cwd: "dev/toolchain/modules/vcluster",
    encoding: "utf8",
  });
  return join(z.object({ Dir: z.string() }).parse(JSON.parse(module)).Dir, "chart");
}

/** The chart's own values.schema.json. */
export function chartSchema(): Record<string, unknown> {
  return z
    .looseObject({})
    .parse(JSON.parse(readFileSync(join(chartFolder(), "values.schema.json"), "utf8")));
}

/** A platform with a node pool of its own kind. */
export const pooledPlatform: PlatformSettings = {
  ...platform,
  nodePools: {
    ...platform.nodePools,
    dedicated: {
      labels: { "example.com/pool": "dedicated" },
      taints: [
        { key: "example.com/pool", value: "dedicated", effect: "NoSchedule" },
        { key: "example.com/spot", effect: "NoExecute" },
      ],
    },
  },
};

/** What files say of tenants, in all that the compiler of the values looks at. All valid. */
export const tenantFiles = fc
  .record({
    file: fc.record(
      {
        name: fc
          .stringMatching(/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/)
          .filter((name) => tenantSchema.shape.name.safeParse(name).success),
        owner: fc.constant({ team: "Team", email: "team@example.com" }),
        costCentre: fc.constant("CC-1"),
        tier: fc.constantFrom(...TIER_NAMES),
        isolation: fc.constantFrom(...ISOLATION_LEVEL_NAMES),
        kubernetes: fc.constantFrom(...KUBERNETES_VERSIONS),
        nodePool: fc.constantFrom("shared", "dedicated"),
        exposure: fc.record(
          { domain: fc.stringMatching(/^[a-z][a-z0-9]{0,20}(\.[a-z]{2,10}){1,3}$/) },
          { requiredKeys: [] },
        ),
        quota: fc.record({
          cpu: fc.integer({ min: 1, max: 1000 }),
          memory: fc.integer({ min: 1, max: 1000 }).map((size) => `${size}Gi`),
          loadBalancers: fc.integer({ min: 0, max: 100 }),
        }),
      },
      { requiredKeys: ["name", "owner", "costCentre", "tier", "kubernetes"] },
    ),
    values: fc.record(
      {
        sync: fc.record({
          toHost: fc.record(
            {
              ingresses: fc.record({ enabled: fc.boolean() }),
              secrets: fc.record({ all: fc.boolean() }, { requiredKeys: [] }),
              pods: fc.record({
                translateImage: fc.dictionary(fc.string(), fc.string()),
                useSecretsForSATokens: fc.boolean(),
              }),
            },
            { requiredKeys: [] },
          ),
        }),
        controlPlane: fc.record({ coredns: fc.record({ overwriteConfig: fc.string() }) }),
        networking: fc.record({ advanced: fc.record({ clusterDomain: fc.domain() }) }),
        experimental: fc.record({
          deploy: fc.record({ vcluster: fc.record({ manifests: fc.string() }) }),
        }),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ file, values }) => ({ ...file, vcluster: { values } }));

/** The tenant that a file means. */
export function tenantOf(file: Mapping): Tenant {
  return tenantSchema.parse(completeSettings(file));
}
