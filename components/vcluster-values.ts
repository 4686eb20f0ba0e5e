import type { PlatformSettings } from "../platform/settings.ts";
import { isMapping, type Mapping } from "../tenants/effective-settings.ts";
import { controlPlaneOf, type ControlPlanePods } from "../tenants/presets.ts";
import { formatBytes, formatMillicores } from "../tenants/quantity.ts";
import { KUBERNETES_IMAGE_TAGS, type Tenant } from "../tenants/schema.ts";
import { CONTROL_PLANE_PRIORITY, tierPriority } from "./admission-policies.ts";
import { ARGOCD_ROLE, ARGOCD_SERVICE_ACCOUNT, argocdRoles } from "./argocd-kinds.ts";
import { tenantNames } from "./tenant-names.ts";
import { vclusterRole } from "./vcluster-role.ts";

/** Name of the Secret in which vCluster leaves Argo CD's credentials, in its own namespace. */
export function argocdSecretName({ name }: Tenant): string {
  return `vc-${name}-argocd`;
}

// Pod Security `restricted`, which the namespace enforces. The chart's default runs as root.
const USER = 12345;
const restrictedPod = { seccompProfile: { type: "RuntimeDefault" } };
const restrictedContainer = {
  runAsNonRoot: true,
  runAsUser: USER,
  runAsGroup: USER,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};

/** The volume goes with the virtual cluster: kept, it would revive the old one under a new tenant of this name. */
const volumeClaim = ({ storage }: ControlPlanePods) => ({
  enabled: true,
  retentionPolicy: "Delete",
  size: formatBytes(storage),
});

/**
 * Values of the vCluster chart for a tenant: what the platform sets, and on top of it what the
 * tenant's file adds. The rules of vcluster-rules.ts have seen to it that this undoes nothing.
 */
export function vclusterValues(tenant: Tenant, platform: PlatformSettings): Mapping {
  return merge(platformValues(tenant, platform), tenant.vcluster.values);
}

/**
 * What the platform sets of the vCluster chart for a tenant. Only what differs from the chart's
 * defaults, and nothing that needs a licence. `serviceCIDR` is left for vCluster to find out: it
 * must equal the host's, and finding out costs a second at the first start, a wrong value the whole
 * cluster.
 */
export function platformValues(tenant: Tenant, platform: PlatformSettings) {
  const names = tenantNames(tenant, platform);
  const { address, gateway } = platform.virtualClusters;
  const { store, vcluster, etcd, coredns } = controlPlaneOf(tenant);
  const pool = nodePool(tenant, platform);
  return {
    controlPlane: {
      distro: {
        k8s: {
          enabled: true,
          version: KUBERNETES_IMAGE_TAGS[tenant.kubernetes],
          securityContext: restrictedContainer,
        },
      },
      ...(store === "etcd" && etcd !== undefined
        ? { backingStore: { etcd: { deploy: deployedEtcd(etcd, pool.scheduling) } } }
        : {}),
      coredns: {
        // The container's default context is restricted but for the pod's seccomp profile.
        security: { podSecurityContext: restrictedPod },
        deployment: {
          ...(coredns.replicas > 1 ? { replicas: coredns.replicas } : {}),
          resources: resources(coredns),
        },
      },
      proxy: {
        extraSANs: [
          names.hostname,
          ...(address === undefined ? [] : [address]),
          `${tenant.name}.${names.namespace}.svc`,
        ],
      },
      tlsRoute: {
        enabled: true,
        host: names.hostname,
        parentRefs: [{ name: gateway.name, namespace: gateway.namespace }],
      },
      statefulSet: {
        // The chart's default image holds the licensed modules.
        image: { repository: "loft-sh/vcluster-oss" },
        resources: resources(vcluster, { requests: "400Mi", limits: "4Gi" }),
        security: {
          // fsGroup: the volume must be writable to a process that is not root.
          podSecurityContext: { ...restrictedPod, fsGroup: USER },
          containerSecurityContext: restrictedContainer,
        },
        // Without a volume the chart makes a Deployment of it.
        ...(vcluster.storage > 0 ? { persistence: { volumeClaim: volumeClaim(vcluster) } } : {}),
        ...(vcluster.replicas > 1 ? { highAvailability: { replicas: vcluster.replicas } } : {}),
        scheduling: {
          ...pool.scheduling,
          ...(vcluster.replicas > 1
            ? {
                topologySpreadConstraints: [
                  {
                    maxSkew: 1,
                    topologyKey: "kubernetes.io/hostname",
                    whenUnsatisfiable: "ScheduleAnyway",
                    labelSelector: { matchLabels: { app: "vcluster", release: tenant.name } },
                  },
                ],
              }
            : {}),
        },
      },
      ...(vcluster.replicas > 1
        ? { advanced: { podDisruptionBudget: { enabled: true, maxUnavailable: 1 } } }
        : {}),
    },
    sync: {
      toHost: {
        // Off by default, and then the policies that a team writes do nothing.
        networkPolicies: { enabled: true },
        pods: { ...pool.pods, priorityClassName: tierPriority(tenant.tier) },
      },
      ...pool.fromHost,
    },
    // By default vCluster makes a Service for each node that the tenant's pods run on: addresses and
    // objects without end on a host with many of both, for clients that ask kubelets by address.
    networking: { advanced: { proxyKubelets: { byIP: false } } },
    exportKubeConfig: {
      context: tenant.name,
      server: names.server,
      additionalSecrets: [
        {
          // Argo CD's credentials are a service account's token, not the admin certificate: that
          // one may do everything, and is rotated under its users.
          name: argocdSecretName(tenant),
          context: tenant.name,
          server: names.serverInHost,
          serviceAccount: { ...ARGOCD_SERVICE_ACCOUNT, clusterRole: ARGOCD_ROLE },
        },
      ],
    },
    // What Argo CD may do inside. A tenant has `manifests` beside it.
    experimental: { deploy: { vcluster: { manifestsTemplate: argocdRoles(tenant) } } },
    rbac: {
      role: {
        overwriteRules: vclusterRole(tenant.name, tenant.vcluster.values, vcluster.replicas),
      },
    },
    telemetry: { enabled: false },
  };
}

