import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { notFound, validationFailed } from "../api-error.ts";
import { timestamp } from "../git-repository.ts";
import type { DeployKey } from "../repository-record.ts";
import { newId } from "../repository-store.ts";
import {
  paginate,
  parseBody,
  pathId,
  requireRepository,
  type RouteContext,
} from "./route-context.ts";

const createSchema = z.object({
  title: z.string().min(1).optional(),
  key: z
    .string()
    .regex(
      /^\s*(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-\S+)\s+AAAA[A-Za-z0-9+/]+=*(?:\s.*)?$/,
      "key is invalid. You must supply a key in OpenSSH public key format",
    ),
  read_only: z.boolean().default(false),
});

/** Deploy keys of a repository: kept and listed. There is no SSH here that would ask for them. */
export function deployKeyRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/repos/:owner/:repo/keys", (request, reply) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    return paginate(context, request, reply, record.deploy_keys).map((key) =>
      context.represent.deployKey(record, key),
    );
  });

  app.post("/repos/:owner/:repo/keys", async (request, reply) => {
    const { record, account } = requireRepository(context, request, "admin", notFound());
    const body = parseBody(createSchema, "PublicKey", request.body);
    const [algorithm = "", data = "", comment] = body.key.trim().split(/\s+/);
    const key: DeployKey = {
      id: newId(),
      title: body.title ?? comment ?? "",
      // GitHub forgets the comment.
      key: `${algorithm} ${data}`,
      read_only: body.read_only,
      added_by: account.login,
      created_at: timestamp(),
    };
    // One key opens one repository only.
    if (
      context.store.list().some((each) => each.deploy_keys.some((other) => other.key === key.key))
    ) {
      throw validationFailed({
        resource: "PublicKey",
        field: "key",
        code: "custom",
        message: "key is already in use",
      });
    }
    await context.store.update(record.name, (current) => ({
      ...current,
      deploy_keys: [...current.deploy_keys, key],
    }));
    return reply.code(201).send(context.represent.deployKey(record, key));
  });

  app.get("/repos/:owner/:repo/keys/:id", (request) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    const key = record.deploy_keys.find(({ id }) => id === pathId(request));
    if (key === undefined) throw notFound();
    return context.represent.deployKey(record, key);
  });

  app.delete("/repos/:owner/:repo/keys/:id", async (request, reply) => {
    const { record } = requireRepository(context, request, "admin", notFound());
    const id = pathId(request);
    if (!record.deploy_keys.some((key) => key.id === id)) throw notFound();
    await context.store.update(record.name, (current) => ({
      ...current,
      deploy_keys: current.deploy_keys.filter((key) => key.id !== id),
    }));
    return reply.code(204).send();
  });
}
