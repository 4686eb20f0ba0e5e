import { createHash } from "node:crypto";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { copyFiles, packChart } from "./asset-files.ts";
import { partOnPath } from "./binary-on-path.ts";
import type {
  Architecture,
  Asset,
  AssetName,
  BinaryName,
  Part,
  TestBinaryName,
} from "./binaries.ts";
import { assets as allAssets, parts as allParts, testParts } from "./binaries.ts";
import { download, downloadAddress, DownloadUnavailable, reachableHosts } from "./download.ts";
import { goBuild, goBuildArguments, groupHash, moduleFolder } from "./go-build.ts";
import { preflight } from "./preflight.ts";
import { ToolchainCache } from "./toolchain-cache.ts";
import { ToolchainError } from "./toolchain-error.ts";
import type { Means, PlannedStep, ToolchainEvent } from "./toolchain-event.ts";

/** A binary that is ready to run. */
export interface ResolvedBinary {
  /** Its absolute path. */
  readonly path: string;
  readonly version: string;
  readonly origin: "path" | "download" | "build";
}

/** Everything that was asked for, by name. */
export interface Toolchain<Name extends string = BinaryName, AssetKey extends string = AssetName> {
  readonly binaries: Readonly<Record<Name, ResolvedBinary>>;
  /** Absolute paths of folders of manifests, and of packed charts: to be read, not changed. */
  readonly assets: Readonly<Record<AssetKey, string>>;
  /** Absolute path of a folder that holds a link to each of these binaries and nothing else. */
  readonly bin: string;
}

/** What to provide: parts and assets, and the folder with their module groups. */
export interface ToolchainDefinition {
  readonly parts: readonly Part[];
  readonly assets: readonly Asset[];
  readonly modules: string;
}

/** How to complete a toolchain. */
export interface EnsureOptions {
  readonly onEvent?: (event: ToolchainEvent) => void;
  /** Ends a running build or download and leaves nothing half done. */
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

/** A copy of an environment in which the toolchain's binaries come first on PATH. */
export function toolchainEnvironment(
  toolchain: { readonly bin: string },
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  return { ...env, PATH: [toolchain.bin, env.PATH].filter(Boolean).join(delimiter) };
}

/**
 * Provides the dev platform's binaries (or those named, a test's too) and assets: each from PATH,
 * else from its official download, else built from its pinned module, and kept in the cache. Throws
 * ToolchainError; with `signal` aborted, the signal's reason.
 */
export async function ensureToolchain<Name extends BinaryName | TestBinaryName = BinaryName>(
  options: EnsureOptions & { readonly names?: readonly Name[] } = {},
): Promise<Toolchain<Name>> {
  const names: readonly string[] | undefined = options.names;
  const parts: readonly Part[] = names
    ? [...allParts, ...testParts].filter(({ builds }) =>
        builds.some(({ binary }) => names.includes(binary)),
      )
    : allParts;
  const modules = join(import.meta.dirname, "modules");
  const toolchain = await ensureDefinition({ parts, assets: allAssets, modules }, options);
  const { binaries, assets } = toolchain;
  const wanted = names ?? parts.flatMap(({ builds }) => builds.map(({ binary }) => binary));
  if (!hasKeys<Name, ResolvedBinary>(binaries, wanted)) throw new Error("a binary is not defined");
  if (
    !hasKeys<AssetName, string>(
      assets,
      allAssets.map(({ name }) => name),
    )
  ) {
    throw new Error("an asset is not defined");
  }
  return { binaries, assets, bin: toolchain.bin };
}

function hasKeys<Key extends string, Value>(
  record: Readonly<Record<string, Value>>,
  keys: readonly string[],
): record is Readonly<Record<Key, Value>> {
  return keys.every((key) => key in record);
}

/** One way to make an entry of the cache. */
interface Route {
  readonly means: Means;
  readonly entry: string;
  /** Files by which a finished entry is known. */
  readonly files: readonly string[];
  /** A download's address. */
  readonly address?: string;
  readonly make: (content: string, scratch: string) => Promise<void>;
}

/** A part or an asset: where it is, or the ways to make it, best first. */
interface Item {
  readonly name: string;
  readonly version: string;
  readonly part?: Part;
  readonly group: string;
  routes: readonly Route[];
  found?: { readonly means: Means | "path"; readonly version: string };
  files?: Readonly<Record<string, string>>;
}

/** Provides what a definition lists; ensureToolchain does so for the dev platform's. */
export async function ensureDefinition(
  definition: ToolchainDefinition,
  options: EnsureOptions = {},
): Promise<Toolchain<string, string>> {
  const run = new Run(definition, options);
  return run.ensure();
}

class Run {
  private readonly started = performance.now();
  private readonly env: NodeJS.ProcessEnv;
  private readonly cache: ToolchainCache;
  private readonly architecture: Architecture;
  private readonly failed = new AbortController();
  private readonly signal: AbortSignal;
  private durations = new Map<string, number>();

