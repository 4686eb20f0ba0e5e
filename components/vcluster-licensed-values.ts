/** Version of the vCluster chart whose sources and documentation this list was read from. */
export const READ_AT = "0.36.1";

/** What a licensed value needs, in words that complete "needs …". */
export const LICENCES = {
  /** The documentation calls it free: it still takes a Platform that vCluster is connected to. */
  platform: "a vCluster Platform with a licence, its free tier at least",
  paid: "a paid licence of the vCluster Platform",
} as const;

/** A value of the vCluster chart that does nothing, or stops vCluster, without a licence. */
export interface LicensedValue {
  /** Keys from the root, joined by dots; `*` is any key. What is below the path counts too. */
  readonly path: string;
  readonly needs: keyof typeof LICENCES;
  /** How to reach the same end without a licence; undefined where there is no way. */
  readonly freeWay?: string;
}

const INSIDE = "install it in the virtual cluster";
const OPERATOR_INSIDE = "install the resource's definition and its operator in the virtual cluster";
const BACKING_STORE = "tier critical: its etcd runs in pods of its own";
const NODE_POOL = "nodePool: a pool of the host's nodes";
const WEBHOOK = "an admission webhook or policy in the virtual cluster";

/**
 * Every value that needs a licence. Read in: config/config.go (the tag `product:"pro"`,
 * IsProFeatureEnabled), pkg/pro (what the open-source build answers with an error or not at all),
 * values.schema.json (`pro: true`), the features of loft-sh/admin-apis, and the documentation for
 * what each costs.
 */
export const LICENSED_VALUES: readonly LicensedValue[] = [
  {
    path: "controlPlane.backingStore.etcd.embedded",
    needs: "platform",
    freeWay: BACKING_STORE,
  },
  { path: "controlPlane.backingStore.database.external", needs: "paid", freeWay: BACKING_STORE },
  // Identity providers sign the program in to databases outside.
  {
    path: "controlPlane.backingStore.database.embedded.identityProvider",
    needs: "paid",
    freeWay: BACKING_STORE,
  },
  {
    path: "controlPlane.coredns.embedded",
    needs: "platform",
    freeWay: "leave it out: CoreDNS runs in a pod of its own",
  },
  { path: "controlPlane.hostPathMapper", needs: "platform" },
  { path: "controlPlane.standalone", needs: "platform" },
  { path: "controlPlane.endpoint", needs: "platform", freeWay: "exposure.domain" },
  { path: "controlPlane.advanced.registry", needs: "platform", freeWay: INSIDE },
  { path: "controlPlane.advanced.kubeVip", needs: "paid" },
  { path: "controlPlane.advanced.konnectivity", needs: "platform" },
  { path: "controlPlane.advanced.cloudControllerManager", needs: "platform" },
  { path: "privateNodes", needs: "platform", freeWay: NODE_POOL },
  // What `deploy` installs is for private nodes, but for the applications.
  { path: "deploy.argoCD", needs: "paid", freeWay: "the Argo CD that the tenant has: argocd" },
  { path: "deploy", needs: "platform", freeWay: INSIDE },
  { path: "sync.toHost.customResources", needs: "platform", freeWay: OPERATOR_INSIDE },
  { path: "sync.fromHost.customResources", needs: "platform", freeWay: OPERATOR_INSIDE },
  { path: "sync.toHost.namespaces", needs: "platform" },
  { path: "sync.toHost.*.patches", needs: "platform", freeWay: WEBHOOK },
  { path: "sync.toHost.gatewayApi.*.patches", needs: "platform", freeWay: WEBHOOK },
  { path: "sync.fromHost.*.patches", needs: "platform" },
  { path: "sync.toHost.pods.hybridScheduling", needs: "platform" },
  { path: "sync.toHost.resourceClaims", needs: "paid" },
  { path: "sync.toHost.resourceClaimTemplates", needs: "paid" },
  { path: "sync.fromHost.deviceClasses", needs: "paid" },
  {
    path: "networking.resolveDNS",
    needs: "platform",
    freeWay: "controlPlane.coredns.overwriteConfig, with the plugins rewrite and forward",
  },
  { path: "policies.centralAdmission", needs: "paid", freeWay: WEBHOOK },
  { path: "integrations.externalSecrets", needs: "paid", freeWay: INSIDE },
  { path: "integrations.certManager", needs: "paid", freeWay: INSIDE },
  { path: "integrations.istio", needs: "paid", freeWay: INSIDE },
  { path: "integrations.kubeVirt", needs: "paid" },
  { path: "integrations.netris", needs: "paid" },
  {
    path: "integrations.argoCD",
    needs: "paid",
    freeWay: "nothing to do: every virtual cluster is registered in an Argo CD",
  },
  {
    path: "experimental.denyProxyRequests",
    needs: "paid",
    freeWay: "RBAC or a ValidatingAdmissionPolicy in the virtual cluster",
  },
  { path: "experimental.proxy", needs: "paid" },
  { path: "sleep", needs: "paid", freeWay: "the tenant's own setting sleep" },
  { path: "sleepMode", needs: "paid", freeWay: "the tenant's own setting sleep" }, // its old name
  { path: "snapshots", needs: "paid", freeWay: "the tenant's own setting backup" },
  { path: "deletion", needs: "paid", freeWay: "a stage, which has a time to live" },
  { path: "platform", needs: "platform" },
  { path: "pro", needs: "platform" },
];
