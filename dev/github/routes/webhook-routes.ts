import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { notFound, validationFailed } from "../api-error.ts";
import { timestamp } from "../git-repository.ts";
import type { Webhook } from "../repository-record.ts";
import { newId } from "../repository-store.ts";
import {
  paginate,
  parseBody,
  pathId,
  requireRepository,
  type RouteContext,
} from "./route-context.ts";

const configSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  content_type: z.enum(["json", "form"]).default("form"),
  secret: z.string().min(1).optional(),
  insecure_ssl: z
    .union([z.string(), z.number()])
    .default("0")
    .transform((value) => (String(value) === "1" ? ("1" as const) : ("0" as const))),
});

const createSchema = z.object({
  name: z.literal("web").default("web"),
  active: z.boolean().default(true),
  events: z.array(z.string()).min(1).default(["push"]),
  config: configSchema,
});

const editSchema = z.object({
  active: z.boolean().optional(),
  events: z.array(z.string()).min(1).optional(),
  add_events: z.array(z.string()).default([]),
  remove_events: z.array(z.string()).default([]),
  config: configSchema.optional(),
});

/** Webhooks of a repository. Only administrators know that there are any. */
export function webhookRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/repos/:owner/:repo/hooks", (request, reply) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    return paginate(context, request, reply, record.webhooks).map((hook) =>
      context.represent.webhook(record, hook),
    );
  });

  app.post("/repos/:owner/:repo/hooks", async (request, reply) => {
    const { record, account, git } = requireRepository(context, request, "admin", notFound());
    const { active, events, config } = parseBody(createSchema, "Hook", request.body);
    const now = timestamp();
    const hook: Webhook = { id: newId(), active, events, config, created_at: now, updated_at: now };
    const changed = await context.store.update(record.name, (current) => {
      if (current.webhooks.some((each) => isSame(each, hook))) {
        throw validationFailed({
          resource: "Hook",
          field: "config",
          code: "custom",
          message: "Hook already exists on this repository",
        });
      }
      return { ...current, webhooks: [...current.webhooks, hook] };
    });
    await context.webhooks.ping({ record: changed, git }, hook, account);
    return reply.code(201).send(context.represent.webhook(changed, hook));
  });

  app.get("/repos/:owner/:repo/hooks/:id", (request) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    const hook = record.webhooks.find(({ id }) => id === pathId(request));
    if (hook === undefined) throw notFound();
    return context.represent.webhook(record, hook);
  });

  app.patch("/repos/:owner/:repo/hooks/:id", async (request) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    const before = record.webhooks.find(({ id }) => id === pathId(request));
    if (before === undefined) throw notFound();
    const body = parseBody(editSchema, "Hook", request.body);
    const events = new Set([...(body.events ?? before.events), ...body.add_events]);
    for (const event of body.remove_events) events.delete(event);
    const hook: Webhook = {
      ...before,
      active: body.active ?? before.active,
      events: [...events],
      // A config replaces the old one as a whole, secret included.
      config: body.config ?? before.config,
      updated_at: timestamp(),
    };
    const changed = await context.store.update(record.name, (current) => ({
      ...current,
      webhooks: current.webhooks.map((each) => (each.id === hook.id ? hook : each)),
    }));
    return context.represent.webhook(changed, hook);
  });

  app.delete("/repos/:owner/:repo/hooks/:id", async (request, reply) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    const id = pathId(request);
    if (!record.webhooks.some((hook) => hook.id === id)) throw notFound();
    await context.store.update(record.name, (current) => ({
      ...current,
      webhooks: current.webhooks.filter((hook) => hook.id !== id),
    }));
    return reply.code(204).send();
  });

  app.post("/repos/:owner/:repo/hooks/:id/pings", async (request, reply) => {
    const { record, account, git } = requireRepository(context, request, "admin", notFound());
    const hook = record.webhooks.find(({ id }) => id === pathId(request));
    if (hook === undefined) throw notFound();
    await context.webhooks.ping({ record, git }, hook, account);
    return reply.code(204).send();
  });
}

function isSame(a: Webhook, b: Webhook): boolean {
  return (
    a.config.url === b.config.url &&
    a.config.content_type === b.config.content_type &&
    a.events.some((event) => b.events.includes(event))
  );
}
