import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** The project's folder: the clone that this file is part of. */
export const projectFolder = join(import.meta.dirname, "..", "..");

/**
 * Everything the dev platform writes: one folder in the clone, not committed,
 * readable by its owner only. `TENANTRY_STATE` moves it.
 */
export const stateFolder = process.env["TENANTRY_STATE"] ?? join(projectFolder, ".tenantry");

/** Paths inside the state folder, by what they hold. */
export const paths = {
  platform: join(stateFolder, "platform.json"),
  /** Beside the folder: it is still held while the folder is removed. */
  lock: `${stateFolder}.lock`,
  logs: join(stateFolder, "logs"),
  kubeconfig: join(stateFolder, "kubeconfig"),
  /** What kubectl remembers of the API servers it talked to. */
  kubectlCache: join(stateFolder, "kubectl-cache"),
  kwok: join(stateFolder, "kwok"),
  argocd: join(stateFolder, "argocd"),
  charts: join(stateFolder, "charts"),
  chartCache: join(stateFolder, "chart-cache"),
  github: join(stateFolder, "github"),
  githubTokens: join(stateFolder, "github-tokens.json"),
  /** One file a token, so that a credential helper can read it. */
  tokens: join(stateFolder, "tokens"),
  runtime: join(stateFolder, "vcluster-runtime"),
  pulumiHome: join(stateFolder, "pulumi", "home"),
  pulumiBackend: join(stateFolder, "pulumi", "backend"),
  pulumiPassphrase: join(stateFolder, "pulumi", "passphrase"),
  pulumiEvents: join(stateFolder, "pulumi", "events.json"),
  stackConfig: join(stateFolder, "Pulumi.dev.yaml"),
} as const;

const Port = z.number().int().min(1).max(65535);

/** The loopback ports of the platform's servers, chosen free when it is first started. */
export const Ports = z.object({
  github: Port,
  charts: Port,
  redis: Port,
  repoServer: Port,
  repoServerMetrics: Port,
  controllerMetrics: Port,
  argocd: Port,
  argocdMetrics: Port,
  gateway: Port,
  clusterNetwork: Port,
});
export type Ports = z.infer<typeof Ports>;

/** What has to be known to talk to a platform that an earlier command started. */
export const PlatformRecord = z.object({
  ports: Ports,
  /** The folder with the toolchain's binaries that the platform runs. */
  bin: z.string(),
  /**
   * Where the platform's processes put temporary files and sockets. Outside of the state folder,
   * since a socket's path may have 108 bytes (unix(7)) and a clone may lie deep.
   */
  temporary: z.string(),
  /** The host cluster is complete: its definitions and the host Argo CD's settings are in place. */
  hostReady: z.boolean(),
});
export type PlatformRecord = z.infer<typeof PlatformRecord>;

/** Writes a file whole or not at all, for its owner only. */
export function writePrivate(file: string, content: string): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, file);
}

export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** What the record's file holds, of whatever version wrote it; undefined when there is none. */
export function readRecord(): unknown {
  try {
    return JSON.parse(readFileSync(paths.platform, "utf8"));
  } catch {
    return undefined;
  }
}

/** The record of the platform in this clone; undefined when there is none. */
export function readPlatform(): PlatformRecord | undefined {
  const record = readRecord();
  if (record === undefined) return undefined;
  const { data, success } = PlatformRecord.safeParse(record);
  if (success) return data;
  throw new Error(
    `${paths.platform} was written by another version of Tenantry: \`npm run down\`, then \`npm run up\``,
  );
}

export function writePlatform(record: PlatformRecord): void {
  writePrivate(paths.platform, JSON.stringify(record, undefined, 2));
}
