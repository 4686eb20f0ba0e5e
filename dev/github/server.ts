import { createHash, randomUUID } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import { Accounts, type TokenEntry } from "./access.ts";
import { ApiError, notFound } from "./api-error.ts";
import { gitHttpRoutes, installHooks } from "./git-http.ts";
import { timestamp } from "./git-repository.ts";
import { repositoryPage } from "./repository-page.ts";
import { RepositoryStore } from "./repository-store.ts";
import { enterpriseVersion, Representation } from "./representation.ts";
import { accountRoutes } from "./routes/account-routes.ts";
import { contentsRoutes } from "./routes/contents-routes.ts";
import { deployKeyRoutes } from "./routes/deploy-key-routes.ts";
import { gitDataRoutes } from "./routes/git-data-routes.ts";
import { repositoryRoutes } from "./routes/repository-routes.ts";
import type { RouteContext } from "./routes/route-context.ts";
import { rulesetRoutes } from "./routes/ruleset-routes.ts";
import { webhookRoutes } from "./routes/webhook-routes.ts";
import { Webhooks } from "./webhooks.ts";

/** A file through the contents API may have 100 MB, as base64. */
const bodyLimit = 140 * 1024 * 1024;

/** How long a request under way may still take once the server is told to stop. */
const graceMs = 500;

export interface GitHubServerOptions {
  host: string;
  port: number;
  /** Everything the server keeps is in this folder. */
  stateDirectory: string;
  /** The one organization. */
  owner: string;
  tokens: readonly TokenEntry[];
  /** One line for each request, and warnings. */
  log: (line: string) => void;
}

export interface GitHubServer {
  /** Where it listens, without a slash at the end; the API is under `/api/v3`. */
  url: string;
  close(): Promise<void>;
}

/**
 * Starts the GitHub stand-in: the part of GitHub Enterprise Server that Tenantry needs, with real
 * repositories behind it. Resolves once it listens.
 */
export async function createGitHubServer(options: GitHubServerOptions): Promise<GitHubServer> {
  const { owner, log } = options;
  const store = await RepositoryStore.open(options.stateDirectory, owner);
  const hooks = await installHooks(options.stateDirectory);
  const app = Fastify({
    bodyLimit,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
  });

  const url = `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${options.port}`;
  const represent = new Representation(url, owner);
  const webhooks = new Webhooks(represent, log);
  const context: RouteContext = {
    owner,
    url,
    accounts: new Accounts(options.tokens),
    store,
    represent,
    webhooks,
    log,
    refsMoved: async (repository, account, updates) => {
      const { git } = repository;
      const created = updates.find(({ ref, after }) => after && ref.startsWith("refs/heads/"));
      const head = `refs/heads/${await git.defaultBranch()}`;
      if (created !== undefined && (await git.refSha(head)) === undefined) {
        await git.setDefaultBranch(created.ref.slice("refs/heads/".length));
      }
      const record = await store.update(repository.record.name, (current) => ({
        ...current,
        pushed_at: timestamp(),
      }));
      webhooks.push({ record, git }, account, updates).catch((error: unknown) => {
        log(`WARN webhooks of ${record.name}: ${messageOf(error)}`);
      });
    },
  };

  answerLikeGitHub(app, log);
  await app.register(
    (api, _options, done) => {
      accountRoutes(api, context);
      repositoryRoutes(api, context);
      contentsRoutes(api, context);
      gitDataRoutes(api, context);
      rulesetRoutes(api, context);
      webhookRoutes(api, context);
      deployKeyRoutes(api, context);
      done();
    },
    { prefix: "/api/v3" },
  );
  await app.register((web, _options, done) => {
    gitHttpRoutes(web, context, hooks);
    repositoryPage(web, context);
    done();
  });

  await app.listen({ host: options.host, port: options.port });

  return {
    url,
    async close() {
      webhooks.close();
      const force = setTimeout(() => {
        app.server.closeAllConnections();
      }, graceMs);
      await app.close();
      clearTimeout(force);
    },
  };
}

/** Headers, errors, the log and JSON as GitHub has them. */
function answerLikeGitHub(app: FastifyInstance, log: (line: string) => void): void {
  // GitHub reads every body as JSON, whatever the request says it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    try {
      done(null, JSON.parse(body.toString("utf8")));
    } catch {
      done(new ApiError(400, "Problems parsing JSON"), undefined);
    }
  });

  app.addHook("onRequest", (_request, reply, done) => {
    void reply.headers({
      server: "GitHub.com",
      "x-github-request-id": randomUUID(),
      "x-github-enterprise-version": enterpriseVersion,
    });
    done();
  });

  // Conditional requests: the provider sends back the ETag that it has in its state.
  app.addHook("onSend", async (request, reply, payload) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead || reply.statusCode !== 200 || typeof payload !== "string") return payload;
    const etag = `W/"${createHash("sha256").update(payload).digest("hex")}"`;
    void reply.headers({
      etag,
      "cache-control": "private, max-age=60, s-maxage=60",
      vary: "Accept, Authorization, Cookie, X-GitHub-OTP",
    });
    if (request.headers["if-none-match"] !== etag) return payload;
    void reply.code(304);
    return null;
  });

  app.addHook("onResponse", (request, reply, done) => {
    const status = reply.sent && reply.raw.headersSent ? reply.raw.statusCode : reply.statusCode;
    log(`${request.method} ${pathOf(request.url)} ${status} ${reply.elapsedTime.toFixed(0)}ms`);
    done();
  });

  app.setNotFoundHandler((request, reply) => {
    log(`WARN not implemented: ${request.method} ${pathOf(request.url)}`);
    return reply.code(404).send(notFound().body);
  });

  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).send(error.body);
    const status = statusOf(error);
    if (status < 500) return reply.code(status).send(new ApiError(status, messageOf(error)).body);
    log(`WARN ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return reply.code(500).send(new ApiError(500, "Server Error").body);
  });
}

function statusOf(error: unknown): number {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : 500;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Queries stay out of the log: they can hold credentials. */
function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? url;
}
