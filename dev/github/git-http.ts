import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import path from "node:path";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { mayAccess, type Account } from "./access.ts";
import { ApiError } from "./api-error.ts";
import { gitEnvironment } from "./git.ts";
import { GitRepository, zeroSha, type RefUpdate } from "./git-repository.ts";
import type { Repository } from "./repository-store.ts";
import { violations } from "./rule-enforcement.ts";
import type { RouteContext } from "./routes/route-context.ts";

const params = z.object({ owner: z.string(), repo: z.string() });
const service = z.enum(["git-upload-pack", "git-receive-pack"]);
type Service = z.output<typeof service>;

/**
 * The hooks of every repository. They hold no rules: they pass what git tells them, line by line,
 * over descriptor 3 to the server that started git, print what it answers, and do as it says. No
 * answer is a no.
 */
const hookScript = `#!/bin/sh
{
  printf '%s\\n' "\${0##*/}" "$GIT_OBJECT_DIRECTORY" "$GIT_ALTERNATE_OBJECT_DIRECTORIES"
  cat
  echo
} >&3
while IFS= read -r line <&3; do
  case $line in
    accept) exit 0 ;;
    refuse) exit 1 ;;
    *) printf '%s\\n' "\${line#| }" >&2 ;;
  esac
done
exit 1
`;

/** Writes the hooks, once for all repositories, and returns their folder. */
export async function installHooks(stateDirectory: string): Promise<string> {
  const directory = path.resolve(stateDirectory, "hooks");
  await mkdir(directory, { recursive: true });
  for (const hook of ["pre-receive", "post-receive"]) {
    await writeFile(path.join(directory, hook), hookScript, { mode: 0o755 });
  }
  return directory;
}

/** Git over HTTP: clone, fetch and push, through `git http-backend`. */
export function gitHttpRoutes(app: FastifyInstance, context: RouteContext, hooks: string): void {
  // A pack goes to git as it comes in, and as it is: compressed or not, of whatever size.
  app.addContentTypeParser(/^application\/x-git-/, (_request, _payload, done) => {
    done(null);
  });

  app.get("/:owner/:repo/info/refs", async (request, reply) => {
    const query = z.object({ service }).safeParse(request.query);
    if (!query.success) return reply.code(403).type("text/plain").send("Please upgrade git.\n");
    return serve(request, reply, query.data.service, "/info/refs");
  });

  for (const each of service.options) {
    app.post(`/:owner/:repo/${each}`, (request, reply) => serve(request, reply, each, `/${each}`));
  }

  async function serve(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Service,
    pathInfo: string,
  ): Promise<FastifyReply> {
    const found = findRepository(context, request, reply);
    if (found === undefined) return reply;
    const { repository, account } = found;
    if (wanted === "git-receive-pack") {
      if (account === undefined) return askForCredentials(reply);
      const { record } = repository;
      if (!mayAccess(account, "write")) {
        const full = `${record.owner}/${record.name}`;
        return plain(reply, 403, `Permission to ${full}.git denied to ${account.login}.`);
      }
      if (record.settings.archived) {
        return plain(reply, 403, "This repository was archived so it is read-only.");
      }
    }
    reply.hijack();
    runBackend({ context, hooks, request, reply, repository, account, pathInfo });
    return reply;
  }
}

/**
 * The repository that the path names (with or without `.git`), if the caller may see it; otherwise
 * the answer has been sent. Without credentials a private repository looks like a missing one.
 */
export function findRepository(
  context: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
): { repository: Repository; account: Account | undefined } | undefined {
  const { owner, repo } = params.parse(request.params);
  let account: Account | undefined;
  try {
    account = context.accounts.identify(request.headers.authorization);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    askForCredentials(reply);
    return undefined;
  }
  const repository = context.store.get(owner, repo.replace(/\.git$/, ""));
  const isOpen = repository?.record.settings.visibility === "public";
  if (account === undefined && !isOpen) {
    askForCredentials(reply);
    return undefined;
  }
  if (repository === undefined) {
    plain(reply, 404, "Repository not found.");
    return undefined;
  }
  return { repository, account };
}

function askForCredentials(reply: FastifyReply): FastifyReply {
  void reply.header("www-authenticate", `Basic realm="GitHub"`);
  return plain(reply, 401, "Authentication required.");
}

function plain(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type("text/plain; charset=utf-8").send(`${text}\n`);
}

interface BackendRun {
  context: RouteContext;
  hooks: string;
  request: FastifyRequest;
  reply: FastifyReply;
  repository: Repository;
  account: Account | undefined;
  pathInfo: string;
}

