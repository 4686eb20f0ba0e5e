import { mkdir, readFile, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";

import { coerce, lt, maxSatisfying } from "semver";

import type { Architecture, GoBuild } from "./binaries.ts";
import { executablesOnPath } from "./binary-on-path.ts";
import { goEnvironment } from "./go-build.ts";
import { runProcess } from "./run-process.ts";

const gigabyte = 1e9;
// What a cold build of everything writes, measured: 15.5 GB of compiled packages, 7.5 GB of modules.
const coldBuildCache = 16 * gigabyte;
const coldModuleCache = 8 * gigabyte;
const finished = 2 * gigabyte;

/** What is about to be made, for the preflight to judge. */
export interface PreflightRequest {
  readonly builds: readonly GoBuild[];
  /** Module groups that Go reads, built from or not. */
  readonly groups: readonly string[];
  /** Folder of the module groups. */
  readonly modules: string;
  /** The cache folder. */
  readonly cache: string;
  /** Part of the whole toolchain that must be built, 0 to 1: disk space is asked for accordingly. */
  readonly share: number;
  readonly architecture: Architecture;
  readonly env?: NodeJS.ProcessEnv;
}

/** Everything this machine lacks, each with what to do about it; empty when it can begin. */
export async function preflight(request: PreflightRequest): Promise<string[]> {
  const env = request.env ?? process.env;
  const usesGo = request.groups.length > 0;
  const faults = await Promise.all([
    checkGit(env),
    checkNamespaces(env),
    usesGo ? checkGo(request, env) : undefined,
    request.builds.some((build) => build.cgo) ? checkCompiler(env) : undefined,
    checkSpace(request, env),
  ]);
  return faults.filter((fault) => fault !== undefined);
}

async function checkGit(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if ((await executablesOnPath("git", env)).length > 0) return undefined;
  return "git is missing: install it with the system's package manager";
}

async function checkNamespaces(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // The very call that gives a virtual cluster its own root folder and network, as root or not.
  const flags = process.getuid?.() === 0 ? ["-mn"] : ["-Urmn"];
  const { code, output } = await runProcess("unshare", [...flags, "true"], { env, timeout: 5000 });
  if (code === 0) return undefined;
  if (code === 127) return "unshare is missing: install util-linux";
  return (
    `namespaces are not allowed here (unshare ${flags.join(" ")}: ${output.trim()}): ` +
    "as root run `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000`, " +
    "or in a container grant CAP_SYS_ADMIN"
  );
}

/** The newest Go that one of these groups asks for, and where that is. */
async function neededGo(request: PreflightRequest): Promise<{ version: string; folder: string }> {
  const needed = new Map<string, string>();
  for (const group of request.groups) {
    const folder = join(request.modules, group);
    const directive = /^go (\S+)$/m.exec(await readFile(join(folder, "go.mod"), "utf8"))?.[1];
    needed.set(coerce(directive)?.version ?? "0.0.0", folder);
  }
  const version = maxSatisfying([...needed.keys()], "*") ?? "0.0.0";
  return { version, folder: needed.get(version) ?? request.modules };
}

async function checkGo(request: PreflightRequest, env: NodeJS.ProcessEnv) {
  const needed = await neededGo(request);
  const install = `install Go ${needed.version} or newer from https://go.dev/dl`;
  // In that folder a Go that may fetch a newer one has done so, and reports that one.
  const { code, output } = await runProcess("go", ["env", "GOVERSION"], {
    cwd: needed.folder,
    env: goEnvironment(request.architecture, { env }),
    timeout: 120_000,
  });
  if (code === 127) return `Go is missing: ${install}`;
  const version = coerce(output)?.version;
  if (code === 0 && version !== undefined && !lt(version, needed.version)) return undefined;
  return `Go is too old (${output.trim()}): ${install}`;
}

async function checkCompiler(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const [compiler = "gcc", ...flags] = (env.CC || "gcc").split(/\s+/);
  const args = [...flags, "-static", "-x", "c", "-o", "/dev/null", "-"];
  const input = "int main(void) { return 0; }";
  const { code, output } = await runProcess(compiler, args, { env, input, timeout: 20_000 });
  if (code === 0) return undefined;
  if (code === 127)
    return `${compiler} is missing (kine needs a C compiler): install gcc and libc6-dev`;
  return `${compiler} cannot link statically (${output.trim().split("\n").at(-1) ?? ""}): install libc6-dev or glibc-static`;
}

async function checkSpace(request: PreflightRequest, env: NodeJS.ProcessEnv) {
  const needs: [folder: string, bytes: number][] = [[request.cache, finished * request.share]];
  if (request.builds.length > 0) {
    const { code, output } = await runProcess("go", ["env", "GOCACHE", "GOMODCACHE"], { env });
    const [buildCache, moduleCache] = output.trim().split("\n");
    if (code === 0 && buildCache && moduleCache) {
      needs.push([buildCache, coldBuildCache * request.share]);
      needs.push([moduleCache, coldModuleCache * request.share]);
    }
  }
  const devices = new Map<number, { folder: string; needed: number }>();
  for (const [folder, bytes] of needs) {
    const present = await nearestFolder(folder);
    const { dev } = await stat(present);
    const device = devices.get(dev);
    devices.set(dev, { folder: present, needed: (device?.needed ?? 0) + bytes });
  }
  for (const { folder, needed } of devices.values()) {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= needed) continue;
    const [free, wanted] = [bavail * bsize, needed].map((bytes) => (bytes / gigabyte).toFixed(1));
    return (
      `too little disk space at ${folder}: ${free ?? ""} GB free, up to ${wanted ?? ""} GB needed: free some, ` +
      "or point TENANTRY_CACHE, GOCACHE and GOMODCACHE to a larger disk"
    );
  }
  return undefined;
}

async function nearestFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  return stat(folder).then(
    () => folder,
    () => nearestFolder(dirname(folder)),
  );
}
