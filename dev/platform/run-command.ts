import { execa, ExecaError, type Options } from "execa";
import { logTail } from "./processes.ts";

/** A command that ended badly: what was run, and the end of what it said. */
export class CommandError extends Error {
  constructor(command: string, said: string) {
    super(`"${command}" failed:\n${said.trimEnd().replaceAll(/^/gm, "    ")}`);
  }
}

export interface RunOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to standard input: the way in for whatever must not show among a process's arguments. */
  readonly input?: string;
  readonly signal?: AbortSignal;
  /** A file that takes the output, rather than the returned text. */
  readonly log?: string;
}

/** Runs a short-lived command of the toolchain to its end and returns its standard output. */
export async function runCommand(
  command: string,
  commandArguments: readonly string[],
  options: RunOptions,
): Promise<string> {
  const settings = {
    env: options.environment,
    extendEnv: false,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
    ...(options.log !== undefined && {
      stdout: { file: options.log, append: true },
      stderr: { file: options.log, append: true },
    }),
  } satisfies Options;
  try {
    const result = await execa(command, commandArguments, settings);
    return typeof result.stdout === "string" ? result.stdout : "";
  } catch (error) {
    if (!(error instanceof ExecaError) || options.signal?.aborted === true) throw error;
    // Without a log, the message ends with what the command said.
    const said = options.log === undefined ? error.message : logTail(options.log);
    throw new CommandError([command, ...commandArguments.slice(0, 3)].join(" "), said);
  }
}
