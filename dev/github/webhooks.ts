import { createHmac, randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import pRetry, { AbortError } from "p-retry";
import type { Account } from "./access.ts";
import type { Commit, GitRepository, RefUpdate } from "./git-repository.ts";
import { zeroSha } from "./git-repository.ts";
import type { RepositoryRecord, Webhook } from "./repository-record.ts";
import { enterpriseVersion, type Representation } from "./representation.ts";

const attemptTimeoutMs = 10_000;
const commitLimit = 100;

/** What an event is about. */
interface Subject {
  record: RepositoryRecord;
  git: GitRepository;
}

/**
 * Delivers events to the webhooks of repositories, signed as GitHub does. Nobody waits for a
 * delivery: it is tried four times within about ten seconds, and what is under way when the server
 * stops is lost. (GitHub itself tries once.)
 */
export class Webhooks {
  readonly #represent: Representation;
  readonly #log: (line: string) => void;
  readonly #stopping = new AbortController();

  constructor(represent: Representation, log: (line: string) => void) {
    this.#represent = represent;
    this.#log = log;
  }

  /** Gives up whatever is under way. */
  close(): void {
    this.#stopping.abort();
  }

  /** A `push` event for every update, to every active hook that wants it. */
  async push(subject: Subject, account: Account, updates: readonly RefUpdate[]): Promise<void> {
    const hooks = subject.record.webhooks.filter(
      ({ active, events }) => active && (events.includes("push") || events.includes("*")),
    );
    if (hooks.length === 0) return;
    for (const update of updates) {
      const payload = await this.#pushPayload(subject, account, update);
      for (const hook of hooks) this.#deliver(subject.record, hook, "push", payload);
    }
  }

  /** The `ping` that GitHub sends to a new hook. */
  async ping({ record, git }: Subject, hook: Webhook, account: Account): Promise<void> {
    this.#deliver(record, hook, "ping", {
      zen: "Anything added dilutes everything else.",
      hook_id: hook.id,
      hook: this.#represent.webhook(record, hook),
      repository: this.#represent.repository(record, await git.defaultBranch(), account),
      sender: this.#represent.simpleUser(account.login),
    });
  }

  async #pushPayload({ record, git }: Subject, account: Account, update: RefUpdate) {
    const { ref, before, after } = update;
    const repository = this.#represent.repository(record, await git.defaultBranch(), account);
    const commits = after === undefined ? [] : await newCommits(git, update);
    const described = await Promise.all(
      commits.map((commit) => describeCommit(git, commit, repository.html_url)),
    );
    const head = after === undefined ? undefined : await headCommit(git, ref);
    const short = (sha: string | undefined) => (sha ?? zeroSha).slice(0, 12);
    const range = before === undefined ? short(after) : `${short(before)}...${short(after)}`;
    const forced =
      before !== undefined && after !== undefined && !(await git.isAncestor(before, after));
    return {
      ref,
      before: before ?? zeroSha,
      after: after ?? zeroSha,
      repository: {
        ...repository,
        // In this event, and only here, these are seconds.
        created_at: seconds(repository.created_at),
        pushed_at: seconds(repository.pushed_at),
        master_branch: repository.default_branch,
        organization: record.owner,
        stargazers: 0,
      },
      pusher: { name: account.login, email: `${account.login}@users.noreply.github.example` },
      organization: this.#represent.simpleOrganization(),
      sender: this.#represent.simpleUser(account.login),
      created: before === undefined,
      deleted: after === undefined,
      forced,
      base_ref: null,
      compare: `${repository.html_url}/compare/${range}`,
      commits: described,
      head_commit: head === undefined ? null : await describeCommit(git, head, repository.html_url),
    };
  }

  #deliver(record: RepositoryRecord, hook: Webhook, event: string, payload: unknown): void {
    const { url, content_type, secret, insecure_ssl } = hook.config;
    const json = JSON.stringify(payload);
    const body = content_type === "json" ? json : new URLSearchParams({ payload: json }).toString();
    const sign = (algorithm: string, key: string) =>
      `${algorithm}=${createHmac(algorithm, key).update(body).digest("hex")}`;
    const headers = {
      accept: "*/*",
      "content-type":
        content_type === "json" ? "application/json" : "application/x-www-form-urlencoded",
      "content-length": String(Buffer.byteLength(body)),
      "user-agent": "GitHub-Hookshot/tenantry-stand-in",
      "x-github-event": event,
      "x-github-delivery": randomUUID(),
      "x-github-hook-id": String(hook.id),
      "x-github-hook-installation-target-id": String(record.id),
      "x-github-hook-installation-target-type": "repository",
      "x-github-enterprise-version": enterpriseVersion,
      ...(secret === undefined
        ? {}
        : {
            "x-hub-signature": sign("sha1", secret),
            "x-hub-signature-256": sign("sha256", secret),
          }),
    };
    const signal = this.#stopping.signal;
    const attempt = async () => {
      const status = await post({ url, headers, body, insecure: insecure_ssl === "1", signal });
      if (status >= 500) throw new Error(`status ${status}`);
      if (status >= 400) throw new AbortError(`status ${status}`);
      return status;
    };
    const line = `webhook ${record.name} ${hook.id} ${event}`;
    pRetry(attempt, { retries: 3, minTimeout: 500, factor: 3, signal }).then(
      (status) => {
        this.#log(`${line} ${status}`);
      },
      (error: unknown) => {
        if (signal.aborted) return;
        this.#log(`WARN ${line} not delivered: ${error instanceof Error ? error.message : "?"}`);
      },
    );
  }
}

async function newCommits(git: GitRepository, { ref, before, after }: RefUpdate) {
  if (after === undefined || ref.startsWith("refs/tags/")) return [];
  const known =
    before === undefined
      ? (await git.refs("refs/heads/")).filter((each) => each.ref !== ref).map(({ sha }) => sha)
      : [before];
  const commits = await git.log([after, "--not", ...known], { limit: commitLimit });
  return commits.reverse();
}

async function headCommit(git: GitRepository, ref: string): Promise<Commit | undefined> {
  const sha = await git.commitSha(ref);
  return sha === undefined ? undefined : git.commit(sha);
}

async function describeCommit(git: GitRepository, commit: Commit, page: string) {
  const files = await git.changedFiles(commit);
  const paths = (...wanted: string[]) =>
    files.filter(({ status }) => wanted.includes(status)).map(({ path }) => path);
  return {
    id: commit.sha,
    tree_id: commit.tree,
    distinct: true,
    message: commit.message,
    timestamp: commit.committer.date,
    url: `${page}/commit/${commit.sha}`,
    author: { name: commit.author.name, email: commit.author.email },
    committer: { name: commit.committer.name, email: commit.committer.email },
    added: paths("added"),
    removed: paths("removed"),
    modified: paths("modified", "changed"),
  };
}

function seconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

interface Delivery {
  url: string;
  headers: Record<string, string>;
  body: string;
  insecure: boolean;
  signal: AbortSignal;
}

/** Sends one delivery and returns the status; redirects are not followed. */
function post({ url, headers, body, insecure, signal }: Delivery): Promise<number> {
  const options = {
    method: "POST",
    headers,
    agent: false as const,
    signal: AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]),
  };
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:")
      ? httpsRequest(url, { ...options, rejectUnauthorized: !insecure })
      : httpRequest(url, options);
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      response.on("error", reject);
      response.on("end", () => {
        resolve(response.statusCode ?? 0);
      });
    });
    request.end(body);
  });
}
