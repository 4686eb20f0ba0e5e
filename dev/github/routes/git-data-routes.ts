import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError, notFound, validationFailed } from "../api-error.ts";
import type { RefUpdate } from "../git-repository.ts";
import { RefConflict } from "../git-repository.ts";
import { rulesetsFor, violations } from "../rule-enforcement.ts";
import { ruleViolation } from "./contents-routes.ts";
import {
  linkPages,
  pageOf,
  paginate,
  parseBody,
  requireRepository,
  requireWritable,
  wildcard,
  type RouteContext,
} from "./route-context.ts";

const createRefSchema = z.object({ ref: z.string(), sha: z.string() });
const updateRefSchema = z.object({ sha: z.string(), force: z.boolean().default(false) });
const renameSchema = z.object({ new_name: z.string() });
const commitsQuery = z.object({ sha: z.string().optional(), path: z.string().optional() });

/** Branches, refs and commits: what is in git, as the API shows it. */
export function gitDataRoutes(app: FastifyInstance, context: RouteContext): void {
  const { represent } = context;

  app.get("/repos/:owner/:repo/branches", async (request, reply) => {
    const { record, git } = requireRepository(context, request, "read");
    const defaultBranch = await git.defaultBranch();
    const refs = await git.refs("refs/heads/");
    return paginate(context, request, reply, refs).map(({ ref, sha }) => {
      const isProtected = rulesetsFor(record.rulesets, ref, defaultBranch).length > 0;
      return represent.shortBranch(record, ref.slice("refs/heads/".length), sha, isProtected);
    });
  });

  const branch = async (request: FastifyRequest, name: string) => {
    const { record, git } = requireRepository(context, request, "read");
    const ref = `refs/heads/${name}`;
    const sha = await git.refSha(ref);
    if (sha === undefined) throw notFound("Branch not found");
    const isProtected = rulesetsFor(record.rulesets, ref, await git.defaultBranch()).length > 0;
    return represent.branch(record, name, await git.commit(sha), isProtected);
  };

  app.get("/repos/:owner/:repo/branches/*", (request) => branch(request, wildcard(request)));

  app.post("/repos/:owner/:repo/branches/:branch/rename", async (request, reply) => {
    const repository = requireRepository(context, request, "admin");
    requireWritable(repository);
    const { branch: from } = z.object({ branch: z.string() }).parse(request.params);
    const { new_name: to } = parseBody(renameSchema, "Branch", request.body);
    const { git } = repository;
    if ((await git.refSha(`refs/heads/${from}`)) === undefined) throw notFound("Branch not found");
    await requireNewRef(repository.git, "Branch", `refs/heads/${to}`);
    await git.serialised(() => git.renameBranch(from, to));
    return reply.code(201).send(await branch(request, to));
  });

  // Which rules hold for a branch, whoever asks.
  app.get("/repos/:owner/:repo/rules/branches/*", async (request, reply) => {
    const { record, git } = requireRepository(context, request, "read");
    const ref = `refs/heads/${wildcard(request)}`;
    const rules = rulesetsFor(record.rulesets, ref, await git.defaultBranch()).flatMap((ruleset) =>
      ruleset.rules.map((rule) => ({
        ...rule,
        ruleset_source_type: "Repository",
        ruleset_source: `${record.owner}/${record.name}`,
        ruleset_id: ruleset.id,
      })),
    );
    return paginate(context, request, reply, rules);
  });

  app.get("/repos/:owner/:repo/git/ref/*", async (request) => {
    const { record, git } = requireRepository(context, request, "read");
    const name = `refs/${wildcard(request)}`;
    const found = (await git.refs(name)).find(({ ref }) => ref === name);
    if (found === undefined) throw notFound();
    return represent.ref(record, found.ref, found.sha, found.type);
  });

  app.get("/repos/:owner/:repo/git/matching-refs/*", async (request, reply) => {
    const { record, git } = requireRepository(context, request, "read");
    const prefix = `refs/${wildcard(request)}`;
    const refs = (await git.refs("refs/")).filter(({ ref }) => ref.startsWith(prefix));
    return paginate(context, request, reply, refs).map(({ ref, sha, type }) =>
      represent.ref(record, ref, sha, type),
    );
  });

  const move = async (
    repository: ReturnType<typeof requireRepository>,
    update: RefUpdate,
  ): Promise<void> => {
    const { record, git, account } = repository;
    const found = await violations(git, record.rulesets, account, update);
    if (found.length > 0) throw ruleViolation(422, found);
    try {
      await git.updateRef(update);
    } catch (error) {
      throw error instanceof RefConflict ? new ApiError(409, error.message) : error;
    }
    await context.refsMoved(repository, account, [update]);
  };

  app.post("/repos/:owner/:repo/git/refs", async (request, reply) => {
    const repository = requireRepository(context, request, "write");
    requireWritable(repository);
    const { ref, sha } = parseBody(createRefSchema, "Reference", request.body);
    await requireNewRef(repository.git, "Reference", ref);
    if (!(await repository.git.hasCommit(sha))) throw new ApiError(422, "Object does not exist");
    await move(repository, { ref, before: undefined, after: sha });
    return reply.code(201).send(represent.ref(repository.record, ref, sha));
  });

  app.patch("/repos/:owner/:repo/git/refs/*", async (request) => {
    const repository = requireRepository(context, request, "write");
    requireWritable(repository);
    const ref = `refs/${wildcard(request)}`;
    const { sha, force } = parseBody(updateRefSchema, "Reference", request.body);
    const before = await repository.git.refSha(ref);
    if (before === undefined) throw new ApiError(422, "Reference does not exist");
    if (!(await repository.git.hasCommit(sha))) throw new ApiError(422, "Object does not exist");
    if (!force && !(await repository.git.isAncestor(before, sha))) {
      throw new ApiError(422, "Update is not a fast forward");
    }
    await move(repository, { ref, before, after: sha });
    return represent.ref(repository.record, ref, sha);
  });

  app.delete("/repos/:owner/:repo/git/refs/*", async (request, reply) => {
    const repository = requireRepository(context, request, "write");
    requireWritable(repository);
    const ref = `refs/${wildcard(request)}`;
    const before = await repository.git.refSha(ref);
    if (before === undefined) throw new ApiError(422, "Reference does not exist");
    if (ref === `refs/heads/${await repository.git.defaultBranch()}`) {
      throw new ApiError(422, "Cannot delete the default branch");
    }
    await move(repository, { ref, before, after: undefined });
    return reply.code(204).send();
  });

  app.get("/repos/:owner/:repo/commits", async (request, reply) => {
    const { record, git } = requireRepository(context, request, "read");
    const query = commitsQuery.parse(request.query);
    const { page, perPage } = pageOf(request);
    const start = await git.commitSha(query.sha ?? (await git.defaultBranch()));
    if (start === undefined) {
      if ((await git.refs("refs/heads/")).length === 0) {
        throw new ApiError(409, "Git Repository is empty.");
      }
      throw notFound();
    }
    // One more than asked for tells whether there is a next page.
    const commits = await git.log([start], {
      limit: perPage + 1,
      skip: (page - 1) * perPage,
      ...(query.path === undefined ? {} : { path: query.path }),
    });
    linkPages(context, request, reply, {
      ...(page > 1 ? { prev: page - 1, first: 1 } : {}),
      ...(commits.length > perPage ? { next: page + 1 } : {}),
    });
    return commits.slice(0, perPage).map((commit) => represent.commit(record, commit));
  });

  app.get("/repos/:owner/:repo/commits/*", async (request) => {
    const { record, git } = requireRepository(context, request, "read");
    const name = wildcard(request);
    const sha = await git.commitSha(name);
    if (sha === undefined) throw new ApiError(422, `No commit found for SHA: ${name}`);
    const commit = await git.commit(sha);
    return represent.commit(record, commit, await git.changedFiles(commit));
  });
}

async function requireNewRef(
  git: {
    isRefName(ref: string): Promise<boolean>;
    refSha(ref: string): Promise<string | undefined>;
  },
  resource: string,
  ref: string,
): Promise<void> {
  if (!/^refs\/(?:heads|tags)\/./.test(ref) || !(await git.isRefName(ref))) {
    throw validationFailed({ resource, field: "ref", code: "invalid" });
  }
  if ((await git.refSha(ref)) !== undefined) {
    throw new ApiError(422, "Reference already exists");
  }
}
