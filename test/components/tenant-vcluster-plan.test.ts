import { deepEqual, equal, match, ok } from "node:assert/strict";

import { z } from "zod";

import { PLATFORM_NETWORK_POLICIES } from "../../components/tenant-network-policies.ts";
import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import { platformValues } from "../../components/vcluster-values.ts";
import { platform, tenant } from "./fixtures.ts";

describe("planTenantVCluster", () => {
  const plan = planTenantVCluster(tenant, platform);

  it("adds to the quota what the virtual cluster itself takes", () => {
    deepEqual(plan.resourceQuota.spec.hard, {
      "requests.cpu": "4240m", // 4 + 200m vCluster + 2 × 20m CoreDNS
      "limits.cpu": "6400m", // 4 + 2 + 2 × 200m
      "requests.memory": "8960Mi", // 8192 + 640 + 2 × 64
      "limits.memory": "10580Mi", // 8192 + 2048 + 2 × 170
      "requests.storage": "25Gi", // 20 + 5 for its database
      pods: "43", // 40 + 1 + 2
      persistentvolumeclaims: "11", // 10 + 1
      services: "53", // 50 + 3
      configmaps: "206", // 200 + 6
      secrets: "208", // 200 + 8
      "services.nodeports": "0",
      "services.loadbalancers": "0",
      "count/networkpolicies.networking.k8s.io": "56", // 50 + 6
      "count/ingresses.networking.k8s.io": "50",
      "count/poddisruptionbudgets.policy": "50",
    });
  });

  it("adds a critical tenant's replicas and etcd", () => {
    const { hard } = planTenantVCluster({ ...tenant, tier: "critical" }, platform).resourceQuota
      .spec;
    deepEqual(
      { cpu: hard["requests.cpu"], storage: hard["requests.storage"], pods: hard.pods },
      {
        cpu: "6660m", // 4 + 4 × 500m + 3 × 200m + 3 × 20m
        storage: "50Gi", // 20 + 3 × 10
        pods: "50", // 40 + 4 + 3 + 3
      },
    );
    equal(hard.persistentvolumeclaims, "13"); // 10 + 3
    equal(hard.services, "54"); // 50 + 4
  });

  it("takes load balancers and container defaults from the tenant", () => {
    const { resourceQuota, limitRange } = planTenantVCluster(
      {
        ...tenant,
        quota: { ...tenant.quota, loadBalancers: 2 },
        containers: {
          requests: { cpu: 10, memory: 2 ** 20 },
          limits: { cpu: 2000, memory: 2 ** 30 },
        },
      },
      platform,
    );
    equal(resourceQuota.spec.hard["services.loadbalancers"], "2");
    deepEqual(limitRange.spec.limits, [
      {
        type: "Container",
        default: { cpu: "2", memory: "1Gi" },
        defaultRequest: { cpu: "10m", memory: "1Mi" },
      },
    ]);
  });

  it("holds pods to the tenant's standard, and audits them by the strictest", () => {
    for (const isolation of ["baseline", "restricted"] as const) {
      const { labels } = planTenantVCluster({ ...tenant, isolation }, platform).namespace.metadata;
      equal(labels["pod-security.kubernetes.io/enforce"], isolation);
      equal(labels["pod-security.kubernetes.io/audit"], "restricted");
    }
  });

  it("puts the tenant's labels on the namespace, and none over the platform's", () => {
    const { labels, annotations } = planTenantVCluster(
      {
        ...tenant,
        displayName: "Acme & Söhne",
        labels: { "example.com/area": "payments", "tenantry.dev/tenant": "globex" },
      },
      platform,
    ).namespace.metadata;
    equal(z.looseObject({}).parse(labels)["example.com/area"], "payments");
    equal(labels["tenantry.dev/tenant"], "acme");
    equal(annotations["tenantry.dev/display-name"], "Acme & Söhne");
  });

  it("names owner and cost centre in labels that are legal, whatever the team is called", () => {
    const team = "Zoë & Söhne — R&D (EU)";
    const { metadata } = planTenantVCluster(
      { ...tenant, owner: { ...tenant.owner, team } },
      platform,
    ).namespace;
    for (const value of Object.values(metadata.labels)) {
      match(value, /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
    }
    equal(metadata.labels["tenantry.dev/cost-centre"], "CC-1001");
    equal(metadata.annotations["tenantry.dev/owner-team"], team);
  });

  it("denies by default, and keeps as many policies as its quota leaves room for", () => {
    const policies = Object.entries(plan.networkPolicies);
    deepEqual(plan.networkPolicies["default-deny"].spec, {
      policyTypes: ["Ingress", "Egress"],
      podSelector: {},
    });
    equal(policies.length, PLATFORM_NETWORK_POLICIES);
    for (const [name, { metadata }] of policies) equal(metadata.name, name);
  });

  it("lets pods out to the declared addresses, by TCP", () => {
    const { networkPolicies, namespace } = planTenantVCluster(
      { ...tenant, egress: [{ to: "10.20.0.0/16", ports: [5432, 5433] }] },
      platform,
    );
    deepEqual(networkPolicies.internet.spec.egress.at(-1), {
      ports: [
        { protocol: "TCP", port: 5432 },
        { protocol: "TCP", port: 5433 },
      ],
      to: [{ ipBlock: { cidr: "10.20.0.0/16" } }],
    });
    // The admission policy for a team's own policies reads this.
    equal(
      namespace.metadata.annotations["tenantry.dev/egress"],
      "10.20.0.0/16 5432,10.20.0.0/16 5433",
    );
  });

  it("waits for the Secrets under the names by which vCluster fills them", () => {
    const { exportKubeConfig } = platformValues(tenant, platform);
    equal(plan.secrets.kubeconfig.metadata.name, "vc-acme");
    equal(plan.secrets.argocd.metadata.name, exportKubeConfig.additionalSecrets[0]?.name);
    for (const secret of Object.values(plan.secrets)) {
      equal(secret.metadata.annotations["pulumi.com/waitFor"], "jsonpath={.data.config}");
    }
  });

  it("makes an Application that the platform's AppProject lets through", () => {
    const { spec } = plan.application;
    const { project } = plan;
    equal(spec.project, project.metadata.name);
    ok(project.spec.sourceRepos.includes(spec.source.repoURL));
    deepEqual(project.spec.destinations, [spec.destination]);
  });
});