  constructor(
    private readonly definition: ToolchainDefinition,
    private readonly options: EnsureOptions,
  ) {
    this.env = options.env ?? process.env;
    this.cache = new ToolchainCache(this.env);
    const aborts = [this.failed.signal, ...(options.signal ? [options.signal] : [])];
    this.signal = AbortSignal.any(aborts);
    if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64")) {
      throw new ToolchainError(
        `The dev platform does not run on ${process.platform}/${process.arch}.`,
        undefined,
        "use Linux on x86-64 or ARM64: a machine, a virtual machine or WSL 2",
      );
    }
    this.architecture = process.arch === "x64" ? "amd64" : "arm64";
  }

  async ensure(): Promise<Toolchain<string, string>> {
    this.options.signal?.throwIfAborted();
    try {
      const { parts, assets } = this.definition;
      const items: Item[] = await Promise.all([
        ...parts.map((part) => this.partItem(part)),
        ...assets.map((asset) => this.assetItem(asset)),
      ]);
      for (const item of items) await this.locate(item);
      const missing = items.filter((item) => item.found === undefined);
      if (missing.length > 0) await this.make(items, missing);
      const toolchain = await this.result(items);
      const seconds = (performance.now() - this.started) / 1000;
      this.emit({ type: "ready", bin: toolchain.bin, made: missing.length, seconds });
      return toolchain;
    } catch (error) {
      this.emit({ type: "failed" });
      throw error;
    }
  }

  private emit(event: ToolchainEvent): void {
    this.options.onEvent?.(event);
  }

  private key(version: string, means: Means, recipe: unknown): string {
    const hash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
    return `${version}-linux-${this.architecture}-${means}-${hash}`;
  }

  private context(name: string, scratch: string) {
    const { env, architecture, signal } = this;
    const logFile = join(this.cache.logs, `${name}.log`);
    return { modules: this.definition.modules, architecture, scratch, logFile, env, signal };
  }

  private async partItem(part: Part): Promise<Item> {
    const { modules } = this.definition;
    const files = part.builds.map((build) => build.binary);
    const sources = await Promise.all(part.builds.map(({ group }) => groupHash(modules, group)));
    const version = part.version ?? (sources[0] ?? "").slice(0, 12);
    const recipe = [part.builds.map((build) => goBuildArguments(build, "")), sources];
    const build: Route = {
      means: "build",
      entry: this.cache.entry(part.name, this.key(version, "build", recipe)),
      files,
      make: async (content, scratch) => {
        for (const each of part.builds) {
          await goBuild(each, join(content, each.binary), this.context(each.binary, scratch));
        }
      },
    };
    const release = part.download?.(this.architecture);
    const fetched: Route | undefined = release && {
      means: "download",
      entry: this.cache.entry(part.name, this.key(version, "download", release)),
      files,
      address: downloadAddress(release.url, this.env),
      make: (content, scratch) => {
        let last = performance.now();
        const onBytes = (received: number, total: number | undefined) => {
          if (performance.now() - last < 1000) return;
          last = performance.now();
          const of = total === undefined ? "" : ` of ${Math.round(total / 1e6)}`;
          const message = `${Math.round(received / 1e6)}${of} MB`;
          this.emit({ type: "progress", name: part.name, message });
        };
        const { env, signal } = this;
        return download(release, part.name, content, scratch, { env, signal, onBytes });
      },
    };
    const routes = fetched ? [fetched, build] : [build];
    return { name: part.name, version, part, group: part.builds[0].group, routes };
  }

