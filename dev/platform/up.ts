import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import getPort from "get-port";
import {
  Listr,
  type ListrDefaultRendererLogLevels,
  ListrLogger,
  type ListrLogLevels,
  PRESET_TIMER,
  ProcessOutput,
} from "listr2";
import lockfile from "proper-lockfile";
import { ensureToolchain, type Toolchain } from "../toolchain/ensure-toolchain.ts";
import { renderToolchainProgress } from "../toolchain/render-toolchain-progress.ts";
import { furnishHostCluster, hostComponents, hostLogs, startHostCluster } from "./host-cluster.ts";
import {
  logTail,
  ProcessDiedError,
  runningProcesses,
  startProcess,
  stopProcesses,
} from "./processes.ts";
import { runCommand } from "./run-command.ts";
import { loadTenants } from "../../tenants/load.ts";
import { TENANT_RULES } from "../../tenants/rules.ts";
import { services, type Service } from "./services.ts";
import { prepareStack, recoverStack, updateStack, type TenantOutputs } from "./stack.ts";
import {
  makePrivateFolder,
  paths,
  Ports,
  PlatformRecord,
  projectFolder,
  readPlatform,
  readRecord,
  stateFolder,
  writePlatform,
  writePrivate,
} from "./state.ts";
import { waitFor } from "./wait.ts";

/** The servers that need nothing of the host cluster, and so start beside it. */
const independent = new Set(["github", "chart-mirror", "redis", "argocd-repo-server"]);

