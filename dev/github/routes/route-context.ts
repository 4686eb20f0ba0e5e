import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { mayAccess, type AccessLevel, type Account, type Accounts } from "../access.ts";
import { ApiError, notFound, validationFailed } from "../api-error.ts";
import type { RefUpdate } from "../git-repository.ts";
import type { Representation } from "../representation.ts";
import type { Repository, RepositoryStore } from "../repository-store.ts";
import type { Webhooks } from "../webhooks.ts";

/** What every route works with. */
export interface RouteContext {
  owner: string;
  /** Where the server is reached, without a slash at the end. */
  url: string;
  accounts: Accounts;
  store: RepositoryStore;
  represent: Representation;
  webhooks: Webhooks;
  log: (line: string) => void;
  /** Records that refs moved, and tells the webhooks. */
  refsMoved: (
    repository: Repository,
    account: Account,
    updates: readonly RefUpdate[],
  ) => Promise<void>;
}

const repositoryParams = z.object({ owner: z.string(), repo: z.string() });
const wildcardParams = z.object({ "*": z.string() });

/** The account that a request of the API comes from; 401 if none. */
export function requireAccount(context: RouteContext, request: FastifyRequest): Account {
  const account = context.accounts.identify(request.headers.authorization);
  if (account === undefined) throw new ApiError(401, "Requires authentication");
  return account;
}

/**
 * The repository in the path of a request, and who asks. Where the access is not enough the answer
 * is `refusal`: 403 for what everybody knows to exist, 404 for the settings that only
 * administrators see.
 */
export function requireRepository(
  context: RouteContext,
  request: FastifyRequest,
  needed: AccessLevel,
  refusal: ApiError = new ApiError(403, "Must have admin rights to Repository."),
): Repository & { account: Account } {
  const account = requireAccount(context, request);
  const { owner, repo } = repositoryParams.parse(request.params);
  const repository = context.store.get(owner, repo);
  if (repository === undefined) throw notFound();
  if (!mayAccess(account, needed)) throw refusal;
  return { ...repository, account };
}

/** Refuses to change what is in an archived repository. */
export function requireWritable({ record }: Repository): void {
  if (record.settings.archived) {
    throw new ApiError(403, "Repository was archived so is read-only.");
  }
}

/** What `*` stands for in the path of a request. */
export function wildcard(request: FastifyRequest): string {
  return wildcardParams.parse(request.params)["*"];
}

/** The number in the path of a request, as an id. */
export function pathId(request: FastifyRequest): number {
  const { id } = z.object({ id: z.string() }).parse(request.params);
  return Number(id);
}

/** The body of a request; 422 that names the fields at fault if it is not as it should be. */
export function parseBody<T>(schema: z.ZodType<T>, resource: string, body: unknown): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw validationFailed(
    ...parsed.error.issues.map((issue) => ({
      resource,
      field: issue.path.join("."),
      code:
        issue.code === "invalid_type" && issue.message.endsWith("received undefined")
          ? ("missing_field" as const)
          : ("invalid" as const),
      message: issue.message,
    })),
  );
}

const pageQuery = z.object({
  per_page: z.coerce.number().int().min(1).catch(30),
  page: z.coerce.number().int().min(1).catch(1),
});

/** The page that a request asks for. */
export function pageOf(request: FastifyRequest): { page: number; perPage: number } {
  const { page, per_page } = pageQuery.parse(request.query);
  return { page, perPage: Math.min(per_page, 100) };
}

/** The part of `items` that a request asks for; the Link header leads to the others. */
export function paginate<T>(
  context: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly T[],
): T[] {
  const { page, perPage } = pageOf(request);
  const last = Math.max(1, Math.ceil(items.length / perPage));
  linkPages(context, request, reply, {
    ...(page > 1 ? { prev: page - 1 } : {}),
    ...(page < last ? { next: page + 1, last } : {}),
    ...(page > 1 ? { first: 1 } : {}),
  });
  return items.slice((page - 1) * perPage, page * perPage);
}

/** Sets the Link header. */
export function linkPages(
  context: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  pages: Readonly<Record<string, number>>,
): void {
  const links = Object.entries(pages).map(([relation, page]) => {
    const url = new URL(request.url, context.url);
    url.searchParams.set("page", String(page));
    return `<${url.href}>; rel="${relation}"`;
  });
  if (links.length > 0) void reply.header("link", links.join(", "));
}
