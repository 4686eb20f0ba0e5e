import type { PlatformSettings } from "../../platform/settings.ts";
import type { Tenant } from "../../tenants/schema.ts";

const Gi = 2 ** 30;

export const tenant: Tenant = {
  name: "acme",
  owner: { team: "Acme Payments", email: "payments@example.com" },
  costCentre: "CC-1001",
  kubernetes: "1.36",
  quota: { cpu: 4000, memory: 8 * Gi, storage: 20 * Gi, pods: 40 },
};

export const platform: PlatformSettings = {
  host: { clusterIdentifier: "host" },
  argocd: { namespace: "argocd", url: "https://argocd.example.com" },
  charts: { vcluster: { repository: "https://charts.loft.sh", version: "0.36.1" } },
  virtualClusters: {
    domain: "k8s.example.com",
    port: 8443,
    address: "10.1.2.3",
    gateway: { name: "tenants", namespace: "gateway-system" },
  },
  git: { url: "https://github.com", owner: "example" },
};
