import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { delimiter, dirname, join, resolve, sep } from "node:path";

import { parse, satisfies } from "semver";

import type { Part } from "./binaries.ts";
import { runProcess } from "./run-process.ts";
import type { ToolchainCache } from "./toolchain-cache.ts";

const record = "path-versions.json";

/** All executables of that name on PATH, in its order. */
export async function executablesOnPath(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string[]> {
  const found: string[] = [];
  for (const folder of new Set((env.PATH ?? "").split(delimiter))) {
    if (folder === "") continue;
    const path = resolve(folder, name);
    if (await isExecutable(path)) found.push(path);
  }
  return found;
}

/** Binaries of a part found on PATH: name → path, and the version that the first one reports. */
export interface OnPath {
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Looks for a part on PATH in a fitting version. What a file reports as its version is remembered
 * in the cache until the file changes, so that this usually starts no process.
 */
export async function partOnPath(
  part: Part,
  cache: ToolchainCache,
  env: NodeJS.ProcessEnv = process.env,
): Promise<OnPath | undefined> {
  if (part.onPath === undefined) return undefined;
  const [first, ...others] = part.builds.map((build) => build.binary);
  if (first === undefined) return undefined;
  for (const path of await executablesOnPath(first, env)) {
    const real = await realpath(path);
    // Our own `bin` folder may be on PATH too.
    if (real.startsWith(cache.folder + sep)) continue;
    const version = await versionOf(real, part.onPath.arguments, cache, env);
    if (version === undefined) continue;
    if (!satisfies(version, part.onPath.versions, { includePrerelease: true })) continue;
    const files: Record<string, string> = { [first]: path };
    for (const other of others) {
      const beside = [join(dirname(path), other), join(dirname(real), other)];
      for (const file of beside) {
        if (await isExecutable(file)) files[other] ??= file;
      }
    }
    if (others.every((other) => other in files)) return { version, files };
  }
  return undefined;
}

async function versionOf(
  file: string,
  args: readonly string[],
  cache: ToolchainCache,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const { mtimeMs, size } = await stat(file);
  const key = `${file} ${mtimeMs} ${size}`;
  const known = await cache.readRecord(record, (value) => typeof value === "string");
  let version = known.get(key);
  if (version === undefined) {
    const { output } = await runProcess(file, args, {
      env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" },
      timeout: 10_000,
    });
    version = parse(/\d+\.\d+\.\d+[-+.\w]*/.exec(output)?.[0])?.version ?? "";
    for (const other of known.keys()) if (other.startsWith(`${file} `)) known.delete(other);
    await cache.writeRecord(record, known.set(key, version));
  }
  return version === "" ? undefined : version;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
