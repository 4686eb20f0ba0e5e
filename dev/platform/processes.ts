import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { paths, stateFolder } from "./state.ts";

/**
 * Every process of the platform, and whatever it starts, carries these two
 * variables. What runs is therefore read from the system itself: no list of
 * process ids that a crash could leave wrong, and none that is used again by a
 * stranger.
 */
const platformVariable = "TENANTRY_DEV_PLATFORM";
const processVariable = "TENANTRY_DEV_PROCESS";

/** A process of the platform, or a child of one. */
export interface RunningProcess {
  readonly pid: number;
  /** The name it was started under: `github`, `argocd-repo-server`, `host-cluster`. Children share their parent's. */
  readonly name: string;
  /** The executable's file name. */
  readonly executable: string;
}

/** All processes that belong to the platform of this clone. */
export function runningProcesses(): RunningProcess[] {
  const found: RunningProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const folder = join("/proc", entry);
      const environment = readFileSync(join(folder, "environ"), "utf8").split("\0");
      if (!environment.includes(`${platformVariable}=${stateFolder}`)) continue;
      // A zombie has ended; it waits only to be collected by its parent.
      if (/^State:\s+[ZX]/m.test(readFileSync(join(folder, "status"), "utf8"))) continue;
      const name = environment.find((line) => line.startsWith(`${processVariable}=`));
      const [command = ""] = readFileSync(join(folder, "cmdline"), "utf8").split("\0");
      found.push({
        pid: Number(entry),
        name: name?.slice(processVariable.length + 1) ?? "",
        executable: basename(command),
      });
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return found;
}

/** The environment that marks a process, and all its children, as the platform's. */
export function marked(name: string, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...environment, [platformVariable]: stateFolder, [processVariable]: name };
}

export interface ProcessDefinition {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

export function logFile(name: string): string {
  return join(paths.logs, `${name}.log`);
}

/** Starts a process that outlives this command, its output appended to its log. */
export async function startProcess(definition: ProcessDefinition): Promise<void> {
  const log = openSync(logFile(definition.name), "a", 0o600);
  try {
    const child = spawn(definition.command, definition.arguments, {
      detached: true,
      stdio: ["ignore", log, log],
      env: marked(definition.name, { ...process.env, ...definition.environment }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => {
        reject(
          new Error(
            `${definition.name}: ${definition.command} could not be started: ${error.message}`,
          ),
        );
      });
    });
    child.unref();
  } finally {
    closeSync(log);
  }
}

/** The last lines of a log, at most `lines` of them. */
export function logTail(file: string, lines = 15): string {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return "(no log)";
  }
  try {
    const { size } = fstatSync(handle);
    const buffer = Buffer.alloc(Math.min(size, 16 * 1024));
    readSync(handle, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } finally {
    closeSync(handle);
  }
}

/** A process that should run and does not. The message ends with the last lines of its log. */
export class ProcessDiedError extends Error {
  constructor(readonly process: string) {
    const file = logFile(process);
    super(
      `${process} has ended. The last lines of ${file}:\n${logTail(file).replaceAll(/^/gm, "    ")}`,
    );
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Ended meanwhile.
  }
}

/**
 * Ends the processes that `selected` picks: asked first, killed after
 * `graceSeconds`, and gone when this returns.
 */
export async function stopProcesses(
  selected: (running: RunningProcess) => boolean,
  graceSeconds = 5,
): Promise<void> {
  const started = Date.now();
  const asked = new Set<number>();
  for (;;) {
    const remaining = runningProcesses().filter(
      (running) => running.pid !== process.pid && selected(running),
    );
    if (remaining.length === 0) return;
    const late = Date.now() - started > graceSeconds * 1000;
    for (const { pid } of remaining) {
      if (late) signal(pid, "SIGKILL");
      else if (!asked.has(pid)) {
        asked.add(pid);
        signal(pid, "SIGTERM");
      }
    }
    if (Date.now() - started > (graceSeconds + 10) * 1000) {
      throw new Error(
        `these processes do not end: ${remaining.map(({ pid, name }) => `${name} (${pid})`).join(", ")}`,
      );
    }
    await delay(50);
  }
}
