import type { PlatformSettings } from "../platform/settings.ts";
import { controlPlaneOf, ISOLATION_LEVELS, type ControlPlanePods } from "../tenants/presets.ts";
import { formatBytes, formatMillicores } from "../tenants/quantity.ts";
import type { Tenant } from "../tenants/schema.ts";
import {
  DOMAIN_ANNOTATION,
  EGRESS_ANNOTATION,
  IMAGE_REGISTRIES_ANNOTATION,
  NODE_POOL_LABEL,
  TENANT_LABEL,
  TIER_LABEL,
} from "./admission-policies.ts";
import {
  CASCADE_FINALIZER,
  IN_CLUSTER,
  SYNC_POLICY,
  type Application,
  type AppProject,
} from "./argocd-manifests.ts";
import { awaitAnnotations } from "./await-annotations.ts";
import { slug } from "./slug.ts";
import { tenantNames } from "./tenant-names.ts";
import { PLATFORM_NETWORK_POLICIES, planNetworkPolicies } from "./tenant-network-policies.ts";
import { argocdSecretName, vclusterValues } from "./vcluster-values.ts";

/** Seconds in which a virtual cluster must be up: image pulls of a cold node included. */
const START_TIMEOUT = 900;

/**
 * Objects that the platform itself keeps in a tenant's namespace, by what makes them. The tenant's
 * quota is on top. What a tenant's own pods use is the tenant's: each of its namespaces with pods
 * has a kube-root-ca.crt, for example.
 */
const PLATFORM_OBJECTS = {
  /** The chart's, and kube-dns from inside. */
  services: {
    sqlite: 2 + 1, // <name> and <name>-headless
    etcd: 3 + 1, // <name>, <name>-etcd and <name>-etcd-headless
  },
  configMaps:
    1 + // kube-root-ca.crt, by the host's controller manager
    2 + // coredns and kube-root-ca.crt of kube-system, from inside
    3, // for a snapshot request, and for what a service mesh puts into every namespace
  secrets:
    1 + // the chart: vc-config-<name>
    3 + // vCluster: <name>-certs, vc-<name> and vc-<name>-argocd
    4, // for a snapshot request, and for pull secrets that are put into every namespace
} as const;

/** The guard-railed namespace of a tenant and the virtual cluster in it, object by object. */
export function planTenantVCluster(tenant: Tenant, platform: PlatformSettings) {
  const { namespace, hostname } = tenantNames(tenant, platform);
  const labels = { [TENANT_LABEL]: tenant.name };
  const metadata = (name: string) => ({ name, namespace, labels });
  return {
    namespace: {
      metadata: {
        name: namespace,
        labels: {
          ...tenant.labels,
          ...labels,
          "tenantry.dev/owner": slug(tenant.owner.team),
          "tenantry.dev/cost-centre": tenant.costCentre,
          [TIER_LABEL]: tenant.tier,
          [NODE_POOL_LABEL]: tenant.nodePool,
          // The tenant's pods run in this namespace too. The control plane's meet the strictest
          // standard anyway, so that a milder one is for the tenant's, and they are audited.
          "pod-security.kubernetes.io/enforce": ISOLATION_LEVELS[tenant.isolation].podSecurity,
          "pod-security.kubernetes.io/audit": "restricted",
          "pod-security.kubernetes.io/warn": "restricted",
        },
        annotations: {
          "tenantry.dev/display-name": tenant.displayName,
          "tenantry.dev/owner-team": tenant.owner.team,
          "tenantry.dev/owner-email": tenant.owner.email,
          [DOMAIN_ANNOTATION]: hostname,
          [IMAGE_REGISTRIES_ANNOTATION]: tenant.imageRegistries.join(","),
          [EGRESS_ANNOTATION]: tenant.egress
            .flatMap(({ to, ports }) => ports.map((port) => `${to} ${port}`))
            .join(","),
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
            default: amounts(tenant.containers.limits),
            defaultRequest: amounts(tenant.containers.requests),
          },
        ],
      },
    },
    networkPolicies: planNetworkPolicies(tenant, platform),
    serviceAccount: {
      // Kubernetes makes it in every namespace; nothing here runs as it.
      metadata: metadata("default"),
      automountServiceAccountToken: false,
    },
    project: project(tenant, platform),
    secrets: {
      kubeconfig: awaitedSecret(tenant, namespace, namespace),
      argocd: awaitedSecret(tenant, argocdSecretName(tenant), namespace),
    },
    application: application(tenant, platform),
  };
}

