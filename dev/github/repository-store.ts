import { randomInt, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { git } from "./git.ts";
import { GitRepository, timestamp } from "./git-repository.ts";
import { KeyedLock } from "./keyed-lock.ts";
import {
  repositoryRecordSchema,
  type RepositoryRecord,
  type RepositorySettings,
} from "./repository-record.ts";

/** A repository: its record as it is now, and its git side. */
export interface Repository {
  record: RepositoryRecord;
  git: GitRepository;
}

/**
 * All repositories of the owner, under one folder: `<name>.git` and `<name>.json` beside it. The
 * JSON file is what makes a repository exist; it is replaced as a whole, so that a crash leaves
 * the old or the new one.
 */
export class RepositoryStore {
  readonly owner: string;
  readonly #directory: string;
  readonly #records = new Map<string, RepositoryRecord>();
  readonly #locks = new KeyedLock();

  private constructor(owner: string, directory: string) {
    this.owner = owner;
    this.#directory = directory;
  }

  /** Reads what is there, and clears away what a crash left half made. */
  static async open(stateDirectory: string, owner: string): Promise<RepositoryStore> {
    const directory = path.join(stateDirectory, "repositories", owner);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = new RepositoryStore(owner, directory);
    const names = new Set(await readdir(directory));
    for (const file of names) {
      const stem = file.replace(/\.(?:json|git)$/, "");
      if (file.endsWith(".json") && names.has(`${stem}.git`)) {
        const content: unknown = JSON.parse(await readFile(path.join(directory, file), "utf8"));
        const record = repositoryRecordSchema.parse(content);
        store.#records.set(key(record.name), record);
        await removeStaleLocks(path.join(directory, `${stem}.git`));
      } else if (isHalfMade(file) && !(file.endsWith(".git") && names.has(`${stem}.json`))) {
        await rm(path.join(directory, file), { recursive: true, force: true });
      }
    }
    return store;
  }

  /** All repositories, oldest first. */
  list(): RepositoryRecord[] {
    return [...this.#records.values()].sort(
      (a, b) => a.created_at.localeCompare(b.created_at) || a.name.localeCompare(b.name),
    );
  }

  /** The repository of that name, in whatever case, if it exists. */
  get(owner: string, name: string): Repository | undefined {
    if (key(owner) !== key(this.owner)) return undefined;
    const record = this.#records.get(key(name));
    return record && { record, git: new GitRepository(this.#gitDirectory(record.name)) };
  }

  /** Makes an empty repository; undefined if the name is taken. */
  async create(name: string, settings: RepositorySettings): Promise<Repository | undefined> {
    return this.#locks.run(key(name), async () => {
      if (this.#records.has(key(name))) return undefined;
      const half = path.join(this.#directory, `new-${randomUUID()}`);
      await git(this.#directory, ["init", "--quiet", "--bare", "--template=", half]);
      await rename(half, this.#gitDirectory(name));
      const now = timestamp();
      const record: RepositoryRecord = {
        id: newId(),
        owner: this.owner,
        name,
        created_at: now,
        updated_at: now,
        pushed_at: now,
        settings,
        topics: [],
        vulnerability_alerts: false,
        rulesets: [],
        webhooks: [],
        deploy_keys: [],
      };
      await this.#save(record);
      return { record, git: new GitRepository(this.#gitDirectory(name)) };
    });
  }

  /** Replaces the record by what `change` makes of it; changes of one repository never overlap. */
  async update(
    name: string,
    change: (record: RepositoryRecord) => RepositoryRecord,
  ): Promise<RepositoryRecord> {
    return this.#locks.run(key(name), async () => {
      const record = this.#records.get(key(name));
      if (record === undefined) throw new Error(`repository ${name} is gone`);
      const changed = change(record);
      await this.#save(changed);
      return changed;
    });
  }

  /** Gives a repository another name; false if that name is taken. */
  async rename(from: string, to: string): Promise<boolean> {
    return this.#locks.run(key(from), async () => {
      const record = this.#records.get(key(from));
      if (record === undefined || this.#records.has(key(to))) return false;
      await this.#save({ ...record, name: to, updated_at: timestamp() });
      await rename(this.#gitDirectory(record.name), this.#gitDirectory(to));
      this.#records.delete(key(from));
      await rm(this.#recordFile(record.name), { force: true });
      return true;
    });
  }

  /** Deletes a repository with everything in it. */
  async delete(name: string): Promise<void> {
    await this.#locks.run(key(name), async () => {
      const record = this.#records.get(key(name));
      if (record === undefined) return;
      this.#records.delete(key(name));
      await rm(this.#recordFile(record.name), { force: true });
      const trash = path.join(this.#directory, `gone-${randomUUID()}`);
      await rename(this.#gitDirectory(record.name), trash);
      await rm(trash, { recursive: true, force: true, maxRetries: 3 });
    });
  }

  async #save(record: RepositoryRecord): Promise<void> {
    await writeFileAtomically(this.#recordFile(record.name), JSON.stringify(record, undefined, 2));
    this.#records.set(key(record.name), record);
  }

  #gitDirectory(name: string): string {
    return path.join(this.#directory, `${name}.git`);
  }

  #recordFile(name: string): string {
    return path.join(this.#directory, `${name}.json`);
  }
}

/** An id for something new, as large as GitHub's are. */
export function newId(): number {
  return randomInt(100_000_000, 2_000_000_000);
}

/** Replaces a file as a whole. It can hold webhook secrets: only its owner may read it. */
async function writeFileAtomically(file: string, content: string): Promise<void> {
  const half = `${file}.${randomUUID()}.tmp`;
  const handle = await open(half, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(half, file);
}

/** A record without its repository or the other way round, a temporary file or folder. */
function isHalfMade(file: string): boolean {
  return /\.(?:git|json|tmp)$|^(?:new|gone)-[0-9a-f-]{36}$/.test(file);
}

/** A git process that was killed leaves its lock files, which would block the ref for ever. */
async function removeStaleLocks(gitDirectory: string): Promise<void> {
  const inRefs = await readdir(path.join(gitDirectory, "refs"), { recursive: true });
  const locks = inRefs.filter((file) => file.endsWith(".lock")).map((file) => `refs/${file}`);
  const ofRepository = ["HEAD.lock", "packed-refs.lock", "config.lock"];
  await Promise.all(
    [...locks, ...ofRepository].map((file) => rm(path.join(gitDirectory, file), { force: true })),
  );
}

/** GitHub compares names without their case. */
function key(name: string): string {
  return name.toLowerCase();
}