/**
 * What keeps the pods of a virtual cluster on the nodes of its pool: the control plane by its own
 * scheduling, all that runs inside, CoreDNS too, by what vCluster adds to the pods that it syncs.
 * That takes the selector's labels, and not `sync.fromHost.nodes.enabled`
 * (pkg/controllers/resources/pods/syncer.go at 0.36.1): real nodes inside would need a ClusterRole
 * on the host, and show the tenant what else runs there.
 */
function nodePool(tenant: Tenant, platform: PlatformSettings) {
  const { labels, taints } = platform.nodePools[tenant.nodePool] ?? { labels: {}, taints: [] };
  const labelled = Object.keys(labels).length > 0;
  const tainted = taints.length > 0;
  return {
    scheduling: {
      // No tenant's pods take its place when nodes are full.
      priorityClassName: CONTROL_PLANE_PRIORITY,
      ...(labelled ? { nodeSelector: labels } : {}),
      ...(tainted
        ? {
            tolerations: taints.map(({ key, value, effect }) =>
              value === undefined
                ? { key, operator: "Exists", effect }
                : { key, operator: "Equal", value, effect },
            ),
          }
        : {}),
    },
    fromHost: labelled ? { fromHost: { nodes: { selector: { labels } } } } : {},
    pods: tainted
      ? {
          // vCluster's own notation (pkg/util/toleration): key[=value]:effect.
          enforceTolerations: taints.map(
            ({ key, value, effect }) => `${key}${value === undefined ? "" : `=${value}`}:${effect}`,
          ),
        }
      : {},
  };
}

/** Etcd in pods of its own, by the chart. It prefers to keep its members on different nodes. */
function deployedEtcd(etcd: ControlPlanePods, onNodes: ReturnType<typeof nodePool>["scheduling"]) {
  return {
    enabled: true,
    statefulSet: {
      highAvailability: { replicas: etcd.replicas },
      resources: resources(etcd),
      security: {
        podSecurityContext: { ...restrictedPod, fsGroup: USER },
        containerSecurityContext: restrictedContainer,
      },
      persistence: { volumeClaim: volumeClaim(etcd) },
      scheduling: onNodes,
    },
  };
}

interface Share {
  readonly cpu: number;
  readonly memory: number;
}

function resources(
  { requests, limits }: { readonly requests: Share; readonly limits: Share },
  scratch?: { readonly requests: string; readonly limits: string },
) {
  const list = (share: Share, ephemeral: string | undefined) => ({
    cpu: formatMillicores(share.cpu),
    memory: formatBytes(share.memory),
    ...(ephemeral === undefined ? {} : { "ephemeral-storage": ephemeral }),
  });
  return { requests: list(requests, scratch?.requests), limits: list(limits, scratch?.limits) };
}

/** Mappings are merged, everything else replaces what is below. */
function merge(below: Mapping, above: Mapping): Mapping {
  return {
    ...below,
    ...Object.fromEntries(
      Object.entries(above).map(([key, value]) => {
        const lower = below[key];
        return [key, isMapping(value) && isMapping(lower) ? merge(lower, value) : value];
      }),
    ),
  };
}
