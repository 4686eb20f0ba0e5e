import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { git, GitError, type GitOptions } from "./git.ts";
import { KeyedLock } from "./keyed-lock.ts";

/** Who wrote or committed something, and when. */
export interface Signature {
  name: string;
  email: string;
  /** ISO 8601, to the second, UTC. */
  date: string;
}

/** One commit, as git has it. */
export interface Commit {
  sha: string;
  tree: string;
  parents: string[];
  author: Signature;
  committer: Signature;
  message: string;
}

/** One line of a tree. */
export interface TreeEntry {
  mode: string;
  type: "blob" | "tree" | "commit";
  sha: string;
  size: number;
  name: string;
  path: string;
}

/** One file that a commit touches, compared with its first parent. */
export interface ChangedFile {
  path: string;
  sha: string;
  status: "added" | "removed" | "modified" | "changed";
  additions: number;
  deletions: number;
}

/** A change of one ref; undefined stands for "does not exist". */
export interface RefUpdate {
  ref: string;
  before: string | undefined;
  after: string | undefined;
}

/** What to commit: the new content of one path, or its removal. */
export interface FileChange {
  path: string;
  content: Uint8Array | undefined;
  message: string;
  author: Signature;
  committer: Signature;
}

/** A ref that was not where it was expected to be. */
export class RefConflict extends Error {
  constructor(actual: string | undefined, expected: string | undefined) {
    super(`is at ${actual ?? zeroSha} but expected ${expected ?? zeroSha}`);
    this.name = "RefConflict";
  }
}

/** A path that cannot be written beside what is there (a file where a folder is, `..`, `.git`). */
export class PathRefused extends Error {}

/** How git writes "no such object". */
export const zeroSha = "0".repeat(40);

const logFormat = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B";

/** A bare repository on disk. Its refs are the truth about branches, tags and contents. */
export class GitRepository {
  static readonly #writes = new KeyedLock();

  readonly directory: string;
  readonly #env: Readonly<Record<string, string>>;

  /** `env` is how a hook shows the objects of a push that is not accepted yet. */
  constructor(directory: string, env: Readonly<Record<string, string>> = {}) {
    this.directory = directory;
    this.#env = env;
  }

  /** Runs `work` when no other such work on this repository is under way. */
  serialised<T>(work: () => Promise<T>): Promise<T> {
    return GitRepository.#writes.run(this.directory, work);
  }

