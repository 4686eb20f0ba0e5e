import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { marked, logFile } from "./processes.ts";
import { runCommand } from "./run-command.ts";
import { paths, type PlatformRecord } from "./state.ts";

/** The kubeconfig context that kwokctl writes. */
export const hostContext = "kwok-host";

/** The components of the host cluster, by the name of their log in {@link paths.kwok}. */
export const hostComponents = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok-controller",
] as const;

export const hostLogs = join(paths.kwok, "clusters", "host", "logs");

function hostEnvironment(): NodeJS.ProcessEnv {
  return marked("host-cluster", {
    ...process.env,
    KWOK_WORKDIR: paths.kwok,
    KUBECACHEDIR: paths.kubectlCache,
  });
}

/** Creates the host cluster, or starts what of it does not run. Ready when this returns. */
export async function startHostCluster(
  platform: PlatformRecord,
  signal: AbortSignal,
): Promise<void> {
  const kwokctl = join(platform.bin, "kwokctl");
  const options = { environment: hostEnvironment(), signal, log: logFile("host-cluster") };
  if (existsSync(join(paths.kwok, "clusters", "host", "kwok.yaml")) && platform.hostReady) {
    await runCommand(kwokctl, ["start", "cluster", "--name", "host", "--wait", "60s"], options);
    return;
  }
  // What a run that was cut off half way left: nothing depends on it yet.
  await removeHostCluster(platform);
  const binary = (flag: string, name: string): string[] => [
    `--${flag}-binary`,
    join(platform.bin, name),
  ];
  await runCommand(
    kwokctl,
    [
      ...["create", "cluster", "--name", "host", "--runtime", "binary", "--wait", "60s"],
      ...["--config", join(import.meta.dirname, "host-cluster.kwok.yaml")],
      ...["--kubeconfig", paths.kubeconfig],
      ...binary("etcd", "etcd"),
      ...binary("kube-apiserver", "kube-apiserver"),
      ...binary("kube-controller-manager", "kube-controller-manager"),
      ...binary("kube-scheduler", "kube-scheduler"),
      ...binary("kwok-controller", "kwok"),
      // The platform is thrown away as a whole: its data need not survive a power cut.
      ...["--extra-args", "etcd=unsafe-no-fsync=true"],
      "--disable-qps-limits",
    ],
    options,
  );
}

export async function removeHostCluster(platform: PlatformRecord): Promise<void> {
  if (!existsSync(join(paths.kwok, "clusters", "host"))) return;
  await runCommand(
    join(platform.bin, "kwokctl"),
    ["delete", "cluster", "--name", "host", "--kubeconfig", paths.kubeconfig],
    { environment: hostEnvironment(), log: logFile("host-cluster") },
  );
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  readonly [field: string]: unknown;
}

const argocdPart = { "app.kubernetes.io/part-of": "argocd" };

function argocdConfigMap(name: string, data: Record<string, string> = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "argocd", labels: argocdPart },
    data,
  };
}

/** Label and taint of the nodes of the node pool `dedicated` (Pulumi.dev.yaml). */
const DEDICATED = { key: "tenantry.dev/pool", value: "dedicated" };

function node(name: string, address: string, isDedicated = false): Manifest {
  const resources = { cpu: "32", memory: "128Gi", pods: "250", "ephemeral-storage": "200Gi" };
  const addresses = [
    { type: "InternalIP", address },
    { type: "Hostname", address: name },
  ];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/role": "agent",
        type: "kwok",
        ...(isDedicated ? { [DEDICATED.key]: DEDICATED.value } : {}),
      },
    },
    ...(isDedicated ? { spec: { taints: [{ ...DEDICATED, effect: "NoSchedule" }] } } : {}),
    status: { allocatable: resources, capacity: resources, addresses },
  };
}

/** What a host cluster offers before Tenantry comes: nodes, storage, a gateway, Argo CD's settings. */
function hostManifests(): Manifest[] {
  const namespace = (name: string): Manifest => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  });
  return [
    namespace("argocd"),
    namespace("gateway"),
    node("node-1", "10.100.0.11"),
    node("node-2", "10.100.0.12"),
    node("node-3", "10.100.0.13", true),
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: {
        name: "standard",
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
      provisioner: "tenantry.dev/local",
      reclaimPolicy: "Delete",
      volumeBindingMode: "Immediate",
    } as Manifest,
    argocdConfigMap("argocd-cm", {
      "admin.enabled": "false",
      "application.resourceTrackingMethod": "annotation",
      // Argo CD up to at least 3.2.11 panics on a pod whose status has resources that its spec has
      // not (k8s.io/kubectl v0.34, pkg/util/resource): what the host's LimitRange makes of a
      // tenant's pods. So it does not watch pods inside virtual clusters.
      "resource.exclusions": JSON.stringify([
        { apiGroups: [""], kinds: ["Pod"], clusters: ["https://*.vc-*:443"] },
      ]),
      // Argo CD asks Git this often; on a real host a webhook tells it.
      "timeout.reconciliation": "10s",
      "timeout.reconciliation.jitter": "0s",
    }),
    argocdConfigMap("argocd-rbac-cm", { "policy.default": "" }),
    argocdConfigMap("argocd-cmd-params-cm"),
    argocdConfigMap("argocd-ssh-known-hosts-cm"),
    argocdConfigMap("argocd-tls-certs-cm"),
    argocdConfigMap("argocd-gpg-keys-cm"),
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "argocd-secret", namespace: "argocd", labels: argocdPart },
      stringData: { "server.secretkey": randomBytes(32).toString("base64") },
    },
  ];
}

/**
 * Brings the host cluster to the state in which Tenantry finds a real one.
 * `definitions` are folders with the custom resource definitions that it has by then.
 */
export async function furnishHostCluster(
  platform: PlatformRecord,
  definitions: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const kubectl = async (commandArguments: string[], input?: string): Promise<void> => {
    await runCommand(
      join(platform.bin, "kubectl"),
      ["apply", "--server-side", ...commandArguments],
      {
        environment: { ...hostEnvironment(), KUBECONFIG: paths.kubeconfig },
        signal,
        log: logFile("host-cluster"),
        ...(input !== undefined && { input }),
      },
    );
  };
  const list = { apiVersion: "v1", kind: "List", items: hostManifests() };
  await Promise.all([
    kubectl(definitions.flatMap((folder) => ["-f", folder])),
    kubectl(["-f", "-"], JSON.stringify(list)),
  ]);
}