/** The tenant's quota, and on top what its control plane takes. */
function hardLimits(tenant: Tenant) {
  const { quota } = tenant;
  const { store, vcluster, etcd, coredns } = controlPlaneOf(tenant);
  const parts = [vcluster, ...(etcd === undefined ? [] : [etcd]), coredns];
  const sum = (own: number, each: (part: ControlPlanePods) => number) =>
    parts.reduce((total, part) => total + part.pods * each(part), own);
  const { services, configMaps, secrets } = PLATFORM_OBJECTS;
  return {
    "requests.cpu": formatMillicores(sum(quota.cpu, ({ requests }) => requests.cpu)),
    "limits.cpu": formatMillicores(sum(quota.cpu, ({ limits }) => limits.cpu)),
    "requests.memory": formatBytes(sum(quota.memory, ({ requests }) => requests.memory)),
    "limits.memory": formatBytes(sum(quota.memory, ({ limits }) => limits.memory)),
    "requests.storage": formatBytes(sum(quota.storage, ({ storage }) => storage)),
    pods: `${sum(quota.pods, () => 1)}`,
    persistentvolumeclaims: `${sum(quota.persistentVolumeClaims, ({ storage }) => (storage > 0 ? 1 : 0))}`,
    services: `${quota.objects.services + services[store]}`,
    configmaps: `${quota.objects.configMaps + configMaps}`,
    secrets: `${quota.objects.secrets + secrets}`,
    // A port on every host node, past the gateway.
    "services.nodeports": "0",
    "services.loadbalancers": `${quota.loadBalancers}`,
    // No tenant file speaks of these: as many as there are Services are plenty.
    "count/networkpolicies.networking.k8s.io": `${quota.objects.services + PLATFORM_NETWORK_POLICIES}`,
    "count/ingresses.networking.k8s.io": `${quota.objects.services}`,
    "count/poddisruptionbudgets.policy": `${quota.objects.services + (vcluster.replicas > 1 ? 1 : 0)}`,
  };
}

function amounts({ cpu, memory }: Tenant["containers"]["limits"]) {
  return { cpu: formatMillicores(cpu), memory: formatBytes(memory) };
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

/** The fence of the virtual cluster's own Application: the chart, its kinds, and this namespace. */
function project(tenant: Tenant, platform: PlatformSettings): AppProject {
  const { namespace } = tenantNames(tenant, platform);
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AppProject",
    metadata: {
      name: namespace,
      namespace: platform.argocd.namespace,
      labels: { [TENANT_LABEL]: tenant.name },
    },
    spec: {
      description: `Virtual cluster of ${tenant.displayName}`,
      sourceRepos: [platform.charts.vcluster.repository],
      destinations: [{ server: IN_CLUSTER, namespace }],
      clusterResourceWhitelist: [],
      // What chart 0.36 makes of the values that this program writes.
      namespaceResourceWhitelist: [
        { group: "", kind: "ConfigMap" },
        { group: "", kind: "Secret" },
        { group: "", kind: "Service" },
        { group: "", kind: "ServiceAccount" },
        { group: "apps", kind: "Deployment" },
        { group: "apps", kind: "StatefulSet" },
        { group: "gateway.networking.k8s.io", kind: "TLSRoute" },
        { group: "policy", kind: "PodDisruptionBudget" },
        { group: "rbac.authorization.k8s.io", kind: "Role" },
        { group: "rbac.authorization.k8s.io", kind: "RoleBinding" },
      ],
    },
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
      labels: { [TENANT_LABEL]: tenant.name },
      annotations: awaitAnnotations(["jsonpath={.status.health.status}=Healthy"], START_TIMEOUT),
      finalizers: [CASCADE_FINALIZER],
    },
    spec: {
      project: namespace,
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
