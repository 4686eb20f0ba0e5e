import { spawn } from "node:child_process";
import { open } from "node:fs/promises";

/** How a process ended. */
export interface ProcessResult {
  /** Exit code; 127 when the command cannot be started, 128 when a signal ended it. */
  readonly code: number;
  /** Standard output and error together; empty when they went to a log file. */
  readonly output: string;
}

/** Where and how a process runs. */
export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to standard input. */
  readonly input?: string;
  /** Gets standard output and error, replacing what the file held. */
  readonly logFile?: string;
  /** Milliseconds after which the process is ended. */
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a command to its end, in a process group of its own. An abort or timeout ends the whole
 * group (after 3 s by force); after an abort the promise rejects with the signal's reason.
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  const log = options.logFile === undefined ? undefined : await open(options.logFile, "w");
  try {
    const child = spawn(command, args, {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: options.env ?? process.env,
      detached: true,
      stdio: [
        options.input === undefined ? "ignore" : "pipe",
        log?.fd ?? "pipe",
        log?.fd ?? "pipe",
      ],
    });
    let output = "";
    const collect = (chunk: Buffer) => (output += chunk.toString());
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.stdin?.on("error", () => undefined).end(options.input);

    const end = (how: NodeJS.Signals) => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, how);
      } catch {
        // The group has ended already.
      }
    };
    let force: NodeJS.Timeout | undefined;
    const stop = () => {
      end("SIGTERM");
      force ??= setTimeout(end, 3000, "SIGKILL");
    };
    const stopNow = () => {
      end("SIGKILL");
    };
    const timer = options.timeout === undefined ? undefined : setTimeout(stop, options.timeout);
    signal?.addEventListener("abort", stop, { once: true });
    process.once("exit", stopNow);
    const code = await new Promise<number>((resolve) => {
      child.once("error", (error) => {
        output += error.message;
        resolve(127);
      });
      child.once("close", (exitCode) => {
        resolve(exitCode ?? 128);
      });
    });
    clearTimeout(timer);
    clearTimeout(force);
    signal?.removeEventListener("abort", stop);
    process.removeListener("exit", stopNow);
    signal?.throwIfAborted();
    return { code, output };
  } finally {
    await log?.close();
  }
}
