import { chmod, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import type { GoBuild, Part } from "../../../dev/toolchain/binaries.ts";
import type { ToolchainDefinition } from "../../../dev/toolchain/ensure-toolchain.ts";

/** A definition of one part, `hello`, whose module has no dependencies, and an empty cache for it. */
export interface TinyToolchain {
  readonly folder: string;
  readonly definition: ToolchainDefinition;
  /** Environment with the cache in the folder, and the folder `path` first on PATH. */
  readonly env: NodeJS.ProcessEnv;
  readonly path: string;
  readonly cache: string;
}

/** How the tiny part is built. */
export const helloBuild: GoBuild = {
  binary: "hello",
  group: "hello",
  package: ".",
  stamps: { "main.version": "1.2.3" },
};

export async function tinyToolchain(part: Partial<Part> = {}): Promise<TinyToolchain> {
  const folder = await mkdtemp(join(tmpdir(), "tenantry-toolchain-"));
  const [modules, path] = [join(folder, "modules"), join(folder, "path")];
  await mkdir(join(modules, "hello"), { recursive: true });
  await mkdir(path);
  await writeFile(join(modules, "hello", "go.mod"), "module example.test/hello\n\ngo 1.21\n");
  await writeFile(
    join(modules, "hello", "main.go"),
    'package main\n\nvar version = ""\n\nfunc main() { println("hello", version) }\n',
  );
  const hello = { name: "hello", version: "1.2.3", builds: [helloBuild], buildSeconds: 1 } as const;
  return {
    folder,
    path,
    cache: join(folder, "cache", "toolchain"),
    definition: { parts: [{ ...hello, ...part }], assets: [], modules },
    env: {
      ...process.env,
      PATH: [path, process.env.PATH].join(delimiter),
      TENANTRY_CACHE: join(folder, "cache"),
      TENANTRY_DOWNLOADS: "off",
      // A user's setting that would break builds with a committed go.sum.
      GOFLAGS: "-mod=mod",
    },
  };
}

/** Puts an executable shell script on the tiny toolchain's PATH. */
export async function script(folder: string, name: string, lines: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${lines}\n`);
  await chmod(file, 0o755);
  return file;
}

/** What is in the making in a cache. */
export async function leftovers(cache: string): Promise<string[]> {
  return readdir(join(cache, "tmp")).catch(() => []);
}
