import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { mayAccess } from "../access.ts";
import { ApiError, notFound, validationFailed } from "../api-error.ts";
import { timestamp } from "../git-repository.ts";
import {
  defaultSettings,
  repositorySettingsSchema,
  type RepositoryRecord,
  type RepositorySettings,
} from "../repository-record.ts";
import type { Repository } from "../repository-store.ts";
import { webSignature } from "./contents-routes.ts";
import { requireOrganization } from "./account-routes.ts";
import {
  paginate,
  parseBody,
  requireAccount,
  requireRepository,
  type RouteContext,
} from "./route-context.ts";

const nameSchema = z
  .string()
  .max(100)
  .regex(/^(?!\.{1,2}$)(?!.*\.git$)[A-Za-z0-9._-]+$/i, "name is not allowed");

// Settings whose effect does not exist here: refused when asked for, never taken and forgotten.
const absent = z
  .union([z.literal(""), z.literal(false), z.null()], "not available here")
  .optional();

const changesSchema = repositorySettingsSchema.partial().extend({
  private: z.boolean().optional(),
  license_template: absent,
  gitignore_template: absent,
  security_and_analysis: absent,
});

const createSchema = changesSchema.extend({
  name: nameSchema,
  auto_init: z.boolean().default(false),
});

const editSchema = changesSchema.extend({
  name: nameSchema.optional(),
  default_branch: z.string().optional(),
});

const topicRule =
  "Topics must start with a lowercase letter or number, consist of 50 characters or less, and can include hyphens.";
const topicsSchema = z.object({
  names: z.array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/, topicRule)).max(20),
});

const listQuery = z.object({
  type: z.enum(["all", "public", "private"]).catch("all"),
  sort: z.enum(["created", "updated", "pushed", "full_name"]).catch("created"),
  direction: z.enum(["asc", "desc"]).optional().catch(undefined),
});

