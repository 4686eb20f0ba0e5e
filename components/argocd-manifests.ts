/** Finalizer that makes Argo CD delete what an Application deployed before the Application goes. */
export const CASCADE_FINALIZER = "resources-finalizer.argocd.argoproj.io";

/** Address by which Argo CD knows the cluster it runs in. */
export const IN_CLUSTER = "https://kubernetes.default.svc";

/** Metadata of an object on the host cluster. */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: string[];
}

/** Argo CD's Application, as far as this program writes it. */
export interface Application {
  readonly apiVersion: "argoproj.io/v1alpha1";
  readonly kind: "Application";
  readonly metadata: Metadata;
  readonly spec: {
    readonly project: string;
    readonly source: ChartSource | DirectorySource;
    readonly destination: { readonly server: string; readonly namespace: string };
    readonly syncPolicy: {
      readonly automated: { readonly prune: boolean; readonly selfHeal: boolean };
      readonly retry: {
        readonly limit: number;
        readonly backoff: {
          readonly duration: string;
          readonly factor: number;
          readonly maxDuration: string;
        };
      };
    };
  };
}

interface ChartSource {
  readonly repoURL: string;
  readonly chart: string;
  readonly targetRevision: string;
  readonly helm: {
    readonly releaseName: string;
    readonly valuesObject: Readonly<Record<string, unknown>>;
  };
}

interface DirectorySource {
  readonly repoURL: string;
  readonly path: string;
  readonly targetRevision: string;
  readonly directory: { readonly recurse: boolean };
}

/** A kind of objects, by the name of its API group. */
export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

/** Argo CD's AppProject, as far as this program writes it. */
export interface AppProject {
  readonly apiVersion: "argoproj.io/v1alpha1";
  readonly kind: "AppProject";
  readonly metadata: Metadata;
  readonly spec: {
    readonly description: string;
    readonly sourceRepos: readonly string[];
    readonly destinations: readonly { readonly server: string; readonly namespace: string }[];
    /** Cluster-wide kinds that may be deployed. */
    readonly clusterResourceWhitelist: readonly GroupKind[];
    /** Kinds that may be deployed into namespaces. */
    readonly namespaceResourceWhitelist: readonly GroupKind[];
    readonly permitOnlyProjectScopedClusters?: boolean;
  };
}

/**
 * Argo CD syncs by itself, removes what left the source, reverts what was changed by hand, and
 * tries again for about ten minutes: long enough for a first image pull or a brief outage.
 */
export const SYNC_POLICY: Application["spec"]["syncPolicy"] = {
  automated: { prune: true, selfHeal: true },
  retry: { limit: 8, backoff: { duration: "5s", factor: 2, maxDuration: "3m" } },
};
