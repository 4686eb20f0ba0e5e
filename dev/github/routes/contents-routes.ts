import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Account } from "../access.ts";
import { ApiError, notFound, validationFailed } from "../api-error.ts";
import {
  PathRefused,
  RefConflict,
  timestamp,
  type Commit,
  type GitRepository,
  type Signature,
} from "../git-repository.ts";
import type { Repository } from "../repository-store.ts";
import { violations } from "../rule-enforcement.ts";
import {
  parseBody,
  requireRepository,
  requireWritable,
  wildcard,
  type RouteContext,
} from "./route-context.ts";

/** Above this size the JSON answer has no content, only the raw one. */
const inlineLimit = 1024 * 1024;

const personSchema = z.object({
  name: z.string().min(1),
  email: z.string().min(1),
  date: z.iso.datetime({ offset: true }).optional(),
});

const removeSchema = z.object({
  message: z.string().optional(),
  sha: z.string().optional(),
  branch: z.string().optional(),
  author: personSchema.optional(),
  committer: personSchema.optional(),
});
const writeSchema = removeSchema.extend({ content: z.base64() });
type ChangeRequest = z.output<typeof removeSchema>;

/** Files of a repository, read and written as commits. */
export function contentsRoutes(app: FastifyInstance, context: RouteContext): void {
  const read = async (request: FastifyRequest) => {
    const { record, git } = requireRepository(context, request, "read");
    const filePath = contentPath(request);
    const { ref = await git.defaultBranch() } = z
      .object({ ref: z.string().min(1).optional() })
      .parse(request.query);
    const commit = await git.commitSha(ref);
    if (commit === undefined) {
      const isEmpty = (await git.refs("refs/heads/")).length === 0;
      throw notFound(isEmpty ? "This repository is empty." : `No commit found for the ref ${ref}`);
    }
    const entry = filePath === "" ? undefined : await git.entry(commit, filePath);
    if (filePath !== "" && entry === undefined) throw notFound();
    if (entry === undefined || entry.type === "tree") {
      const entries = await git.list(commit, filePath);
      return { body: entries.map((each) => context.represent.content(record, each, ref)) };
    }
    const content = context.represent.content(record, entry, ref);
    if (entry.type === "commit") return { body: { ...content, submodule_git_url: null } };
    const blob = await git.blob(entry.sha);
    if (content.type === "symlink") return { body: { ...content, target: blob.toString("utf8") } };
    if (wantsRaw(request)) return { raw: blob };
    return { body: { ...content, ...inlineContent(blob) } };
  };

  for (const url of ["/repos/:owner/:repo/contents", "/repos/:owner/:repo/contents/*"]) {
    app.get(url, async (request, reply) => {
      const { body, raw } = await read(request);
      if (raw === undefined) return reply.send(body);
      return reply.type("application/vnd.github.raw; charset=utf-8").send(raw);
    });
  }

  app.put("/repos/:owner/:repo/contents/*", async (request, reply) => {
    const repository = requireRepository(context, request, "write", notAllowed());
    const body = parseBody(writeSchema, "Content", request.body);
    const filePath = contentPath(request);
    const content = Buffer.from(body.content, "base64");
    const { existed, commit, branch } = await change(context, repository, body, filePath, content);
    const entry = await repository.git.entry(commit.sha, filePath);
    if (entry === undefined) throw new Error(`${filePath} is not in the commit just written`);
    return reply.code(existed ? 200 : 201).send({
      content: context.represent.content(repository.record, entry, branch),
      commit: context.represent.gitCommit(repository.record, commit),
    });
  });

  app.delete("/repos/:owner/:repo/contents/*", async (request) => {
    const repository = requireRepository(context, request, "write", notAllowed());
    // Clients send the fields in the body or, where a DELETE has none, in the query.
    const body = parseBody(removeSchema, "Content", request.body ?? request.query);
    const { commit } = await change(context, repository, body, contentPath(request), undefined);
    return { content: null, commit: context.represent.gitCommit(repository.record, commit) };
  });
}

/** Author and committer of what an account does without git. */
export function webSignature(account: Account): Signature {
  return {
    name: account.login,
    email: `${account.login}@users.noreply.github.example`,
    date: timestamp(),
  };
}