/** Repositories: create, read, change, delete, and what hangs directly on them. */
export function repositoryRoutes(app: FastifyInstance, context: RouteContext): void {
  const full = async (repository: Repository, request: Parameters<typeof requireAccount>[1]) =>
    context.represent.fullRepository(
      repository.record,
      await repository.git.defaultBranch(),
      requireAccount(context, request),
    );

  app.get("/orgs/:org/repos", async (request, reply) => {
    const account = requireAccount(context, request);
    requireOrganization(context, request.params);
    const page = paginate(context, request, reply, selected(context.store.list(), request.query));
    return Promise.all(
      page.map(async (record) => {
        const repository = context.store.get(record.owner, record.name);
        const branch = (await repository?.git.defaultBranch()) ?? "main";
        return context.represent.repository(record, branch, account);
      }),
    );
  });

  app.post("/orgs/:org/repos", async (request, reply) => {
    const account = requireAccount(context, request);
    requireOrganization(context, request.params);
    if (!mayAccess(account, "admin")) {
      throw new ApiError(
        403,
        "You need admin access to the organization before adding a repository to it.",
      );
    }
    const body = parseBody(createSchema, "Repository", request.body);
    const repository = await context.store.create(body.name, changed(defaultSettings, body));
    if (repository === undefined) {
      throw new ApiError(422, "Repository creation failed.", [
        {
          resource: "Repository",
          code: "custom",
          field: "name",
          message: "name already exists on this account",
        },
      ]);
    }
    if (body.auto_init) {
      const branch = await repository.git.defaultBranch();
      const author = webSignature(account);
      const description = body.description ?? "";
      const after = await repository.git.writeCommit(undefined, {
        path: "README.md",
        content: Buffer.from(`# ${body.name}\n${description === "" ? "" : `${description}\n`}`),
        message: "Initial commit",
        author,
        committer: author,
      });
      await repository.git.updateRef({ ref: `refs/heads/${branch}`, before: undefined, after });
    }
    const answer = await full(repository, request);
    return reply.code(201).header("location", answer.url).send(answer);
  });

  app.get("/repos/:owner/:repo", (request) =>
    full(requireRepository(context, request, "read"), request),
  );

  app.patch("/repos/:owner/:repo", async (request) => {
    const { record, git } = requireRepository(context, request, "admin");
    const body = parseBody(editSchema, "Repository", request.body);
    if (body.default_branch !== undefined && body.default_branch !== (await git.defaultBranch())) {
      if ((await git.refSha(`refs/heads/${body.default_branch}`)) === undefined) {
        throw validationFailed({
          resource: "Repository",
          field: "default_branch",
          code: "invalid",
          message: `The branch ${body.default_branch} was not found. Please push that ref first or create it via the Git Data API.`,
        });
      }
      await git.setDefaultBranch(body.default_branch);
    }
    const name = body.name ?? record.name;
    if (name !== record.name && !(await context.store.rename(record.name, name))) {
      throw validationFailed({
        resource: "Repository",
        field: "name",
        code: "custom",
        message: "name already exists on this account",
      });
    }
    await context.store.update(name, (current) => ({
      ...current,
      settings: changed(current.settings, body),
      updated_at: timestamp(),
    }));
    const repository = context.store.get(record.owner, name);
    if (repository === undefined) throw notFound();
    return full(repository, request);
  });

  app.delete("/repos/:owner/:repo", async (request, reply) => {
    const { record } = requireRepository(context, request, "admin");
    await context.store.delete(record.name);
    return reply.code(204).send();
  });

  app.get("/repos/:owner/:repo/topics", (request) => ({
    names: requireRepository(context, request, "read").record.topics,
  }));

  app.put("/repos/:owner/:repo/topics", async (request) => {
    const { record } = requireRepository(context, request, "admin");
    const parsed = topicsSchema.safeParse(request.body);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map(({ message }) => message);
      throw new ApiError(422, "Validation Failed", reasons);
    }
    const { names } = parsed.data;
    await context.store.update(record.name, (current) => ({
      ...current,
      topics: [...new Set(names)],
      updated_at: timestamp(),
    }));
    return { names };
  });

  app.get("/repos/:owner/:repo/vulnerability-alerts", (request, reply) => {
    const { record } = requireRepository(context, request, "admin");
    if (!record.vulnerability_alerts) throw notFound("Vulnerability alerts are disabled.");
    return reply.code(204).send();
  });

  for (const [method, enabled] of [
    ["PUT", true],
    ["DELETE", false],
  ] as const) {
    app.route({
      method,
      url: "/repos/:owner/:repo/vulnerability-alerts",
      handler: async (request, reply) => {
        const { record } = requireRepository(context, request, "admin");
        await context.store.update(record.name, (current) => ({
          ...current,
          vulnerability_alerts: enabled,
        }));
        return reply.code(204).send();
      },
    });
  }
}

/** The settings after a request; fields that it leaves out stay as they are. */
function changed(
  settings: RepositorySettings,
  body: z.output<typeof changesSchema>,
): RepositorySettings {
  const visibility =
    body.private === undefined
      ? undefined
      : body.private
        ? ("private" as const)
        : ("public" as const);
  const merged = repositorySettingsSchema.parse({
    ...settings,
    ...(visibility === undefined ? {} : { visibility }),
    ...Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)),
  });
  // GitHub does not tell an empty text from none.
  return {
    ...merged,
    description: merged.description === "" ? null : merged.description,
    homepage: merged.homepage === "" ? null : merged.homepage,
  };
}

function selected(records: readonly RepositoryRecord[], query: unknown): RepositoryRecord[] {
  const { type, sort, direction } = listQuery.parse(query);
  const sortKey = (record: RepositoryRecord): string =>
    ({
      created: record.created_at,
      updated: record.updated_at,
      pushed: record.pushed_at,
      full_name: record.name.toLowerCase(),
    })[sort];
  const ascending = (direction ?? (sort === "full_name" ? "asc" : "desc")) === "asc";
  return records
    .filter(
      ({ settings }) =>
        type === "all" || (settings.visibility === "public") === (type === "public"),
    )
    .sort((a, b) => sortKey(a).localeCompare(sortKey(b)) * (ascending ? 1 : -1));
}
