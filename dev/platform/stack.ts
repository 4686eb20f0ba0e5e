import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Document, parseDocument } from "yaml";
import { z } from "zod";
import { devStack, platformVariables } from "./environment.ts";
import { hostContext } from "./host-cluster.ts";
import { logFile, marked, runningProcesses, stopProcesses } from "./processes.ts";
import { runCommand } from "./run-command.ts";
import { gitOwner } from "./services.ts";
import {
  makePrivateFolder,
  paths,
  projectFolder,
  type PlatformRecord,
  writePrivate,
} from "./state.ts";

/** The name that marks the processes of a Pulumi command. */
const pulumiProcess = "pulumi";

export function pulumiEnvironment(platform: PlatformRecord): NodeJS.ProcessEnv {
  return marked(pulumiProcess, {
    ...process.env,
    ...platformVariables(platform),
    GITHUB_TOKEN: readFileSync(join(paths.tokens, "platform"), "utf8"),
    // The chart comes from this platform's own mirror: what is kept of it goes with the platform.
    TENANTRY_CACHE: paths.chartCache,
    // The GitHub provider leaves a cache of its answers there each time.
    TMPDIR: platform.temporary,
    PATH: `${platform.bin}:${process.env["PATH"] ?? ""}`,
  });
}

export async function pulumi(
  platform: PlatformRecord,
  commandArguments: readonly string[],
  options: { readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  return await runCommand(
    join(platform.bin, "pulumi"),
    [...commandArguments, "--non-interactive"],
    {
      environment: pulumiEnvironment(platform),
      cwd: projectFolder,
      ...options,
    },
  );
}

/** The providers' releases, which are those of the SDKs that the program is written with. */
function providerVersions(): Record<string, string> {
  const Package = z.object({ dependencies: z.record(z.string(), z.string()) });
  const { dependencies } = Package.parse(
    JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")),
  );
  return Object.fromEntries(
    ["kubernetes", "github"].map((name) => {
      const version = dependencies[`@pulumi/${name}`];
      if (version === undefined) throw new Error(`package.json does not name @pulumi/${name}`);
      return [name, version];
    }),
  );
}

/** Gives the engine the toolchain's providers as installed plugins, of the very release that the program asks for. */
function installProviders(platform: PlatformRecord): void {
  for (const [name, version] of Object.entries(providerVersions())) {
    const folder = join(paths.pulumiHome, "plugins", `resource-${name}-v${version}`);
    mkdirSync(folder, { recursive: true });
    const link = join(folder, `pulumi-resource-${name}`);
    rmSync(link, { force: true });
    symlinkSync(join(platform.bin, `pulumi-resource-${name}`), link);
  }
}

/** The stack settings of this platform: those of Pulumi.dev.yaml and what only the running platform knows. */
function renderStackConfig(platform: PlatformRecord): void {
  const { ports } = platform;
  const document = parseDocument(readFileSync(join(projectFolder, "Pulumi.dev.yaml"), "utf8"));
  for (const key of [["encryptionsalt"], ["config", tokenKey]]) {
    document.setIn(key, stackSecrets().getIn(key));
  }
  document.setIn(["config", "tenantry:host", "context"], hostContext);
  document.setIn(["config", "tenantry:argocd", "url"], `http://127.0.0.1:${ports.argocd}`);
  document.setIn(
    ["config", "tenantry:charts", "vcluster", "repository"],
    `http://127.0.0.1:${ports.charts}`,
  );
  document.setIn(["config", "tenantry:virtualClusters", "port"], ports.gateway);
  document.setIn(["config", "tenantry:git", "url"], `http://127.0.0.1:${ports.github}`);
  document.setIn(["config", "tenantry:git", "owner"], gitOwner);
  writePrivate(paths.stackConfig, document.toString());
}

/** The setting that holds the token by which Argo CD reads the repositories. */
const tokenKey = "tenantry:gitArgocdToken";

/**
 * The part of the stack's settings that is made with the stack: how its secrets
 * are encrypted, and the encrypted ones. Pulumi writes them beside the project
 * file, so that is another than the repository's.
 */
const secretsFolder = join(paths.pulumiHome, "..", "settings");

function stackSecrets(): Document {
  try {
    return parseDocument(readFileSync(join(secretsFolder, `Pulumi.${devStack}.yaml`), "utf8"));
  } catch {
    return new Document({});
  }
}

/** Makes the stack and its settings, where they are not there yet. */
export async function prepareStack(platform: PlatformRecord, signal: AbortSignal): Promise<void> {
  makePrivateFolder(paths.pulumiBackend);
  makePrivateFolder(paths.pulumiHome);
  makePrivateFolder(secretsFolder);
  installProviders(platform);
  if (!existsSync(paths.pulumiPassphrase)) {
    writePrivate(paths.pulumiPassphrase, randomBytes(32).toString("base64"));
  }
  if (stackSecrets().getIn(["config", tokenKey]) === undefined) {
    const environment = pulumiEnvironment(platform);
    delete environment["PULUMI_OPTION_CONFIG_FILE"];
    const inSettings = { environment, cwd: secretsFolder, signal };
    const command = join(platform.bin, "pulumi");
    writePrivate(join(secretsFolder, "Pulumi.yaml"), "name: tenantry\nruntime: nodejs\n");
    await runCommand(command, ["stack", "init", devStack, "--non-interactive"], inSettings);
    await runCommand(command, ["config", "set", "--secret", tokenKey, "--non-interactive"], {
      ...inSettings,
      input: readFileSync(join(paths.tokens, "argocd"), "utf8"),
    });
  }
  renderStackConfig(platform);
}

const PendingOperation = z.object({
  type: z.string(),
  resource: z.object({
    urn: z.string(),
    type: z.string(),
    inputs: z.record(z.string(), z.unknown()).optional(),
    parent: z.string().optional(),
    provider: z.string().optional(),
  }),
});
type PendingOperation = z.infer<typeof PendingOperation>;
const Deployment = z.object({
  deployment: z.object({ pending_operations: z.array(PendingOperation).nullish() }),
});

/**
 * Makes a stack fit for the next update after a run that was cut off.
 *
 * An update that outlived the command that started it is waited for. The lock
 * of a dead one is removed. Creations of which the engine does not know whether
 * they happened are settled: Kubernetes objects are simply applied again, but a
 * repository that exists already has to be taken over, by its name.
 */
export async function recoverStack(
  platform: PlatformRecord,
  report: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const engineRuns = (): boolean =>
    runningProcesses().some(
      ({ name, executable }) => name === pulumiProcess && executable === "pulumi",
    );
  if (engineRuns()) report("waiting for the update of an earlier run to end");
  while (engineRuns()) await delay(200, undefined, { signal });
  // The providers of a killed engine: what one of them still asks for has to be over before it is looked for.
  await stopProcesses(({ name, executable }) => name === pulumiProcess && executable !== "pulumi");

  const locks = join(paths.pulumiBackend, ".pulumi", "locks");
  const stackFile = join(paths.pulumiBackend, ".pulumi", "stacks", "tenantry", `${devStack}.json`);
  // No engine of this platform runs, and no other machine shares this folder: whoever held a lock is dead.
  rmSync(locks, { recursive: true, force: true });
  if (!existsSync(stackFile) || !readFileSync(stackFile, "utf8").includes('"pending_operations"'))
    return;

  const exported: unknown = JSON.parse(await pulumi(platform, ["stack", "export"], { signal }));
  const pending = Deployment.parse(exported).deployment.pending_operations ?? [];
  if (pending.length === 0) return;
  report(`settling ${pending.length} operations that an earlier run left open`);
  await pulumi(
    platform,
    ["refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--run-program=false"],
    { signal },
  );
  for (const { type, resource } of pending) {
    if (type !== "creating" || resource.type !== "github:index/repository:Repository") continue;
    const name = resource.inputs?.["name"];
    if (typeof name === "string" && (await repositoryExists(platform, name))) {
      report(`taking over the repository ${name}, which that run had just made`);
      await importResource(platform, resource, name, signal);
    }
  }
}

/** Takes a resource that exists into the state, as the one that the program registers. */
async function importResource(
  platform: PlatformRecord,
  { urn, type, parent, provider }: PendingOperation["resource"],
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const file = join(platform.temporary, "import.json");
  // A provider's reference is its URN and its id.
  const nameTable = { parent, provider: provider?.replace(/::[^:]*$/, "") };
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  const resources = [{ type, name, id, parent: "parent", provider: "provider" }];
  writePrivate(file, JSON.stringify({ nameTable, resources }));
  await pulumi(
    platform,
    [
      ...["import", "--yes", "--skip-preview", "--protect=false", "--generate-code=false"],
      ...["--file", file],
    ],
    { signal },
  );
}

async function repositoryExists(platform: PlatformRecord, name: string): Promise<boolean> {
  const response = await fetch(
    `http://127.0.0.1:${platform.ports.github}/api/v3/repos/${gitOwner}/${name}`,
    {
      headers: { authorization: `token ${readFileSync(join(paths.tokens, "platform"), "utf8")}` },
      signal: AbortSignal.timeout(10_000),
    },
  );
  await response.arrayBuffer();
  return response.ok;
}

/** What the program exports of each tenant; the kubeconfigs beside it are secret and masked here. */
export const StackOutputs = z.object({
  tenants: z
    .record(
      z.string(),
      z.object({
        namespace: z.string(),
        apiUrl: z.string(),
        argocdUrl: z.string(),
        repositoryUrl: z.string(),
      }),
    )
    .default({}),
});
export type TenantOutputs = z.infer<typeof StackOutputs>["tenants"];

const ResourceEvent = z.object({
  metadata: z.object({
    op: z.string(),
    urn: z.string(),
    type: z.string(),
    new: z.object({ outputs: z.unknown() }).nullish(),
  }),
});
const EngineEvent = z.object({
  resourcePreEvent: ResourceEvent.optional(),
  resOutputsEvent: ResourceEvent.optional(),
  diagnosticEvent: z
    .object({ severity: z.string(), message: z.string(), urn: z.string().optional() })
    .optional(),
  summaryEvent: z.object({ resourceChanges: z.record(z.string(), z.number()) }).optional(),
});

/** How an update went. */
export interface UpdateResult {
  /** How many resources were created, updated, deleted or left as they were, by the engine's words: `create`, `same`, … */
  readonly changes: Readonly<Record<string, number>>;
  readonly tenants: TenantOutputs;
}

/** An update that failed: the engine's own diagnostics. */
export class UpdateError extends Error {}

/**
 * Runs `pulumi up`. `report` is told what is being waited for whenever that
 * changes. When `signal` is aborted, the engine is asked to stop, finishes what
 * it is at, and saves what it did.
 */
export async function updateStack(
  platform: PlatformRecord,
  report: (line: string) => void,
  signal: AbortSignal,
): Promise<UpdateResult> {
  writePrivate(paths.pulumiEvents, "");
  const inProgress = new Map<string, string>();
  const diagnostics: string[] = [];
  let changes: Readonly<Record<string, number>> = {};
  let tenants: TenantOutputs = {};
  const name = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

  const onEvent = (line: string): void => {
    const event = EngineEvent.parse(JSON.parse(line));
    const started = event.resourcePreEvent?.metadata;
    if (
      started !== undefined &&
      started.op !== "same" &&
      !/^(tenantry:|pulumi:pulumi:Stack)/.test(started.type)
    ) {
      inProgress.set(started.urn, `${started.op} ${name(started.urn)}`);
    }
    const ended = event.resOutputsEvent?.metadata;
    if (ended !== undefined) inProgress.delete(ended.urn);
    if (ended?.type === "pulumi:pulumi:Stack" && ended.new?.outputs) {
      tenants = StackOutputs.parse(ended.new.outputs).tenants;
    }
    const diagnostic = event.diagnosticEvent;
    if (diagnostic?.severity === "error") {
      const where = diagnostic.urn === undefined ? "" : `${name(diagnostic.urn)}: `;
      diagnostics.push(`${where}${diagnostic.message.replaceAll(/<\{%[^%]*%\}>/g, "").trim()}`);
      // The engine lets the others end before it does: that may take minutes.
      report(`failed: ${diagnostics.at(-1)?.split("\n")[0] ?? ""}`);
    }
    if (event.summaryEvent !== undefined) changes = event.summaryEvent.resourceChanges;
    const [first, ...rest] = [...inProgress.values()].reverse();
    if (first !== undefined) {
      report(rest.length === 0 ? first : `${first}, and ${rest.length} more under way`);
    }
  };

  // A descriptor, and not a pipe through this process: the engine outlives it if it is killed.
  const log = openSync(logFile("pulumi"), "a", 0o600);
  // A process group of its own: an interrupt from the terminal reaches the engine once, through here.
  const engine = spawn(
    join(platform.bin, "pulumi"),
    [
      ...["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"],
      ...["--parallel", "64", "--event-log", paths.pulumiEvents],
    ],
    {
      cwd: projectFolder,
      // The event log is one of the engine's debugging aids, and what its Automation API reads.
      env: { ...pulumiEnvironment(platform), PULUMI_DEBUG_COMMANDS: "true" },
      stdio: ["ignore", log, log],
      detached: true,
    },
  );
  closeSync(log);
  const ended = once(engine, "exit");
  const interrupt = (): void => {
    report("interrupted: the engine saves what it did");
    engine.kill("SIGINT");
  };
  signal.addEventListener("abort", interrupt, { once: true });

  let read = 0;
  const readEvents = (): void => {
    const text = readFileSync(paths.pulumiEvents, "utf8");
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(read, end).split("\n")) if (line !== "") onEvent(line);
    read = Math.max(read, end);
  };
  const poll = setInterval(readEvents, 200);
  try {
    await ended;
    readEvents();
    signal.throwIfAborted();
    if (engine.exitCode !== 0) {
      throw new UpdateError(
        diagnostics.length > 0
          ? `the update failed:\n${diagnostics.join("\n").replaceAll(/^/gm, "    ")}`
          : `the update failed: see ${logFile("pulumi")}`,
      );
    }
    return { changes, tenants };
  } finally {
    clearInterval(poll);
    signal.removeEventListener("abort", interrupt);
  }
}
