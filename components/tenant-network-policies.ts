import type { PlatformSettings } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import {
  OWN_POLICIES_LABEL,
  PRIVATE_BLOCKS,
  SYNCED_LABEL,
  TENANT_LABEL,
} from "./admission-policies.ts";
import { tenantNames } from "./tenant-names.ts";

/** How many NetworkPolicies the platform keeps in a tenant's namespace. */
export const PLATFORM_NETWORK_POLICIES = 6;

/** Port of a virtual cluster's API server, in its pods. */
const API_PORT = { protocol: "TCP", port: 8443 };
/** Port of a virtual cluster's CoreDNS, in its pods. */
const VIRTUAL_DNS = [
  { protocol: "UDP", port: 1053 },
  { protocol: "TCP", port: 1053 },
];
const DNS = [
  { protocol: "UDP", port: 53 },
  { protocol: "TCP", port: 53 },
];

const namespaceNamed = (name: string) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
});

/**
 * The NetworkPolicies of a tenant's namespace. They add up: nothing passes but what one of them
 * names. A team's own policies, which vCluster brings to the host, add to them too; so that these
 * can also take away, pods that a team labels `tenantry.dev/network-policies: own` are left out of
 * the two that are generous.
 */
export function planNetworkPolicies(tenant: Tenant, platform: PlatformSettings) {
  const { namespace } = tenantNames(tenant, platform);
  // Tenants' pods may carry any label but not lack this one, so that none passes for a control plane.
  const controlPlane = {
    matchLabels: { release: tenant.name },
    matchExpressions: [{ key: SYNCED_LABEL, operator: "DoesNotExist" }],
  };
  const synced = { matchLabels: { [SYNCED_LABEL]: tenant.name } };
  const dns = { matchLabels: { ...synced.matchLabels, "k8s-app": "vcluster-kube-dns" } };
  const open = {
    ...synced,
    matchExpressions: [{ key: OWN_POLICIES_LABEL, operator: "NotIn", values: ["own"] }],
  };
  const policy = <Spec extends { readonly podSelector: object }>(name: string, spec: Spec) => ({
    metadata: { name, namespace, labels: { [TENANT_LABEL]: tenant.name } },
    spec: { policyTypes: ["Ingress", "Egress"], ...spec },
  });
  return {
    "default-deny": policy("default-deny", { podSelector: {} }),

    "control-plane": policy("control-plane", {
      podSelector: controlPlane,
      ingress: [
        {
          ports: [API_PORT],
          from: [
            { podSelector: synced },
            namespaceNamed(platform.virtualClusters.gateway.namespace),
            {
              ...namespaceNamed(platform.argocd.namespace),
              // Not the repo-server: it runs what tenants' repositories say.
              podSelector: {
                matchExpressions: [
                  {
                    key: "app.kubernetes.io/component",
                    operator: "In",
                    values: ["application-controller", "server"],
                  },
                ],
              },
            },
          ],
        },
        { from: [{ podSelector: controlPlane }] },
      ],
      egress: [
        // Webhooks, and etcd. An API server connects to wherever its tenant tells it.
        { to: [{ podSelector: synced }, { podSelector: controlPlane }] },
        {
          ports: [{ protocol: "TCP", port: platform.host.apiServer.port }],
          to: platform.host.apiServer.addresses.map((cidr) => ({ ipBlock: { cidr } })),
        },
        {
          ports: DNS,
          to: [
            {
              ...namespaceNamed("kube-system"),
              podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
            },
          ],
        },
      ],
    }),

    "synced-pods": policy("synced-pods", {
      podSelector: synced,
      ingress: [{ from: [{ podSelector: controlPlane }] }],
      egress: [
        { ports: [API_PORT], to: [{ podSelector: controlPlane }] },
        { ports: VIRTUAL_DNS, to: [{ podSelector: dns }] },
      ],
    }),

    dns: policy("dns", {
      podSelector: dns,
      ingress: [{ ports: VIRTUAL_DNS, from: [{ podSelector: synced }] }],
      // It asks the resolver of its node, which can be at any address.
      egress: [{ ports: DNS }],
    }),

    "within-virtual-cluster": policy("within-virtual-cluster", {
      podSelector: open,
      ingress: [{ from: [{ podSelector: synced }] }],
      egress: [{ to: [{ podSelector: synced }] }],
    }),

    internet: policy("internet", {
      podSelector: open,
      policyTypes: ["Egress"],
      egress: [
        {
          to: [
            { ipBlock: { cidr: "0.0.0.0/0", except: [...PRIVATE_BLOCKS.ipv4] } },
            { ipBlock: { cidr: "::/0", except: [...PRIVATE_BLOCKS.ipv6] } },
          ],
        },
        ...tenant.egress.map(({ to, ports }) => ({
          ports: ports.map((port) => ({ protocol: "TCP", port })),
          to: [{ ipBlock: { cidr: to } }],
        })),
      ],
    }),
  };
}