/** Runs `git http-backend` as CGI: the request streams in, the answer streams out. */
function runBackend(run: BackendRun): void {
  const { context, hooks, request, reply, repository, account, pathInfo } = run;
  const incoming = request.raw;
  const outgoing = reply.raw;
  const header = (name: string): string => {
    const value = incoming.headers[name];
    return Array.isArray(value) ? value.join(", ") : (value ?? "");
  };
  const contentLength = header("content-length");
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    cwd: repository.git.directory,
    env: {
      ...gitEnvironment({
        "core.hooksPath": hooks,
        "http.receivepack": account !== undefined && mayAccess(account, "write") ? "true" : "false",
      }),
      GIT_PROJECT_ROOT: repository.git.directory,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: pathInfo,
      REQUEST_METHOD: request.method,
      QUERY_STRING: new URL(request.url, context.url).search.slice(1),
      CONTENT_TYPE: header("content-type"),
      ...(contentLength === "" ? {} : { CONTENT_LENGTH: contentLength }),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      GIT_PROTOCOL: header("git-protocol"),
      REMOTE_ADDR: request.ip,
      ...(account === undefined ? {} : { REMOTE_USER: account.login }),
    },
  });
  const [, , , channel] = child.stdio;
  if (channel instanceof Socket) answerHooks(channel, run);

  incoming.pipe(child.stdin);
  // git may stop reading before the end; what it answers tells why.
  child.stdin.on("error", () => {
    incoming.unpipe(child.stdin);
    incoming.resume();
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  outgoing.on("close", () => {
    child.kill();
  });
  child.on("error", (error) => {
    context.log(`WARN git http-backend: ${error.message}`);
    outgoing.destroy();
  });
  child.on("close", (code) => {
    if (code !== 0 && complaints !== "") {
      context.log(`WARN git http-backend: ${complaints.trim().replaceAll("\n", " | ")}`);
    }
    if (!outgoing.headersSent) outgoing.writeHead(500);
    outgoing.end();
  });
  copyAnswer(child.stdout, run);
}

/** Reads the CGI header block, then lets the rest through. */
function copyAnswer(stdout: Readable, { reply }: BackendRun): void {
  const outgoing = reply.raw;
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    stdout.off("data", onData);
    stdout.pause();
    const headers: Record<string, string> = {};
    for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const { status = "200", ...rest } = headers;
    outgoing.writeHead(Number.parseInt(status, 10), rest);
    outgoing.write(head.subarray(end + 4));
    stdout.pipe(outgoing, { end: false });
  };
  stdout.on("data", onData);
}

/** Speaks with the hooks of one push: see hookScript. */
function answerHooks(channel: Socket, run: BackendRun): void {
  channel.on("error", () => undefined);
  let lines: string[] = [];
  let pending = Promise.resolve();
  createInterface({ input: channel }).on("line", (line) => {
    // The environment takes three lines, of which two may be empty; then refs until an empty one.
    if (lines.length < 3 || line !== "") {
      lines.push(line);
      return;
    }
    const message = lines;
    lines = [];
    pending = pending.then(async () => {
      const answer = await decide(message, run).catch((error: unknown) => {
        run.context.log(`WARN push check failed: ${error instanceof Error ? error.message : "?"}`);
        return ["| The server could not check this push.", "refuse"];
      });
      channel.write(answer.map((each) => `${each}\n`).join(""));
    });
  });
}

async function decide(message: readonly string[], run: BackendRun): Promise<string[]> {
  const { context, repository, account } = run;
  const [hook, objects = "", alternates = "", ...refs] = message;
  if (account === undefined) return ["refuse"];
  const updates = refs.map(parseUpdate);
  if (hook === "post-receive") {
    await context.refsMoved(repository, account, updates);
    return ["accept"];
  }
  const incoming = new GitRepository(repository.git.directory, {
    ...(objects === "" ? {} : { GIT_OBJECT_DIRECTORY: objects }),
    ...(alternates === "" ? {} : { GIT_ALTERNATE_OBJECT_DIRECTORIES: alternates }),
  });
  // The rules as they are now, not as they were when the request came in.
  const { record } =
    context.store.get(repository.record.owner, repository.record.name) ?? repository;
  const report: string[] = [];
  for (const update of updates) {
    const found = await violations(incoming, record.rulesets, account, update);
    if (found.length === 0) continue;
    const rules = `${context.represent.repositoryPage(record)}/rules?ref=${encodeURIComponent(update.ref)}`;
    report.push(
      `error: GH013: Repository rule violations found for ${update.ref}.`,
      `Review all repository rules at ${rules}`,
      "",
      ...found.flatMap((reason) => [`- ${reason}`, ""]),
    );
  }
  return report.length === 0 ? ["accept"] : [...report.map((line) => `| ${line}`), "refuse"];
}

function parseUpdate(line: string): RefUpdate {
  const [before = zeroSha, after = zeroSha, ...ref] = line.split(" ");
  return {
    ref: ref.join(" "),
    before: before === zeroSha ? undefined : before,
    after: after === zeroSha ? undefined : after,
  };
}