  private async assetItem(asset: Asset): Promise<Item> {
    const { name, version, module, group, chart } = asset;
    const file = chart === undefined ? "manifests" : `${chart}-${version}.tgz`;
    const recipe = [asset, await groupHash(this.definition.modules, group)];
    const copy: Route = {
      means: "copy",
      entry: this.cache.entry(name, this.key(version, "copy", recipe)),
      files: [file],
      make: async (content, scratch) => {
        const pinned = { path: module, version: `v${version}` };
        const source = await moduleFolder(pinned, group, this.context(name, scratch));
        const files = join(source, asset.folder);
        await copyFiles(files, join(chart === undefined ? content : scratch, chart ?? file));
        if (chart !== undefined) await packChart(scratch, chart, version, join(content, file));
      },
    };
    return { name, version, group, routes: [copy] };
  }

  /** Looks an item up on PATH, then in the cache. */
  private async locate(item: Item): Promise<void> {
    const onPath = item.part && (await partOnPath(item.part, this.cache, this.env));
    if (onPath) {
      item.found = { means: "path", version: onPath.version };
      item.files = onPath.files;
      return;
    }
    for (const route of item.routes) await this.accept(item, route);
  }

  private async accept(item: Item, { means, entry, files }: Route): Promise<boolean> {
    if (item.found || !(await this.cache.has(entry, files))) return false;
    item.found = { means, version: item.version };
    item.files = Object.fromEntries(files.map((file) => [file, join(entry, file)]));
    return true;
  }

  private async make(items: readonly Item[], missing: readonly Item[]): Promise<void> {
    const isNumber = (value: unknown): value is number => typeof value === "number";
    this.durations = await this.cache.readRecord("durations.json", isNumber);
    const addresses = missing.flatMap(({ routes }) =>
      routes.flatMap(({ address }) => address ?? []),
    );
    const reachable = await reachableHosts(addresses, this.env);
    for (const item of missing) {
      item.routes = item.routes.filter(
        ({ address }) => address === undefined || reachable.has(new URL(address).origin),
      );
    }
    const steps = missing.map((item) => this.step(item, item.routes[0]));
    const estimate = (means: Means[]) =>
      missing.flatMap(({ part }, index) => {
        const step = steps[index];
        if (step === undefined || !means.includes(step.means)) return [];
        return step.lastSeconds ?? (step.means === "build" ? (part?.buildSeconds ?? 0) : 10);
      });
    const sum = (seconds: number[]) => seconds.reduce((total, each) => total + each, 0);
    this.emit({
      type: "plan",
      present: items.filter((item) => item.found).map((item) => item.name),
      missing: steps,
      estimatedSeconds: Math.max(sum(estimate(["build", "copy"])), sum(estimate(["download"]))),
    });
    await this.check(missing.filter((_, index) => steps[index]?.means !== "download"));

    await mkdir(this.cache.logs, { recursive: true });
    await this.cache.sweep();
    // One Go build at a time, as it takes every core; downloads go on beside it, three at a time.
    const builds = new Lane(1);
    const downloads = new Lane(3);
    const made = missing.map((item) =>
      (item.routes[0]?.means === "download" ? downloads : builds)
        .run(() => this.makeItem(item))
        .then((done) => (done ? undefined : builds.run(() => this.buildInstead(item))))
        .catch((error: unknown) => {
          this.failed.abort(error);
          throw error;
        }),
    );
    await Promise.allSettled(made);
    await Promise.all(made);
    await this.cache.prune();
  }

