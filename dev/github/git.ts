import { execa } from "execa";

const settings: Readonly<Record<string, string>> = {
  // The state folder may belong to another user than the one who runs this.
  "safe.directory": "*",
  "init.defaultBranch": "main",
  "core.logAllRefUpdates": "false",
  "core.quotePath": "false",
  // Nothing may be left running in the background.
  "gc.auto": "0",
  "maintenance.auto": "false",
  "receive.autogc": "false",
  // What GitHub serves: partial clones, and any commit by its id.
  "uploadpack.allowFilter": "true",
  "uploadpack.allowAnySHA1InWant": "true",
};

/**
 * The whole environment of a git process: no configuration of the user or the system, none of the
 * caller's `GIT_*`, and the settings of the stand-in (plus `config`).
 */
export function gitEnvironment(config: Readonly<Record<string, string>> = {}) {
  const pairs = Object.entries({ ...settings, ...config });
  return {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    LC_ALL: "C",
    HOME: "/nonexistent",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_CONFIG_COUNT: String(pairs.length),
    ...Object.fromEntries(
      pairs.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/** How to run one git command. */
export interface GitOptions {
  input?: string | Uint8Array;
  env?: Readonly<Record<string, string>>;
}

/** A git command that failed; `stderr` says why. */
export class GitError extends Error {
  readonly stderr: string;

  constructor(args: readonly string[], exitCode: number | undefined, stderr: string) {
    super(`git ${args[0] ?? ""}: exit ${exitCode ?? "by signal"}: ${stderr.trim()}`);
    this.name = "GitError";
    this.stderr = stderr;
  }
}

/** Runs git in `directory` and returns its standard output; throws a GitError if it fails. */
export async function git(
  directory: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<Buffer> {
  const result = await execa("git", args, {
    cwd: directory,
    env: { ...gitEnvironment(), ...options.env },
    extendEnv: false,
    encoding: "buffer",
    maxBuffer: 1024 * 1024 * 1024,
    stripFinalNewline: false,
    reject: false,
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
  });
  if (result.failed) {
    throw new GitError(args, result.exitCode, Buffer.from(result.stderr).toString("utf8"));
  }
  return Buffer.from(result.stdout);
}
