import { stringify } from "yaml";

import type { Tenant } from "../tenants/schema.ts";
import type { GroupKind } from "./argocd-manifests.ts";

/** Namespace of a virtual cluster that the host Argo CD deploys into. */
export const ARGOCD_NAMESPACES = ["default"] as const;

interface Resource extends GroupKind {
  /** Name of the kind in RBAC rules. */
  readonly resource: string;
}

/** Cluster-wide kinds that a tenant's Applications may contain. */
export const CLUSTER_KINDS: readonly Resource[] = [
  {
    group: "apiextensions.k8s.io",
    kind: "CustomResourceDefinition",
    resource: "customresourcedefinitions",
  },
];

const kinds = (group: string, resources: Readonly<Record<string, string>>): readonly Resource[] =>
  Object.entries(resources).map(([kind, resource]) => ({ group, kind, resource }));

/** Kubernetes' own kinds that a tenant's Applications may contain; a tenant's file adds to them. */
export const NAMESPACED_KINDS: readonly Resource[] = [
  ...kinds("", {
    ConfigMap: "configmaps",
    Endpoints: "endpoints",
    LimitRange: "limitranges",
    PersistentVolumeClaim: "persistentvolumeclaims",
    Pod: "pods",
    ReplicationController: "replicationcontrollers",
    ResourceQuota: "resourcequotas",
    Secret: "secrets",
    Service: "services",
    ServiceAccount: "serviceaccounts",
  }),
  ...kinds("apps", {
    DaemonSet: "daemonsets",
    Deployment: "deployments",
    ReplicaSet: "replicasets",
    StatefulSet: "statefulsets",
  }),
  ...kinds("autoscaling", { HorizontalPodAutoscaler: "horizontalpodautoscalers" }),
  ...kinds("batch", { CronJob: "cronjobs", Job: "jobs" }),
  ...kinds("discovery.k8s.io", { EndpointSlice: "endpointslices" }),
  ...kinds("networking.k8s.io", { Ingress: "ingresses", NetworkPolicy: "networkpolicies" }),
  ...kinds("policy", { PodDisruptionBudget: "poddisruptionbudgets" }),
  ...kinds("rbac.authorization.k8s.io", { Role: "roles", RoleBinding: "rolebindings" }),
];

/** The namespaced kinds of a tenant's project: Kubernetes' own, and those that its file names. */
export function namespacedKinds({ argocd }: Tenant): readonly GroupKind[] {
  return [
    ...NAMESPACED_KINDS.map(({ group, kind }) => ({ group, kind })),
    ...argocd.kinds.map((name) => {
      const [group = "", kind = ""] = name.split("/");
      return { group, kind };
    }),
  ];
}

/** ClusterRole in the virtual cluster that the host Argo CD's service account is bound to. */
export const ARGOCD_ROLE = "tenantry-argocd";

/** The service account in the virtual cluster that the host Argo CD signs in as. */
export const ARGOCD_SERVICE_ACCOUNT = { name: "argocd", namespace: "kube-system" } as const;

const WRITE = ["create", "update", "patch", "delete", "deletecollection"];

function writing(resources: readonly Resource[]) {
  return [...new Set(resources.map(({ group }) => group))].map((group) => ({
    apiGroups: [group],
    resources: resources.filter((entry) => entry.group === group).map(({ resource }) => resource),
    verbs: WRITE,
  }));
}

/**
 * What the host Argo CD may do in a tenant's virtual cluster, as manifests: read everything, since
 * it watches every kind that the cluster serves and gives up on a cluster where it may not; change
 * what the project allows, where the project allows it.
 */
export function argocdRoles({ argocd }: Tenant): string {
  const rbac = "rbac.authorization.k8s.io";
  const groups = [...new Set(argocd.kinds.map((name) => name.split("/")[0] ?? ""))];
  const namespaced = ARGOCD_NAMESPACES.flatMap((namespace) => [
    {
      apiVersion: `${rbac}/v1`,
      kind: "Role",
      metadata: { name: ARGOCD_ROLE, namespace },
      rules: [
        ...writing(NAMESPACED_KINDS),
        // RBAC knows resources, not kinds: their plural is their definition's to choose.
        ...(groups.length === 0 ? [] : [{ apiGroups: groups, resources: ["*"], verbs: WRITE }]),
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata: { name: ARGOCD_ROLE, namespace },
      roleRef: { apiGroup: rbac, kind: "Role", name: ARGOCD_ROLE },
      subjects: [{ kind: "ServiceAccount", ...ARGOCD_SERVICE_ACCOUNT }],
    },
  ]);
  return [
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: ARGOCD_ROLE },
      rules: [
        { apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "watch"] },
        ...writing(CLUSTER_KINDS),
      ],
    },
    ...namespaced,
  ]
    .map((manifest) => stringify(manifest))
    .join("---\n");
}
