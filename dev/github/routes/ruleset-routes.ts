import type { FastifyInstance } from "fastify";
import { notFound, validationFailed } from "../api-error.ts";
import { timestamp } from "../git-repository.ts";
import { newId } from "../repository-store.ts";
import { rulesetRequestSchema, type Ruleset } from "../ruleset.ts";
import {
  paginate,
  parseBody,
  pathId,
  requireRepository,
  requireWritable,
  type RouteContext,
} from "./route-context.ts";

/** Rulesets of a repository. */
export function rulesetRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/repos/:owner/:repo/rulesets", (request, reply) => {
    const { record } = requireRepository(context, request, "read");
    return paginate(context, request, reply, record.rulesets).map((ruleset) =>
      context.represent.shortRuleset(record, ruleset),
    );
  });

  app.post("/repos/:owner/:repo/rulesets", async (request, reply) => {
    const repository = requireRepository(context, request, "admin", notFound());
    requireWritable(repository);
    const { record, account } = repository;
    const body = parseBody(rulesetRequestSchema, "RepositoryRuleset", request.body);
    const now = timestamp();
    const ruleset: Ruleset = { ...body, id: newId(), created_at: now, updated_at: now };
    await context.store.update(record.name, (current) => {
      requireFreeName(current.rulesets, ruleset);
      return { ...current, rulesets: [...current.rulesets, ruleset] };
    });
    return reply.code(201).send(context.represent.ruleset(record, ruleset, account));
  });

  app.get("/repos/:owner/:repo/rulesets/:id", (request) => {
    const { record, account } = requireRepository(context, request, "read");
    const ruleset = record.rulesets.find(({ id }) => id === pathId(request));
    if (ruleset === undefined) throw notFound();
    return context.represent.ruleset(record, ruleset, account);
  });

  app.put("/repos/:owner/:repo/rulesets/:id", async (request) => {
    const repository = requireRepository(context, request, "admin", notFound());
    requireWritable(repository);
    const { record, account } = repository;
    const before = record.rulesets.find(({ id }) => id === pathId(request));
    if (before === undefined) throw notFound();
    // Every field may be left out; those keep what they were.
    const given = parseBody(rulesetRequestSchema.partial(), "RepositoryRuleset", {
      ...before,
      ...(typeof request.body === "object" ? request.body : {}),
    });
    const ruleset: Ruleset = {
      ...before,
      ...parseBody(rulesetRequestSchema, "RepositoryRuleset", given),
      updated_at: timestamp(),
    };
    await context.store.update(record.name, (current) => {
      requireFreeName(current.rulesets, ruleset);
      return {
        ...current,
        rulesets: current.rulesets.map((each) => (each.id === ruleset.id ? ruleset : each)),
      };
    });
    return context.represent.ruleset(record, ruleset, account);
  });

  app.delete("/repos/:owner/:repo/rulesets/:id", async (request, reply) => {
    const repository = requireRepository(context, request, "admin", notFound());
    requireWritable(repository);
    const id = pathId(request);
    if (!repository.record.rulesets.some((ruleset) => ruleset.id === id)) throw notFound();
    await context.store.update(repository.record.name, (current) => ({
      ...current,
      rulesets: current.rulesets.filter((ruleset) => ruleset.id !== id),
    }));
    return reply.code(204).send();
  });
}

function requireFreeName(rulesets: readonly Ruleset[], ruleset: Ruleset): void {
  if (rulesets.some(({ id, name }) => name === ruleset.name && id !== ruleset.id)) {
    throw validationFailed({
      resource: "RepositoryRuleset",
      field: "name",
      code: "custom",
      message: "Name must be unique",
    });
  }
}
