import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import getPort from "get-port";
import { z } from "zod";
import type { TokenEntry } from "../../../dev/github/access.ts";
import { gitEnvironment } from "../../../dev/github/git.ts";
import { createGitHubServer, type GitHubServer } from "../../../dev/github/server.ts";
import { answerFaults } from "./github-schemas.ts";

export const tokens: readonly TokenEntry[] = [
  { token: "platform-token-0123456789", login: "platform", access: "admin" },
  { token: "developer-token-0123456789", login: "developer", access: "write" },
  { token: "argocd-token-0123456789", login: "argocd", access: "read" },
];
type Login = "platform" | "developer" | "argocd";

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** A GitHub stand-in of its own in a folder of its own, and ways to talk to it. */
export class GitHubFixture {
  readonly directory: string;
  readonly log: string[];
  #server: GitHubServer;

  private constructor(directory: string, log: string[], server: GitHubServer) {
    this.directory = directory;
    this.log = log;
    this.#server = server;
  }

  static async start(): Promise<GitHubFixture> {
    const directory = await mkdtemp(path.join(tmpdir(), "github-stand-in-"));
    const log: string[] = [];
    return new GitHubFixture(directory, log, await serve(directory, await getPort(), log));
  }

  get url(): string {
    return this.#server.url;
  }

  /** Stops the server and starts another one on the same state and port. */
  async restart(): Promise<void> {
    await this.#server.close();
    this.#server = await serve(this.directory, Number(new URL(this.url).port), this.log);
  }

  async stop(): Promise<void> {
    await this.#server.close();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** One request of the API. Its answer is held against GitHub's description of the operation. */
  async api(
    method: string,
    route: string,
    options: { body?: unknown; as?: Login; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const answer = await this.raw(method, `/api/v3${route}`, options);
    if (answer.status !== 304) {
      const bare = route.split("?", 1)[0] ?? route;
      const faults = answerFaults(method, bare, answer.status, answer.body);
      assert.deepEqual(faults, [], `${method} ${route} ${answer.status}: ${show(answer.body)}`);
    }
    return answer;
  }

  /** One request whose answer nothing describes. */
  async raw(
    method: string,
    route: string,
    options: { body?: unknown; as?: Login; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(this.url + route, {
      method,
      headers: { authorization: `token ${tokenOf(options.as ?? "platform")}`, ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    const body: unknown = text === "" ? undefined : isJson ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body };
  }

  /** Makes a repository with a first commit (unless `body` says otherwise). */
  async repository(name: string, body: Record<string, unknown> = {}): Promise<void> {
    const answer = await this.api("POST", "/orgs/example-corp/repos", {
      body: { name, auto_init: true, private: true, ...body },
    });
    assert.equal(answer.status, 201, show(answer.body));
  }

  /** Writes a file as a commit. */
  async write(repository: string, file: string, text: string, more: Record<string, unknown> = {}) {
    const content = Buffer.from(text).toString("base64");
    return this.api("PUT", `/repos/example-corp/${repository}/contents/${file}`, {
      body: { message: `Add ${file}`, content, ...more },
    });
  }

  /** The URL to clone from, as the given account. */
  cloneUrl(repository: string, as?: Login): string {
    const url = new URL(`/example-corp/${repository}.git`, this.url);
    if (as !== undefined) {
      url.username = "x-access-token";
      url.password = tokenOf(as);
    }
    return url.href;
  }

  /** The bare repository on the server's disk. */
  bare(repository: string): string {
    return path.join(this.directory, "repositories", "example-corp", `${repository}.git`);
  }

  /** Runs git as a user would; never throws. */
  async git(directory: string, ...args: string[]) {
    const person = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"];
    return execa("git", [...person, ...args], {
      cwd: directory,
      env: gitEnvironment(),
      extendEnv: false,
      reject: false,
    });
  }

  /** A clone, in a new folder. */
  async clone(repository: string, as: Login): Promise<string> {
    const folder = await mkdtemp(path.join(this.directory, "clone-"));
    const result = await this.git(folder, "clone", "--quiet", this.cloneUrl(repository, as), ".");
    assert.equal(result.exitCode, 0, result.stderr);
    return folder;
  }
}

/** Reads one field out of an answer. */
export function field(body: unknown, ...keys: string[]): unknown {
  let current = body;
  for (const key of keys) current = z.record(z.string(), z.unknown()).parse(current)[key];
  return current;
}

/** Reads one text out of an answer. */
export function text(body: unknown, ...keys: string[]): string {
  return z.string().parse(field(body, ...keys));
}

function tokenOf(login: Login): string {
  const entry = tokens.find((each) => each.login === login);
  assert(entry);
  return entry.token;
}

function serve(directory: string, port: number, log: string[]): Promise<GitHubServer> {
  return createGitHubServer({
    host: "127.0.0.1",
    port,
    stateDirectory: directory,
    owner: "example-corp",
    tokens,
    log: (line) => log.push(line),
  });
}

function show(body: unknown): string {
  return body === undefined ? "no body" : JSON.stringify(body);
}