async function change(
  context: RouteContext,
  repository: Repository & { account: Account },
  body: ChangeRequest,
  filePath: string,
  content: Uint8Array | undefined,
): Promise<{ existed: boolean; commit: Commit; branch: string }> {
  requireWritable(repository);
  const { record, git, account } = repository;
  const { message } = body;
  if (message === undefined || message === "") {
    throw new ApiError(422, `Invalid request.\n\n"message" wasn't supplied.`);
  }
  if (!/^(?!\/)[^\0]+$/.test(filePath) || filePath.split("/").some(isMalformed)) {
    throw malformedPath();
  }
  return git.serialised(async () => {
    const branch = body.branch ?? (await git.defaultBranch());
    const ref = `refs/heads/${branch}`;
    const before = await git.refSha(ref);
    if (before === undefined) await requireEmpty(git, branch);
    const blob = before === undefined ? undefined : await git.entry(before, filePath);
    requireFresh(filePath, blob?.sha, body.sha, content === undefined);
    const person = body.author ?? body.committer ?? webSignature(account);
    const after = await git
      .writeCommit(before, {
        path: filePath,
        content,
        message,
        author: signature(person),
        committer: signature(body.committer ?? person),
      })
      .catch((error: unknown) => {
        throw error instanceof PathRefused ? malformedPath() : error;
      });
    const update = { ref, before, after };
    const found = await violations(git, record.rulesets, account, update);
    if (found.length > 0) throw ruleViolation(409, found);
    try {
      await git.updateRef(update);
    } catch (error) {
      // A push came in between.
      throw error instanceof RefConflict ? new ApiError(409, error.message) : error;
    }
    await context.refsMoved(repository, account, [update]);
    return { existed: blob !== undefined, commit: await git.commit(after), branch };
  });
}

/** The answer to a change that rulesets forbid. */
export function ruleViolation(status: 409 | 422, found: readonly string[]): ApiError {
  const reasons = found.map((reason) => `${reason}\n\n`).join("");
  return new ApiError(status, `Repository rule violations found\n\n${reasons}`);
}

/** The first commit makes its branch; later ones need one that exists. */
async function requireEmpty(git: GitRepository, branch: string): Promise<void> {
  if ((await git.refs("refs/heads/")).length > 0) throw notFound(`Branch ${branch} not found`);
  if (!(await git.isRefName(`refs/heads/${branch}`))) {
    throw validationFailed({ resource: "Content", field: "branch", code: "invalid" });
  }
}

/** A change must name the blob that it replaces, so that nobody's work is overwritten unseen. */
function requireFresh(
  filePath: string,
  actual: string | undefined,
  given: string | undefined,
  isRemoval: boolean,
): void {
  if (actual === undefined && isRemoval) throw notFound();
  if (given !== undefined && given !== actual) {
    throw new ApiError(409, `${filePath} does not match ${given}`);
  }
  if (given === undefined && actual !== undefined) {
    throw new ApiError(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  }
}

function signature(person: z.output<typeof personSchema>): Signature {
  return { ...person, date: person.date ?? timestamp() };
}

function contentPath(request: FastifyRequest): string {
  const { "*": path = "" } = z.object({ "*": z.string().optional() }).parse(request.params);
  return path === "" ? "" : wildcard(request).replace(/\/+$/, "");
}

function isMalformed(segment: string): boolean {
  return segment === "" || segment === "." || segment === ".." || /^\.git$/i.test(segment);
}

function malformedPath(): ApiError {
  return validationFailed({
    resource: "Commit",
    field: "path",
    code: "invalid",
    message: "path contains a malformed path component",
  });
}

function notAllowed(): ApiError {
  return new ApiError(403, "Resource not accessible by personal access token");
}

function wantsRaw(request: FastifyRequest): boolean {
  return /application\/vnd\.github(?:\.v3)?\.raw/.test(request.headers.accept ?? "");
}

function inlineContent(blob: Buffer): { encoding: string; content: string } {
  if (blob.length > inlineLimit) return { encoding: "none", content: "" };
  return { encoding: "base64", content: blob.toString("base64").replace(/.{1,60}/g, "$&\n") };
}
