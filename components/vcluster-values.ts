import type { PlatformSettings } from "../platform/settings.ts";
import { formatBytes, formatMillicores } from "../tenants/quantity.ts";
import { KUBERNETES_IMAGE_TAGS, type Tenant } from "../tenants/schema.ts";
import { tenantNames } from "./tenant-names.ts";

const Mi = 2 ** 20;
const Gi = 2 ** 30;

/**
 * What the virtual cluster's own pods take from its namespace, in thousandths of a core and bytes.
 * The values below say so to vCluster, and the namespace's quota adds it to the tenant's.
 */
export const CONTROL_PLANE = {
  /** API server, controller manager, kine and syncer in one pod: 540 MB measured when idle. */
  vcluster: {
    pods: 1,
    requests: { cpu: 200, memory: 640 * Mi },
    limits: { cpu: 2000, memory: 2 * Gi },
    /** SQLite and certificates. */
    storage: 5 * Gi,
  },
  /** One pod, and a second one while it is being replaced. */
  coredns: {
    pods: 2,
    requests: { cpu: 20, memory: 64 * Mi },
    limits: { cpu: 200, memory: 170 * Mi },
  },
} as const;

/** Name of the Secret in which vCluster leaves Argo CD's credentials, in its own namespace. */
export function argocdSecretName({ name }: Tenant): string {
  return `vc-${name}-argocd`;
}

// Pod Security `restricted`, which the namespace enforces. The chart's default runs as root.
const restrictedPod = { seccompProfile: { type: "RuntimeDefault" } };
const restrictedContainer = {
  runAsNonRoot: true,
  runAsUser: 12345,
  runAsGroup: 12345,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};

/**
 * Values of the vCluster chart for a tenant. Only what differs from the chart's defaults, and
 * nothing that needs a licence. `serviceCIDR` is left for vCluster to find out: it must equal the
 * host's, and finding out costs a second at the first start, a wrong value the whole cluster.
 */
export function vclusterValues(tenant: Tenant, platform: PlatformSettings) {
  const names = tenantNames(tenant, platform);
  const { address, gateway } = platform.virtualClusters;
  const { vcluster, coredns } = CONTROL_PLANE;
  return {
    controlPlane: {
      distro: {
        k8s: {
          enabled: true,
          version: KUBERNETES_IMAGE_TAGS[tenant.kubernetes],
          securityContext: restrictedContainer,
        },
      },
      coredns: {
        // The container's default context is restricted but for the pod's seccomp profile.
        security: { podSecurityContext: restrictedPod },
        deployment: { resources: resources(coredns) },
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
          podSecurityContext: { ...restrictedPod, fsGroup: 12345 },
          containerSecurityContext: restrictedContainer,
        },
        persistence: {
          volumeClaim: {
            enabled: true,
            // Retained, the volume would revive the old workloads under a new tenant of this name.
            retentionPolicy: "Delete",
            size: formatBytes(vcluster.storage),
          },
        },
      },
    },
    // Off by default, and then the policies that a team writes do nothing.
    sync: { toHost: { networkPolicies: { enabled: true } } },
    exportKubeConfig: {
      context: tenant.name,
      server: names.server,
      additionalSecrets: [
        {
          // Argo CD's credentials are a service account's token, not the admin certificate: that
          // one is rotated under its users. The role is still to be narrowed to what Argo CD needs.
          name: argocdSecretName(tenant),
          context: tenant.name,
          server: names.serverInHost,
          serviceAccount: {
            name: "argocd",
            namespace: "kube-system",
            clusterRole: "cluster-admin",
          },
        },
      ],
    },
    telemetry: { enabled: false },
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