  /** The branch that HEAD names; it need not exist yet. */
  async defaultBranch(): Promise<string> {
    const head = await readFile(path.join(this.directory, "HEAD"), "utf8");
    return head.trim().replace(/^ref: refs\/heads\//, "");
  }

  async setDefaultBranch(branch: string): Promise<void> {
    await this.#text(["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
  }

  /** Renames a branch; HEAD follows. */
  async renameBranch(from: string, to: string): Promise<void> {
    await this.#text(["branch", "-m", "--", from, to]);
  }

  /** Refs that start with one of `prefixes`, with the commits (or tags) they name. */
  async refs(...prefixes: string[]): Promise<{ ref: string; sha: string; type: string }[]> {
    const format = "--format=%(refname)%00%(objectname)%00%(objecttype)";
    const text = await this.#text(["for-each-ref", format, ...prefixes]);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [ref = "", sha = "", type = ""] = line.split("\0");
        return { ref, sha, type };
      });
  }

  /** The object id of a full ref name, if there is one. */
  async refSha(ref: string): Promise<string | undefined> {
    try {
      return await this.#text(["show-ref", "--verify", "--hash", "--", ref]);
    } catch (error) {
      if (error instanceof GitError) return undefined;
      throw error;
    }
  }

  /** The commit that a branch, a tag, a full ref or an id names, if any. */
  async commitSha(name: string): Promise<string | undefined> {
    const candidates = name.startsWith("refs/")
      ? [name]
      : [
          `refs/heads/${name}`,
          `refs/tags/${name}`,
          ...(/^[0-9a-f]{7,40}$/.test(name) ? [name] : []),
        ];
    if (name === "HEAD") candidates.unshift("HEAD");
    for (const candidate of candidates) {
      const sha = await this.#resolve(`${candidate}^{commit}`);
      if (sha !== undefined) return sha;
    }
    return undefined;
  }

  /** The commits that `revisions` select, newest first. */
  async log(
    revisions: readonly string[],
    options: { limit: number; skip?: number; path?: string },
  ) {
    const buffer = await this.#git([
      "log",
      "-z",
      `--format=${logFormat}`,
      `--max-count=${options.limit}`,
      `--skip=${options.skip ?? 0}`,
      ...revisions,
      "--",
      ...(options.path === undefined ? [] : [options.path]),
    ]);
    return parseLog(buffer.toString("utf8"));
  }

  /** One commit by its id. */
  async commit(sha: string): Promise<Commit> {
    const [commit] = await this.log([sha], { limit: 1 });
    if (commit === undefined) throw new Error(`no commit ${sha}`);
    return commit;
  }

  /** The files that a commit touches. */
  async changedFiles(commit: Commit): Promise<ChangedFile[]> {
    const [parent] = commit.parents;
    const range = parent === undefined ? ["--root", commit.sha] : [parent, commit.sha];
    const output = await this.#text([
      "diff-tree",
      "-r",
      "-z",
      "--no-commit-id",
      "--raw",
      "--numstat",
      ...range,
    ]);
    return parseDiffTree(output);
  }

  /** What is at `filePath` in a commit: the entry itself, or undefined. The root has none. */
  async entry(commit: string, filePath: string): Promise<TreeEntry | undefined> {
    const output = await this.#text(["ls-tree", "-z", "-l", commit, "--", filePath]);
    return parseTree(output, "")[0];
  }

  /** The entries of a folder in a commit; the root is "". */
  async list(commit: string, folder: string): Promise<TreeEntry[]> {
    const output = await this.#text(["ls-tree", "-z", "-l", `${commit}:${folder}`]);
    return parseTree(output, folder === "" ? "" : `${folder}/`);
  }

  async blob(sha: string): Promise<Buffer> {
    return this.#git(["cat-file", "blob", sha]);
  }

  /** True if `ancestor` can be reached from `descendant`. */
  async isAncestor(ancestor: string, descendant: string): Promise<boolean> {
    const missing = await this.#text(["rev-list", "--max-count=1", ancestor, "--not", descendant]);
    return missing === "";
  }

  /** True if `sha` brings commits that no ref has yet (only merges, if `merges`). */
  async bringsCommits(sha: string, options: { merges?: boolean } = {}): Promise<boolean> {
    const only = options.merges === true ? ["--merges"] : [];
    return (await this.#text(["rev-list", "--max-count=1", ...only, sha, "--not", "--all"])) !== "";
  }

  /** Writes a commit on top of `parent` and returns its id; no ref moves. */
  async writeCommit(parent: string | undefined, change: FileChange): Promise<string> {
    const index = path.join(this.directory, `index-${randomUUID()}`);
    const env = { GIT_INDEX_FILE: index };
    try {
      if (parent !== undefined) await this.#text(["read-tree", parent], { env });
      if (change.content === undefined) {
        const removal = `0 ${zeroSha}\t${change.path}\0`;
        await this.#text(["update-index", "-z", "--index-info"], { env, input: removal });
      } else {
        const blob = await this.#text(["hash-object", "-w", "--stdin"], { input: change.content });
        const before = parent === undefined ? undefined : await this.entry(parent, change.path);
        const mode = before?.mode === "100755" ? before.mode : "100644";
        const info = `${mode},${blob},${change.path}`;
        await this.#text(["update-index", "--add", "--cacheinfo", info], { env });
      }
      const tree = await this.#text(["write-tree"], { env });
      const parents = parent === undefined ? [] : ["-p", parent];
      return await this.#text(["commit-tree", tree, ...parents, "-F", "-"], {
        input: change.message,
        env: {
          GIT_AUTHOR_NAME: change.author.name,
          GIT_AUTHOR_EMAIL: change.author.email,
          GIT_AUTHOR_DATE: change.author.date,
          GIT_COMMITTER_NAME: change.committer.name,
          GIT_COMMITTER_EMAIL: change.committer.email,
          GIT_COMMITTER_DATE: change.committer.date,
        },
      });
    } catch (error) {
      if (
        error instanceof GitError &&
        /Invalid path|appears as both|cacheinfo/.test(error.stderr)
      ) {
        throw new PathRefused(change.path);
      }
      throw error;
    } finally {
      await rm(index, { force: true });
    }
  }

  /** Moves a ref if it still is where `update.before` says; otherwise throws a RefConflict. */
  async updateRef({ ref, before, after }: RefUpdate): Promise<void> {
    const args = after === undefined ? ["-d", ref] : [ref, after];
    try {
      await this.#text(["update-ref", ...args, before ?? zeroSha]);
    } catch (error) {
      const actual = await this.refSha(ref);
      if (actual !== before) throw new RefConflict(actual, before);
      throw error;
    }
  }

  /** True if git would take this as the full name of a ref. */
  async isRefName(ref: string): Promise<boolean> {
    try {
      await this.#text(["check-ref-format", ref]);
      return true;
    } catch {
      return false;
    }
  }

  /** True if the object exists and is a commit. */
  async hasCommit(sha: string): Promise<boolean> {
    return /^[0-9a-f]{40}$/.test(sha) && (await this.#resolve(`${sha}^{commit}`)) === sha;
  }

  async #resolve(revision: string): Promise<string | undefined> {
    try {
      return await this.#text(["rev-parse", "--verify", "--quiet", "--end-of-options", revision]);
    } catch (error) {
      if (error instanceof GitError) return undefined;
      throw error;
    }
  }

  async #text(args: readonly string[], options: GitOptions = {}): Promise<string> {
    return (await this.#git(args, options)).toString("utf8").replace(/\n$/, "");
  }

  #git(args: readonly string[], options: GitOptions = {}): Promise<Buffer> {
    return git(this.directory, args, { ...options, env: { ...this.#env, ...options.env } });
  }
}

function parseLog(output: string): Commit[] {
  const fields = output.split("\0");
  const commits: Commit[] = [];
  for (let at = 0; at + 10 <= fields.length; at += 10) {
    const [sha = "", tree = "", parents = "", ...rest] = fields.slice(at, at + 10);
    const [authorName = "", authorEmail = "", authorTime = "", ...afterAuthor] = rest;
    const [committerName = "", committerEmail = "", committerTime = "", message = ""] = afterAuthor;
    commits.push({
      sha,
      tree,
      parents: parents.split(" ").filter((parent) => parent !== ""),
      author: { name: authorName, email: authorEmail, date: fromEpoch(authorTime) },
      committer: { name: committerName, email: committerEmail, date: fromEpoch(committerTime) },
      message: message.replace(/\n+$/, ""),
    });
  }
  return commits;
}

function parseTree(output: string, folder: string): TreeEntry[] {
  return output.split("\0").flatMap((line) => {
    const match = /^(\d+) (blob|tree|commit) ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(line);
    if (match === null) return [];
    const [, mode = "", type, sha = "", size, name = ""] = match;
    if (type !== "blob" && type !== "tree" && type !== "commit") return [];
    const full = folder + name;
    return [
      {
        mode,
        type,
        sha,
        size: size === "-" ? 0 : Number(size),
        name: path.posix.basename(full),
        path: full,
      },
    ];
  });
}

function parseDiffTree(output: string): ChangedFile[] {
  const tokens = output.split("\0");
  const files = new Map<string, ChangedFile>();
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    const raw = /^:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) ([A-Z])/.exec(token);
    if (raw !== null) {
      const [, before = "", after = "", letter = ""] = raw;
      const file = tokens[++at] ?? "";
      const status = statuses[letter] ?? "changed";
      const sha = status === "removed" ? before : after;
      files.set(file, { path: file, sha, status, additions: 0, deletions: 0 });
      continue;
    }
    const numbers = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(token);
    if (numbers === null) continue;
    const [, additions, deletions, file = ""] = numbers;
    const known = files.get(file);
    if (known === undefined) continue;
    // A "-" stands for a binary file, which has no lines.
    known.additions = additions === "-" ? 0 : Number(additions);
    known.deletions = deletions === "-" ? 0 : Number(deletions);
  }
  return [...files.values()];
}

const statuses: Partial<Record<string, ChangedFile["status"]>> = {
  A: "added",
  D: "removed",
  M: "modified",
};

function fromEpoch(seconds: string): string {
  return timestamp(new Date(Number(seconds) * 1000));
}

/** A time as GitHub writes it: ISO 8601, UTC, to the second. */
export function timestamp(date = new Date()): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
