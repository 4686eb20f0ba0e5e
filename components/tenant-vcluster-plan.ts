import type { PlatformSettings } from "../platform/settings.ts";
import { formatBytes, formatMillicores } from "../tenants/quantity.ts";
import type { Tenant } from "../tenants/schema.ts";
import {
  CASCADE_FINALIZER,
  IN_CLUSTER,
  SYNC_POLICY,
  type Application,
} from "./argocd-manifests.ts";
import { awaitAnnotations } from "./await-annotations.ts";
import { PLATFORM_PROJECT } from "./host-cluster-plan.ts";
import { slug } from "./slug.ts";
import { tenantNames } from "./tenant-names.ts";
import { argocdSecretName, CONTROL_PLANE, vclusterValues } from "./vcluster-values.ts";

/** Seconds in which a virtual cluster must be up: image pulls of a cold node included. */
const START_TIMEOUT = 900;

/** The guard-railed namespace of a tenant and the virtual cluster in it, object by object. */
export function planTenantVCluster(tenant: Tenant, platform: PlatformSettings) {
  const { namespace } = tenantNames(tenant, platform);
  const labels = { "tenantry.dev/tenant": tenant.name };
  const metadata = (name: string) => ({ name, namespace, labels });
  return {
    namespace: {
      metadata: {
        name: namespace,
        labels: {
          ...labels,
          "tenantry.dev/owner": slug(tenant.owner.team),
          "tenantry.dev/cost-centre": tenant.costCentre,
          // The tenant's pods run in this namespace too: they are held to the same standard.
          "pod-security.kubernetes.io/enforce": "restricted",
          "pod-security.kubernetes.io/audit": "restricted",
          "pod-security.kubernetes.io/warn": "restricted",
        },
        annotations: {
          "tenantry.dev/owner-team": tenant.owner.team,
          "tenantry.dev/owner-email": tenant.owner.email,
        },
      },
    },
    resourceQuota: { metadata: metadata("tenant"), spec: { hard: hardLimits(tenant) } },
    limitRange: {
      metadata: metadata("tenant"),
      spec: {
        limits: [
          {
            // What a container gets that says nothing: the quota refuses pods without these.
            type: "Container",
            default: { cpu: "500m", memory: "512Mi" },
            defaultRequest: { cpu: "50m", memory: "128Mi" },
          },
        ],
      },
    },
    networkPolicies: {
      // To select every pod for ingress is to deny what no policy allows.
      namespace: {
        metadata: metadata("allow-within-namespace"),
        spec: {
          podSelector: {},
          policyTypes: ["Ingress"],
          ingress: [{ from: [{ podSelector: {} }] }],
        },
      },
      api: {
        metadata: metadata("allow-api-clients"),
        spec: {
          podSelector: { matchLabels: { app: "vcluster", release: tenant.name } },
          policyTypes: ["Ingress"],
          ingress: [
            {
              from: [platform.argocd.namespace, platform.virtualClusters.gateway.namespace].map(
                (from) => ({
                  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": from } },
                }),
              ),
              ports: [{ protocol: "TCP", port: 8443 }],
            },
          ],
        },
      },
    },
    secrets: {
      kubeconfig: awaitedSecret(tenant, namespace, namespace),
      argocd: awaitedSecret(tenant, argocdSecretName(tenant), namespace),
    },
    application: application(tenant, platform),
  };
}

/** The tenant's quota, and on top what its control plane takes. */
function hardLimits({ quota }: Tenant) {
  const { vcluster, coredns } = CONTROL_PLANE;
  const cpu = (kind: "requests" | "limits") =>
    formatMillicores(quota.cpu + vcluster[kind].cpu + coredns.pods * coredns[kind].cpu);
  const memory = (kind: "requests" | "limits") =>
    formatBytes(quota.memory + vcluster[kind].memory + coredns.pods * coredns[kind].memory);
  return {
    "requests.cpu": cpu("requests"),
    "limits.cpu": cpu("limits"),
    "requests.memory": memory("requests"),
    "limits.memory": memory("limits"),
    "requests.storage": formatBytes(quota.storage + vcluster.storage),
    pods: `${quota.pods + vcluster.pods + coredns.pods}`,
    // Neither goes through the gateway: a port on every host node, an address that costs money.
    "services.nodeports": "0",
    "services.loadbalancers": "0",
  };
}

/**
 * A Secret that is made empty and that vCluster fills once its API server answers, which is what
 * Pulumi waits for. The labels and the type are those that vCluster writes: there is nothing to
 * disagree about.
 */
function awaitedSecret(tenant: Tenant, name: string, namespace: string) {
  return {
    metadata: {
      name,
      namespace,
      labels: { app: "vcluster", "vcluster-name": tenant.name },
      annotations: awaitAnnotations(["jsonpath={.data.config}"], START_TIMEOUT),
    },
    type: "Opaque",
  };
}

function application(tenant: Tenant, platform: PlatformSettings): Application {
  const { namespace } = tenantNames(tenant, platform);
  const chart = platform.charts.vcluster;
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: {
      name: namespace,
      namespace: platform.argocd.namespace,
      labels: { "tenantry.dev/tenant": tenant.name },
      annotations: awaitAnnotations(["jsonpath={.status.health.status}=Healthy"], START_TIMEOUT),
      finalizers: [CASCADE_FINALIZER],
    },
    spec: {
      project: PLATFORM_PROJECT,
      source: {
        repoURL: chart.repository,
        chart: "vcluster",
        targetRevision: chart.version,
        helm: { releaseName: tenant.name, valuesObject: vclusterValues(tenant, platform) },
      },
      destination: { server: IN_CLUSTER, namespace },
      syncPolicy: SYNC_POLICY,
    },
  };
}
