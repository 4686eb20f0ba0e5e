import type { PlatformSettings } from "../platform/settings.ts";
import { IN_CLUSTER, type AppProject } from "./argocd-manifests.ts";

/** AppProject of the Applications that the platform itself makes: the virtual clusters. */
export const PLATFORM_PROJECT = "tenantry-platform";

/** What the host cluster needs once, whatever the number of tenants. */
export function planHostCluster(platform: PlatformSettings): {
  /** Fences the virtual clusters' Applications: one chart repository, no cluster-wide object. */
  readonly project: AppProject;
  /** The Helm release of Argo CD; undefined where an Argo CD is adopted. */
  readonly argocdRelease: ReturnType<typeof argocdRelease> | undefined;
} {
  return {
    project: {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "AppProject",
      metadata: { name: PLATFORM_PROJECT, namespace: platform.argocd.namespace },
      spec: {
        description: "The tenants' virtual clusters",
        sourceRepos: [platform.charts.vcluster.repository],
        destinations: [{ server: IN_CLUSTER, namespace: "vc-*" }],
        clusterResourceWhitelist: [],
      },
    },
    argocdRelease: platform.argocd.install && argocdRelease(platform, platform.argocd.install),
  };
}

function argocdRelease(
  { argocd }: PlatformSettings,
  chart: { readonly repository: string; readonly version: string },
) {
  return {
    name: "argocd",
    chart: "argo-cd",
    version: chart.version,
    repositoryOpts: { repo: chart.repository },
    namespace: argocd.namespace,
    createNamespace: true,
    timeout: 900,
    values: {
      // Names as upstream has them (argocd-server, …): they are what people and docs say.
      fullnameOverride: "argocd",
      global: { domain: new URL(argocd.url).host, networkPolicy: { create: true } },
      configs: {
        cm: {
          url: argocd.url,
          "admin.enabled": false,
          "users.anonymous.enabled": false,
        },
        // A default role could not be denied away again: nobody has a role unless one is given.
        // No admin password either: with one, the chart stamps it with the time of rendering.
        rbac: { "policy.default": "" },
      },
    },
  };
}
