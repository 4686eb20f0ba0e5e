import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { notFound } from "../api-error.ts";
import { enterpriseVersion } from "../representation.ts";
import { requireAccount, type RouteContext } from "./route-context.ts";

const hourlyLimit = 5000;

/** The root of the API, the server itself, accounts and the organization. */
export function accountRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/", (request) => {
    requireAccount(context, request);
    return context.represent.root();
  });

  app.get("/meta", (request) => {
    requireAccount(context, request);
    return { verifiable_password_authentication: false, installed_version: enterpriseVersion };
  });

  // Nothing is limited; the numbers only have to be there.
  app.get("/rate_limit", (request) => {
    requireAccount(context, request);
    const reset = Math.floor(Date.now() / 1000) + 3600;
    const rate = { limit: hourlyLimit, remaining: hourlyLimit, reset, used: 0 };
    return { resources: { core: rate, graphql: rate, search: rate }, rate };
  });

  app.get("/user", (request) => context.represent.user(requireAccount(context, request).login));

  app.get("/users/:login", (request) => {
    requireAccount(context, request);
    const { login } = z.object({ login: z.string() }).parse(request.params);
    if (isOwner(context, login)) return context.represent.user(context.owner, "Organization");
    const account = context.accounts.byLogin(login);
    if (account === undefined) throw notFound();
    return context.represent.user(account.login);
  });

  app.get("/orgs/:org", (request) => {
    requireAccount(context, request);
    requireOrganization(context, request.params);
    return context.represent.organization(context.store.list());
  });
}

/** 404 unless the path names the one organization there is. */
export function requireOrganization(context: RouteContext, params: unknown): void {
  const { org } = z.object({ org: z.string() }).parse(params);
  if (!isOwner(context, org)) throw notFound();
}

function isOwner(context: RouteContext, login: string): boolean {
  return login.toLowerCase() === context.owner.toLowerCase();
}
