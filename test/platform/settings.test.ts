import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { z } from "zod";

import {
  loadPlatform,
  parsePlatformSettings,
  PlatformSettingsError,
} from "../../platform/settings.ts";

const minimal = {
  host: { clusterIdentifier: "one", apiServer: { addresses: ["10.9.8.7/32"] } },
  argocd: { url: "https://argocd.example.com/" },
  virtualClusters: {
    domain: "k8s.example.com",
    gateway: { name: "tenants", namespace: "gateway" },
  },
  git: { owner: "example" },
};

describe("platform settings", () => {
  it("fill in the defaults", () => {
    deepEqual(parsePlatformSettings(minimal).settings, {
      ...minimal,
      host: { clusterIdentifier: "one", apiServer: { addresses: ["10.9.8.7/32"], port: 443 } },
      argocd: { namespace: "argocd", url: "https://argocd.example.com" },
      charts: { vcluster: { repository: "https://charts.loft.sh", version: "0.36.1" } },
      virtualClusters: { ...minimal.virtualClusters, port: 443 },
      git: { owner: "example", url: "https://github.com" },
      offers: { tiers: ["small", "standard", "critical"], kubernetes: ["1.34", "1.35", "1.36"] },
      nodePools: { shared: { labels: {}, taints: [] } },
      imageRegistries: [],
      overcommit: { cpu: 1, memory: 1, pods: 1 },
      services: [],
      groups: [],
    });
  });

  it("report every fault, each with its key", () => {
    deepEqual(
      parsePlatformSettings({
        ...minimal,
        host: { contxt: "prod" },
        argocd: { url: "argocd.example.com", install: { version: "10.x" } },
        virtualClusters: { ...minimal.virtualClusters, port: 70_000, gateway: "tenants" },
        git: undefined,
        charts: { vcluster: { version: "0.37.1" } },
        offers: { tiers: ["smal"], kubernetes: [] },
        nodePools: { GPU: {}, gpu: { taints: [{ key: "gpu", effect: "Never" }] } },
        overcommit: { cpu: 0, storage: 2 },
        services: "cert-manager",
      }).faults.map(({ path, message }) => `tenantry:${path.join(".")}: ${message}`),
      [
        "tenantry:host.clusterIdentifier: missing: expected a lasting name for the host cluster",
        "tenantry:host.apiServer: missing: expected a mapping with addresses, port",
        "tenantry:host.contxt: unknown key, did you mean context?",
        'tenantry:argocd.url: expected an http or https URL such as https://argocd.example.com, got "argocd.example.com"',
        'tenantry:argocd.install.version: expected an exact chart version such as 1.2.3, got "10.x"',
        'tenantry:charts.vcluster.version: expected a version 0.36.*, whose values this program writes, got "0.37.1"',
        "tenantry:virtualClusters.port: expected a port between 1 and 65535, got 70000",
        'tenantry:virtualClusters.gateway: expected a mapping with name, namespace, got "tenants"',
        "tenantry:git: missing: expected a mapping with url, apiUrl, owner",
        'tenantry:offers.tiers.0: expected one of small, standard, critical, got "smal", did you mean small?',
        "tenantry:offers.kubernetes: expected at least one version, got an empty list",
        'tenantry:nodePools.GPU: expected the name of a node pool, a DNS label, got "GPU"',
        'tenantry:nodePools.gpu.taints.0.effect: expected NoSchedule or NoExecute, got "Never"',
        "tenantry:overcommit.cpu: expected a ratio from 0.1 to 100, got 0",
        "tenantry:overcommit.storage: unknown key, expected one of cpu, memory, pods",
        'tenantry:services: expected a list of services, got "cert-manager"',
      ],
    );
  });

  it("report a missing secret together with the rest", () => {
    pulumi.runtime.setAllConfig({ "tenantry:host": "{}" });
    let error: unknown;
    try {
      loadPlatform(new pulumi.Config("tenantry"));
    } catch (thrown) {
      error = thrown;
    }
    ok(error instanceof PlatformSettingsError);
    // Pulumi prints such an error without a stack trace.
    ok(pulumi.RunError.isInstance(error));
    equal(error.faults.length, 6);
    match(error.message, /tenantry:gitArgocdToken: missing: expected a secret/);
  });

  it("are complete in Pulumi.prod.yaml", () => {
    deepEqual(parsePlatformSettings(stackFile("prod")).faults, []);
  });

  it("lack in Pulumi.dev.yaml only what the dev platform fills in", () => {
    deepEqual(
      parsePlatformSettings(stackFile("dev")).faults.map(({ path }) => path.join(".")),
      ["argocd.url"],
    );
  });
});

function stackFile(stack: string): Record<string, unknown> {
  const { config } = z
    .object({ config: z.record(z.string(), z.unknown()) })
    .parse(parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8")));
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("tenantry:", ""), value]),
  );
}