  private step(item: Item, route: Route | undefined): PlannedStep {
    const means = route?.means ?? "build";
    const lastSeconds = this.durations.get(`${means} ${item.name}`);
    const { name, version } = item;
    return { name, version, means, ...(lastSeconds !== undefined && { lastSeconds }) };
  }

  private async check(items: readonly Item[]): Promise<void> {
    const seconds = (parts: readonly (Part | undefined)[]) =>
      parts.reduce((total, part) => total + (part?.buildSeconds ?? 0), 0);
    const built = items.flatMap(({ part }) => part ?? []);
    const faults = await preflight({
      builds: built.flatMap(({ builds }) => builds),
      groups: [
        ...items.map(({ group }) => group),
        ...built.flatMap(({ builds }) => builds.map(({ group }) => group)),
      ],
      modules: this.definition.modules,
      cache: this.cache.folder,
      share: seconds(built) / seconds(allParts),
      architecture: this.architecture,
      env: this.env,
    });
    if (faults.length === 0) return;
    throw new ToolchainError(
      `This machine is not ready for the dev platform:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
      undefined,
      "put these right, then run again; nothing has been built yet",
    );
  }

  /** Makes an item by its first route. False when that was a download that cannot be had. */
  private async makeItem(item: Item): Promise<boolean> {
    const route = item.routes[0];
    if (route === undefined) throw new Error(`${item.name} cannot be obtained`);
    const { name, version } = item;
    const step = this.step(item, route);
    const started = performance.now();
    const onWaiting = () => {
      this.emit({ type: "waiting", name });
    };
    const lock = route.means === "download" ? `download-${name}` : "go";
    return this.cache.withLock(
      lock,
      async () => {
        const done = (means: Means | "elsewhere") => {
          const seconds = (performance.now() - started) / 1000;
          this.emit({ type: "done", name, version, means, seconds });
        };
        if (await this.accept(item, route)) {
          done("elsewhere");
          return true;
        }
        this.emit({ type: "start", ...step });
        const begun = performance.now();
        try {
          await this.cache.create(route.entry, route.files, route.make);
        } catch (error) {
          this.signal.throwIfAborted();
          if (!(error instanceof DownloadUnavailable)) throw error;
          const message = `cannot be downloaded (${error.message}), building it instead`;
          this.emit({ type: "progress", name, message });
          return false;
        }
        await this.accept(item, route);
        done(route.means);
        const seconds = (performance.now() - begun) / 1000;
        this.durations.set(`${route.means} ${name}`, Math.round(seconds * 10) / 10);
        await this.cache.writeRecord("durations.json", this.durations);
        return true;
      },
      { onWaiting, signal: this.signal },
    );
  }

  private async buildInstead(item: Item): Promise<void> {
    item.routes = item.routes.slice(1);
    await this.check([item]);
    await this.makeItem(item);
  }

  private async result(items: readonly Item[]): Promise<Toolchain<string, string>> {
    const binaries: Record<string, ResolvedBinary> = {};
    const assets: Record<string, string> = {};
    for (const { name, part, found, files = {} } of items) {
      if (found === undefined) throw new Error(`${name} has not been obtained`);
      const { means, version } = found;
      if (part === undefined || means === "copy") {
        assets[name] = Object.values(files)[0] ?? "";
        continue;
      }
      for (const [binary, path] of Object.entries(files)) {
        binaries[binary] = { path, version, origin: means };
      }
    }
    const links = Object.entries(binaries).map(([name, { path }]) => [name, path] as const);
    const hash = createHash("sha256").update(JSON.stringify(links.sort())).digest("hex");
    const bin = this.cache.entry("bin", hash.slice(0, 12));
    const names = links.map(([name]) => name);
    if (!(await this.cache.has(bin, names))) {
      await this.cache.create(bin, names, async (content) => {
        for (const [name, path] of links) await symlink(path, join(content, name));
      });
    }
    return { binaries, assets, bin };
  }
}

/** Runs tasks in the order given, so many at a time. */
class Lane {
  private readonly waiting: (() => void)[] = [];
  constructor(private free: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