/** One run at a time changes the platform of a clone. The lock of a dead run is taken over after some seconds. */
export async function withPlatformLock<T>(work: () => Promise<T>): Promise<T> {
  makePrivateFolder(stateFolder);
  const release = await lockfile
    .lock(stateFolder, {
      realpath: false,
      lockfilePath: paths.lock,
      stale: 5000,
      update: 1000,
      retries: { retries: 7, minTimeout: 1000, maxTimeout: 1000 },
    })
    .catch((error: unknown) => {
      throw new Error(
        `another run is changing this dev platform (${paths.lock} is held): wait for it to end, then try again`,
        { cause: error },
      );
    });
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Who may do what at the GitHub stand-in. Each token is random and belongs to one user of it. */
const gitUsers = { platform: "admin", argocd: "read", developer: "write" } as const;

function prepareTokens(): void {
  if (existsSync(paths.githubTokens)) return;
  makePrivateFolder(paths.tokens);
  const tokens = Object.entries(gitUsers).map(([login, access]) => {
    const token = `ghp_${randomBytes(24).toString("hex")}`;
    writePrivate(join(paths.tokens, login), token);
    return { token, login, access };
  });
  writePrivate(paths.githubTokens, JSON.stringify(tokens));
}

async function preparePlatform(toolchain: Toolchain): Promise<PlatformRecord> {
  makePrivateFolder(paths.logs);
  prepareTokens();
  const previous = readPlatform();
  if (previous !== undefined) {
    const platform = { ...previous, bin: toolchain.bin };
    writePlatform(platform);
    return platform;
  }
  const chosen: Record<string, number> = {};
  for (const name of Object.keys(Ports.shape)) {
    chosen[name] = await getPort({ host: "127.0.0.1", exclude: Object.values(chosen) });
  }
  const platform = {
    ports: Ports.parse(chosen),
    bin: toolchain.bin,
    temporary: mkdtempSync(join(tmpdir(), "tenantry-")),
    hostReady: false,
  };
  writePlatform(platform);
  return platform;
}

async function prepareCharts(toolchain: Toolchain, platform: PlatformRecord): Promise<void> {
  makePrivateFolder(paths.charts);
  const chart = toolchain.assets.vclusterChart;
  const copy = join(paths.charts, basename(chart));
  if (existsSync(copy) && existsSync(join(paths.charts, "index.yaml"))) return;
  copyFileSync(chart, copy);
  await runCommand(join(platform.bin, "helm"), ["repo", "index", paths.charts], {
    environment: process.env,
  });
}

async function startMissing(wanted: readonly Service[]): Promise<void> {
  const running = new Set(runningProcesses().map(({ name }) => name));
  await Promise.all(
    wanted.filter(({ name }) => !running.has(name)).map(async (service) => startProcess(service)),
  );
}

/** Fails as soon as a server that was started is gone. */
async function watchServices(wanted: readonly Service[], signal: AbortSignal): Promise<never> {
  for (;;) {
    await delay(500, undefined, { signal });
    const running = runningProcesses();
    for (const { name } of wanted) {
      if (!running.some((process) => process.name === name)) throw new ProcessDiedError(name);
    }
    for (const component of missingHostComponents()) {
      throw new Error(
        `${component} of the host cluster has ended. The last lines of its log:\n${logTail(join(hostLogs, `${component}.log`))}`,
      );
    }
  }
}

export function missingHostComponents(): string[] {
  const running = new Set(
    runningProcesses()
      .filter(({ name }) => name === "host-cluster")
      .map(({ executable }) => executable),
  );
  return hostComponents.filter((component) => !running.has(component));
}

async function awaitReady(wanted: readonly Service[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    wanted.map(async (service) => {
      await waitFor(`${service.name} (${service.role}) becoming ready`, 60, service.ready, signal);
    }),
  );
}

/** Ends when all are ready, or as soon as one is dead. */
async function awaitReadyOrDead(wanted: readonly Service[], signal: AbortSignal): Promise<void> {
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  try {
    await Promise.race([awaitReady(wanted, either), watchServices(wanted, either)]);
  } finally {
    end.abort();
  }
}

/**
 * A display for what changes many times a second: a terminal shows the latest,
 * a log gets a line every ten seconds.
 */
function paced(show: (line: string) => void): (line: string) => void {
  if (process.stderr.isTTY) return show;
  let last = Date.now();
  return (line) => {
    if (Date.now() - last < 10_000) return;
    last = Date.now();
    show(line);
  };
}

/** The outcome of a run that brought the platform up. */
export interface PlatformUp {
  readonly platform: PlatformRecord;
  readonly tenants: TenantOutputs;
  /** By the engine's words: `create`, `update`, `delete`, `same`. */
  readonly changes: Readonly<Record<string, number>>;
}

/**
 * Brings up whatever of the dev platform does not run, and the stack on it.
 * A second run changes nothing; a run after a crash or an interrupt goes on
 * where the other ended.
 */
export async function platformUp(signal: AbortSignal): Promise<PlatformUp> {
  // A faulty tenant file is refused before anything is started; the program reads the files itself.
  loadTenants(relative(process.cwd(), join(projectFolder, "tenants")), TENANT_RULES);

  const progress = renderToolchainProgress(process.stderr);
  const toolchain = await ensureToolchain({ onEvent: progress, signal });

  return await withPlatformLock(async () => {
    let platform = await preparePlatform(toolchain);
    const all = services(platform);
    const early = all.filter(({ name }) => independent.has(name));
    let result: Awaited<ReturnType<typeof updateStack>> | undefined;

    // Standard output belongs to the result; what happens is told on standard error.
    const processOutput = new ProcessOutput(process.stderr, process.stderr);
    const tasks = new Listr(
      [
        {
          title: "dev platform",
          task: async (_, task) => {
            const note = (line: string): void => {
              task.output = line;
            };
            await Promise.all([
              (async () => {
                if (missingHostComponents().length > 0 || !platform.hostReady) {
                  note("host cluster starts");
                  await startHostCluster(platform, signal);
                }
                if (!platform.hostReady) {
                  await furnishHostCluster(
                    platform,
                    [toolchain.assets.argocdCrds, toolchain.assets.gatewayApiCrds],
                    signal,
                  );
                  platform = { ...platform, hostReady: true };
                  writePlatform(platform);
                }
                note("host cluster is ready; Argo CD and the vCluster runtime start");
                await startMissing(all.filter(({ name }) => !independent.has(name)));
              })(),
              (async () => {
                await prepareCharts(toolchain, platform);
                await startMissing(early);
              })(),
              (async () => {
                await prepareStack(platform, signal);
                await recoverStack(platform, note, signal);
              })(),
            ]);
            await awaitReadyOrDead(early, signal);
          },
        },
        {
          title: "tenants",
          task: async (_, task) => {
            const watch = new AbortController();
            const update = new AbortController();
            const stop = (): void => {
              update.abort(signal.reason);
            };
            signal.addEventListener("abort", stop, { once: true });
            // A server that dies, or does not become ready, stops the update and is what the run
            // fails with, once the engine has saved what it did.
            let fault: Error | undefined;
            const stopUpdate = (error: unknown): void => {
              if (watch.signal.aborted || signal.aborted) return;
              fault ??= error instanceof Error ? error : new Error(String(error));
              update.abort(error);
            };
            const watching = watchServices(all, watch.signal).catch(stopUpdate);
            const ready = awaitReady(all, update.signal).catch(stopUpdate);
            try {
              const report = paced((line) => {
                task.output = line;
              });
              result = await updateStack(platform, report, update.signal);
              await ready;
            } catch (error) {
              throw fault ?? error;
            } finally {
              watch.abort();
              signal.removeEventListener("abort", stop);
              await Promise.all([watching, ready]);
            }
            if (fault !== undefined) throw fault;
          },
        },
      ],
      {
        rendererOptions: {
          timer: PRESET_TIMER,
          logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput }),
        },
        fallbackRenderer: "simple",
        fallbackRendererOptions: {
          timer: PRESET_TIMER,
          logger: new ListrLogger<ListrLogLevels>({ processOutput }),
        },
        registerSignalListeners: false,
      },
    );
    await tasks.run();
    if (result === undefined) throw new Error("the update gave no result");
    return { platform, tenants: result.tenants, changes: result.changes };
  });
}

/** Removes a folder whole, also where Argo CD took its owner's permissions from the repositories in it. */
function removeFolder(folder: string): void {
  const open = (path: string): void => {
    chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) open(join(path, entry.name));
    }
  };
  if (existsSync(folder)) open(folder);
  rmSync(folder, { recursive: true, force: true });
}

/** Ends everything of the platform and removes its state. True when there was something to remove. */
export async function platformDown(): Promise<boolean> {
  if (!existsSync(stateFolder)) return false;
  return await withPlatformLock(async () => {
    await stopProcesses(() => true);
    const { data: platform } = PlatformRecord.safeParse(readRecord());
    if (platform !== undefined) removeFolder(platform.temporary);
    removeFolder(stateFolder);
    return true;
  });
}
