import { join } from "node:path";
import { hostComponents, hostLogs } from "./host-cluster.ts";
import { logFile, logTail, runningProcesses } from "./processes.ts";
import { services } from "./services.ts";
import { readPlatform } from "./state.ts";
import { missingHostComponents } from "./up.ts";

/** One process of the dev platform. */
export interface ProcessStatus {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  /** `ready`: it answers; `starting`: it runs and does not answer yet; `dead`: it has ended. */
  readonly state: "ready" | "starting" | "dead";
  readonly log: string;
  /** The last lines of the log of a dead process. */
  readonly lastLines?: string;
}

/** What runs of the dev platform; undefined when there is none. */
export async function platformStatus(): Promise<readonly ProcessStatus[] | undefined> {
  const platform = readPlatform();
  if (platform === undefined) return undefined;
  const running = new Set(runningProcesses().map(({ name }) => name));
  const missing = new Set<string>(missingHostComponents());
  const dead = (log: string): Pick<ProcessStatus, "state" | "lastLines"> => ({
    state: "dead",
    lastLines: logTail(log),
  });
  const host = hostComponents.map((name): ProcessStatus => {
    const log = join(hostLogs, `${name}.log`);
    return {
      name,
      role: "host cluster",
      address: "",
      log,
      ...(missing.has(name) ? dead(log) : { state: "ready" }),
    };
  });
  const servers = await Promise.all(
    services(platform).map(async ({ name, role, address, ready }): Promise<ProcessStatus> => {
      const log = logFile(name);
      if (!running.has(name)) return { name, role, address, log, ...dead(log) };
      return { name, role, address, log, state: (await ready()) ? "ready" : "starting" };
    }),
  );
  return [...host, ...servers];
}
