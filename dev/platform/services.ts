import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ProcessDefinition } from "./processes.ts";
import { paths, projectFolder, type PlatformRecord } from "./state.ts";
import { answers, listens } from "./wait.ts";

/** The organization that owns the repositories on the dev platform. */
export const gitOwner = "example-corp";

/** A server of the dev platform: how it is started, and when it is ready. */
export interface Service extends ProcessDefinition {
  /** What it is, for `tenantry dev status`. */
  readonly role: string;
  readonly address: string;
  readonly ready: () => Promise<boolean>;
}

function folder(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function loopback(port: number): string {
  return `127.0.0.1:${port}`;
}

function typescript(
  file: string,
  ...rest: string[]
): Pick<ProcessDefinition, "command" | "arguments"> {
  return {
    command: process.execPath,
    arguments: ["--import", "tsx", join(projectFolder, ...file.split("/")), ...rest],
  };
}

/** One component of the host Argo CD: a process of the binary that holds them all. */
function argocd(
  platform: PlatformRecord,
  name: "repo-server" | "application-controller" | "server",
  role: string,
  port: number,
  healthPort: number,
  flags: readonly string[],
): Service {
  const home = (part: string): string => folder(paths.argocd, name, part);
  return {
    name: `argocd-${name}`,
    role,
    address: `http://${loopback(port)}`,
    command: join(platform.bin, "argocd"),
    arguments: flags,
    environment: {
      PATH: `${platform.bin}:${process.env["PATH"] ?? ""}`,
      ARGOCD_BINARY_NAME: `argocd-${name}`,
      // Where a pod has its service account, a process has a kubeconfig.
      KUBECONFIG: paths.kubeconfig,
      ARGOCD_FAKE_IN_CLUSTER: "true",
      ARGOCD_GPG_ENABLED: "false",
      ARGOCD_TLS_DATA_PATH: home("tls"),
      ARGOCD_SSH_DATA_PATH: home("ssh"),
      ARGOCD_GNUPGHOME: home("gnupg"),
      ARGOCD_ASK_PASS_SOCK: join(folder(platform.temporary), "ask-pass.sock"),
      ARGOCD_RECONCILIATION_TIMEOUT: "10s",
      ARGOCD_RECONCILIATION_JITTER: "0s",
      // How a pod resolves and reaches the Services of the cluster, a process outside of it reaches them.
      HTTPS_PROXY: `http://${loopback(platform.ports.clusterNetwork)}`,
      NO_PROXY: "127.0.0.1,localhost",
      TMPDIR: home("tmp"),
      HOME: home("home"),
    },
    ready: async () => await answers(`http://${loopback(healthPort)}/healthz`),
  };
}

/** All servers beside the host cluster's own. They need no order: each waits for what it needs. */
export function services(platform: PlatformRecord): Service[] {
  const { ports } = platform;
  const argocdBackends = [
    ...["--redis", loopback(ports.redis)],
    ...["--repo-server", loopback(ports.repoServer), "--repo-server-plaintext"],
    ...["--namespace", "argocd"],
    ...["--logformat", "text", "--loglevel", "warn"],
  ];
  return [
    {
      name: "github",
      role: "GitHub stand-in: REST, and Git over HTTP",
      address: `http://${loopback(ports.github)}`,
      ...typescript(
        "dev/github/main.ts",
        ...["--listen", loopback(ports.github), "--state", paths.github],
        ...["--owner", gitOwner, "--tokens", paths.githubTokens],
      ),
      ready: async () => await listens(ports.github),
    },
    {
      name: "chart-mirror",
      role: "Helm chart repository",
      address: `http://${loopback(ports.charts)}`,
      ...typescript("dev/platform/chart-mirror.ts", paths.charts, String(ports.charts)),
      ready: async () => await answers(`http://${loopback(ports.charts)}/index.yaml`),
    },
    {
      name: "redis",
      role: "cache of the host Argo CD",
      address: `redis://${loopback(ports.redis)}`,
      command: join(platform.bin, "redis"),
      arguments: ["--listen", loopback(ports.redis)],
      ready: async () => await listens(ports.redis),
    },
    argocd(
      platform,
      "repo-server",
      "host Argo CD: renders charts and repositories",
      ports.repoServer,
      ports.repoServerMetrics,
      [
        ...["--redis", loopback(ports.redis), "--disable-tls"],
        ...["--address", "127.0.0.1", "--port", String(ports.repoServer)],
        ...["--metrics-address", "127.0.0.1", "--metrics-port", String(ports.repoServerMetrics)],
        ...["--revision-cache-expiration", "5s"],
        ...["--logformat", "text", "--loglevel", "warn"],
      ],
    ),
    argocd(
      platform,
      "application-controller",
      "host Argo CD: syncs and watches applications",
      ports.controllerMetrics,
      ports.controllerMetrics,
      [...argocdBackends, "--metrics-port", String(ports.controllerMetrics)],
    ),
    argocd(platform, "server", "host Argo CD: its API", ports.argocd, ports.argocd, [
      ...argocdBackends,
      ...["--address", "127.0.0.1", "--port", String(ports.argocd), "--insecure"],
      ...["--metrics-address", "127.0.0.1", "--metrics-port", String(ports.argocdMetrics)],
    ]),
    {
      name: "vcluster-runtime",
      role: "runs the pods of virtual clusters; gateway and cluster network",
      address: `https://${loopback(ports.gateway)}`,
      command: join(platform.bin, "vcluster-runtime"),
      arguments: [
        "serve",
        ...["--kubeconfig", paths.kubeconfig, "--state", folder(paths.runtime)],
        ...["--binaries", platform.bin, "--kubernetes-version", "v1.36.3"],
        ...["--gateway", loopback(ports.gateway)],
        ...["--cluster-network", loopback(ports.clusterNetwork)],
      ],
      ready: async () => (await listens(ports.gateway)) && (await listens(ports.clusterNetwork)),
    },
  ];
}
