import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

import type { Architecture, GoBuild } from "./binaries.ts";
import { runProcess } from "./run-process.ts";
import { ToolchainError } from "./toolchain-error.ts";

/**
 * The environment of every Go command: the user's caches, proxy and credentials; nothing else that
 * changes what is built.
 */
export function goEnvironment(
  architecture: Architecture,
  options: { cgo?: boolean; scratch?: string; env?: NodeJS.ProcessEnv } = {},
): NodeJS.ProcessEnv {
  return {
    ...(options.env ?? process.env),
    GO111MODULE: "on",
    GOFLAGS: "-buildvcs=false",
    GOWORK: "off",
    GOOS: "linux",
    GOARCH: architecture,
    CGO_ENABLED: options.cgo === true ? "1" : "0",
    // What a killed build leaves lies where the next run sweeps.
    ...(options.scratch !== undefined && { GOTMPDIR: options.scratch, TMPDIR: options.scratch }),
  };
}

/** The arguments of `go` that build a binary into the file `output`. */
export function goBuildArguments(build: GoBuild, output: string): string[] {
  const stamps = Object.entries(build.stamps ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const link = [
    "-s -w",
    ...(build.cgo ? ["-linkmode external -extldflags -static"] : []),
    ...stamps,
  ];
  return [
    "build",
    "-mod=readonly",
    "-trimpath",
    ...(build.tags === undefined ? [] : ["-tags", build.tags]),
    "-ldflags",
    link.join(" "),
    "-o",
    output,
    build.package,
  ];
}

/** Hash of the files that determine what a module group builds: all but its tests. */
export async function groupHash(modules: string, group: string): Promise<string> {
  const folder = join(modules, group);
  const hash = createHash("sha256");
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith("_test.go"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) {
    hash
      .update(`${relative(folder, file)}\0`)
      .update(await readFile(file))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Where a Go command runs. */
export interface GoContext {
  /** Folder of the module groups. */
  readonly modules: string;
  readonly architecture: Architecture;
  /** Folder for temporary files. */
  readonly scratch: string;
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/** Builds a binary into the file `output`. Throws ToolchainError with the end of the build's log. */
export async function goBuild(build: GoBuild, output: string, context: GoContext): Promise<void> {
  const env = goEnvironment(context.architecture, { ...context, cgo: build.cgo === true });
  await runGo(goBuildArguments(build, output), build.group, env, context);
}

/** The folder of a pinned module's files in Go's module cache, fetched when it is not there yet. */
export async function moduleFolder(
  module: { path: string; version: string },
  group: string,
  context: GoContext,
): Promise<string> {
  const args = ["mod", "download", "-json", `${module.path}@${module.version}`];
  const env = goEnvironment(context.architecture, context);
  await runGo(args, group, env, context);
  // Lines on what is fetched may come before the answer.
  const log = await readFile(context.logFile, "utf8");
  const answer: unknown = JSON.parse(/^\{.*^\}/ms.exec(log)?.[0] ?? "{}");
  if (typeof answer === "object" && answer !== null && "Dir" in answer) return String(answer.Dir);
  throw new ToolchainError("Go names no folder", args.join(" "), "report this");
}

async function runGo(
  args: readonly string[],
  group: string,
  env: NodeJS.ProcessEnv,
  context: GoContext,
): Promise<void> {
  const { logFile, signal } = context;
  const cwd = join(context.modules, group);
  const { code } = await runProcess("go", args, { cwd, env, logFile, signal });
  if (code === 0) return;
  const log = (await readFile(logFile, "utf8")).trimEnd().split("\n").slice(-20);
  const quoted = args.map((arg) => (/\s/.test(arg) ? `'${arg}'` : arg)).join(" ");
  throw new ToolchainError(
    `go ${args[0] ?? ""} failed (exit ${code}):\n${log.map((line) => `  ${line}`).join("\n")}`,
    `cd ${cwd} && CGO_ENABLED=${env.CGO_ENABLED ?? ""} go ${quoted}\nLog: ${logFile}`,
    "if modules could not be fetched, check the network and GOPROXY; then run again: " +
      "what has been compiled is kept",
  );
}
