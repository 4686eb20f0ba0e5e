import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  access,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const day = 24 * 60 * 60 * 1000;
const unusedAfter = 30 * day;

/** Folder of everything Tenantry caches: $TENANTRY_CACHE, else $XDG_CACHE_HOME/tenantry, else ~/.cache/tenantry. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TENANTRY_CACHE) return env.TENANTRY_CACHE;
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "tenantry");
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    codes.includes(error.code)
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync().finally(() => handle.close());
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await sync(path);
  }
  await sync(folder);
}

/**
 * The toolchain's part of the cache. An entry is a folder `<name>/<key>` that appears whole or not
 * at all, so its presence means that it is finished. Several processes may share a cache.
 */
export class ToolchainCache {
  readonly folder: string;
  /** Folder of the logs of builds. */
  readonly logs: string;

  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.folder = join(cacheFolder(env), "toolchain");
    this.logs = join(this.folder, "logs");
  }

  /** Folder of the entry with that name and key, whether it exists or not. */
  entry(name: string, key: string): string {
    return join(this.folder, name, key);
  }

  /** Whether the entry is there with all those files; if so, marks it as used. */
  async has(entry: string, files: readonly string[]): Promise<boolean> {
    const found = await Promise.all(files.map((file) => exists(join(entry, file))));
    if (found.includes(false)) return false;
    const now = Date.now();
    // A day's precision is enough to prune by and spares a write on each run. A cache that cannot
    // be written to (shared, read-only) still serves.
    const info = await stat(entry).catch(() => undefined);
    if (info === undefined) return false;
    if (now - info.mtimeMs > day) {
      await utimes(entry, new Date(now), new Date(now)).catch(() => undefined);
    }
    return true;
  }

  /**
   * Makes an entry with those files: `fill` writes into the first folder, may use the second for its temporary
   * files, and the entry appears when it has succeeded. Nothing stays behind when it fails.
   */
  async create(
    entry: string,
    files: readonly string[],
    fill: (content: string, scratch: string) => Promise<void>,
  ): Promise<void> {
    const id = randomBytes(4).toString("hex");
    const temporary = join(this.folder, "tmp", `${hostname()}-${process.pid}-${id}`);
    const content = join(temporary, "content");
    const scratch = join(temporary, "scratch");
    try {
      await mkdir(content, { recursive: true });
      await mkdir(scratch);
      await fill(content, scratch);
      await syncTree(content);
      await mkdir(dirname(entry), { recursive: true });
      try {
        await rename(content, entry);
      } catch (error) {
        if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error;
        // Another run was faster, or what stands there is damaged.
        if (await this.has(entry, files)) return;
        await rm(entry, { recursive: true, force: true });
        await rename(content, entry);
      }
      await sync(dirname(entry));
    } finally {
      await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /**
   * Runs `work` while holding the lock of that name, across processes. While another holds it,
   * waits; `onWaiting` is called once. The lock of a killed process lapses after 5 s.
   */
  async withLock<T>(
    name: string,
    work: () => Promise<T>,
    options: { onWaiting?: () => void; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { lock } = (await import("proper-lockfile")).default;
    const folder = join(this.folder, "locks");
    await mkdir(folder, { recursive: true });
    let release: (() => Promise<void>) | undefined;
    let waiting = false;
    while (release === undefined) {
      options.signal?.throwIfAborted();
      try {
        // A lock lost to a suspended machine does no harm: entries are made aside and renamed.
        const onCompromised = () => undefined;
        release = await lock(join(folder, name), { realpath: false, stale: 5000, onCompromised });
      } catch (error) {
        if (!hasCode(error, "ELOCKED")) throw error;
        if (!waiting) options.onWaiting?.();
        waiting = true;
        await sleep(250, undefined, { signal: options.signal });
      }
    }
    try {
      return await work();
    } finally {
      await release().catch(() => undefined);
    }
  }

  /** Removes what killed runs have left in the making. */
  async sweep(): Promise<void> {
    const folder = join(this.folder, "tmp");
    for (const { name } of await entriesOf(folder)) {
      const [, host, pid] = /^(.*)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
      const info = await stat(join(folder, name)).catch(() => undefined);
      const old = info !== undefined && Date.now() - info.mtimeMs > day;
      if (old || (host === hostname() && !isAlive(Number(pid)))) {
        await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 }).catch(
          () => undefined,
        );
      }
    }
  }

  /** Removes entries that nobody has used for 30 days. */
  async prune(): Promise<void> {
    const others = ["tmp", "locks", "logs"];
    for (const group of await entriesOf(this.folder)) {
      if (!group.isDirectory() || others.includes(group.name)) continue;
      for (const { name } of await entriesOf(join(this.folder, group.name))) {
        const entry = join(this.folder, group.name, name);
        const info = await stat(entry).catch(() => undefined);
        if (info !== undefined && Date.now() - info.mtimeMs > unusedAfter) {
          await rm(entry, { recursive: true, force: true });
        }
      }
    }
  }

  /** Reads a small JSON object of the cache; a missing or unreadable one is empty. */
  async readRecord<T>(
    file: string,
    isValue: (value: unknown) => value is T,
  ): Promise<Map<string, T>> {
    const record = new Map<string, T>();
    try {
      const content: unknown = JSON.parse(await readFile(join(this.folder, file), "utf8"));
      for (const [key, value] of Object.entries(content ?? {})) {
        if (isValue(value)) record.set(key, value);
      }
    } catch {
      // It only spares work: without it the work is done again.
    }
    return record;
  }

  /** Replaces a small JSON object of the cache. */
  async writeRecord(file: string, record: ReadonlyMap<string, unknown>): Promise<void> {
    const path = join(this.folder, file);
    const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
    await mkdir(this.folder, { recursive: true });
    await writeFile(temporary, JSON.stringify(Object.fromEntries(record), undefined, 2) + "\n");
    await rename(temporary, path);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}
