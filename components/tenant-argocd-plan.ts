import type { PlatformSettings } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import {
  CASCADE_FINALIZER,
  SYNC_POLICY,
  type Application,
  type AppProject,
} from "./argocd-manifests.ts";
import { ARGOCD_NAMESPACES, CLUSTER_KINDS, namespacedKinds } from "./argocd-kinds.ts";
import { awaitAnnotations } from "./await-annotations.ts";
import { tenantNames } from "./tenant-names.ts";

/** Folder of the tenant's repository whose manifests Argo CD applies. */
export const APPS_FOLDER = "apps";

/** Branch of the tenant's repository that Argo CD follows. */
export const BRANCH = "main";

/** Seconds in which the tenant's applications must be synced and healthy, or be gone. */
const SYNC_TIMEOUT = 600;

/** A Secret by which Argo CD knows a cluster or a repository. */
interface DeclarativeSecret {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** The fields that are no secrets; the component adds the credentials. */
  readonly fields: Readonly<Record<string, string>>;
}

/** What the host Argo CD must know of a tenant to deliver its repository and nothing else. */
export function planTenantArgoCD(
  tenant: Tenant,
  platform: PlatformSettings,
): {
  /** The fence: this repository into this virtual cluster, and no wildcard anywhere. */
  readonly project: AppProject;
  /** The virtual cluster, as a cluster of this project only. */
  readonly registration: DeclarativeSecret;
  /** The tenant's repository, as a repository of this project only. */
  readonly repository: DeclarativeSecret;
  /** The Application that applies the repository's apps folder. */
  readonly rootApplication: Application;
} {
  const names = tenantNames(tenant, platform);
  const { namespace } = platform.argocd;
  const labels = { "tenantry.dev/tenant": tenant.name };
  const [rootNamespace] = ARGOCD_NAMESPACES;
  const secret = (type: "cluster" | "repository", name: string) => ({
    name,
    namespace,
    labels: { ...labels, "argocd.argoproj.io/secret-type": type },
  });
  return {
    project: {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "AppProject",
      metadata: { name: tenant.name, namespace, labels },
      spec: {
        description: `Applications of ${tenant.displayName}`,
        sourceRepos: [names.cloneUrl],
        destinations: ARGOCD_NAMESPACES.map((to) => ({
          server: names.serverInHost,
          namespace: to,
        })),
        clusterResourceWhitelist: CLUSTER_KINDS.map(({ group, kind }) => ({ group, kind })),
        namespaceResourceWhitelist: namespacedKinds(tenant),
        permitOnlyProjectScopedClusters: true,
      },
    },
    registration: {
      metadata: secret("cluster", `cluster-${names.namespace}`),
      fields: {
        name: tenant.name,
        server: names.serverInHost,
        project: tenant.name,
        // Argo CD adds a project's own clusters to its destinations, and every namespace of a
        // cluster that names none: without these two the fence above would not hold
        // (argo-cd, util/argo/argo.go, getProjectFromDB).
        namespaces: ARGOCD_NAMESPACES.join(","),
        clusterResources: "true",
      },
    },
    repository: {
      metadata: secret("repository", `repository-${tenant.name}`),
      // GitHub looks at the token only, but a user name there must be.
      fields: { type: "git", url: names.cloneUrl, project: tenant.name, username: "tenantry" },
    },
    rootApplication: {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata: {
        name: tenant.name,
        namespace,
        labels,
        annotations: awaitAnnotations(
          ["jsonpath={.status.sync.status}=Synced", "jsonpath={.status.health.status}=Healthy"],
          SYNC_TIMEOUT,
        ),
        finalizers: [CASCADE_FINALIZER],
      },
      spec: {
        project: tenant.name,
        source: {
          repoURL: names.cloneUrl,
          path: APPS_FOLDER,
          targetRevision: BRANCH,
          directory: { recurse: true },
        },
        destination: { server: names.serverInHost, namespace: rootNamespace },
        syncPolicy: SYNC_POLICY,
      },
    },
  };
}
