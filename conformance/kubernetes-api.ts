import { Agent, request, type RequestOptions } from "node:https";
import { KubeConfig, type User } from "@kubernetes/client-node";
import { z } from "zod";

/** What an API server answers. */
export interface ApiAnswer {
  readonly status: number;
  /** The object, or a Status that says why not. */
  readonly body: unknown;
  /** What it says against a request; empty where it did what was asked. */
  readonly message: string;
  /** What it warns of: pods that would break a Pod Security Standard, fields that are outdated. */
  readonly warnings: readonly string[];
}

/** Who asks, where that is not the user of the kubeconfig: the API server's own impersonation. */
export interface Impersonated {
  readonly user: string;
  readonly groups: readonly string[];
}

export interface ApiRequest {
  /** Path and query, such as /api/v1/namespaces. */
  readonly path: string;
  /** Default: GET. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: unknown;
  /** Default: JSON; for PATCH: a merge patch. */
  readonly contentType?: string;
}

/** Milliseconds in which an API server must answer. */
const TIMEOUT = 30_000;

const Status = z.object({ message: z.string() });

/**
 * An API server, asked by plain requests: of an answer, status and message count as they come, so
 * that it can be told which of its layers refused.
 */
export class KubernetesApi {
  readonly #agent: Agent;
  readonly #server: string;
  readonly #headers: Readonly<Record<string, string | readonly string[]>>;
  readonly #config: KubeConfig;

  private constructor(
    config: KubeConfig,
    server: string,
    agent: Agent,
    headers: Readonly<Record<string, string | readonly string[]>>,
  ) {
    this.#config = config;
    this.#server = server;
    this.#agent = agent;
    this.#headers = headers;
  }

  /** The current context's API server, as its user. */
  static async open(config: KubeConfig): Promise<KubernetesApi> {
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error("the kubeconfig names no server");
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, servername, rejectUnauthorized, headers } = options;
    const agent = new Agent({
      keepAlive: true,
      ca,
      cert,
      key,
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    });
    // Where the user has a token.
    const { data } = z.object({ Authorization: z.string() }).safeParse(headers);
    return new KubernetesApi(config, server, agent, data ?? {});
  }

  static async fromText(kubeconfig: string): Promise<KubernetesApi> {
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    return await KubernetesApi.open(config);
  }

  /** The same API server, asked as somebody else. */
  as({ user, groups }: Impersonated): KubernetesApi {
    return new KubernetesApi(this.#config, this.#server, this.#agent, {
      ...this.#headers,
      "impersonate-user": user,
      "impersonate-group": groups,
    });
  }

  /** The same API server, asked with a token in place of the kubeconfig's user. */
  async withToken(token: string): Promise<KubernetesApi> {
    return await this.#asUser({ name: "token", token });
  }

  /** The same API server, asked by the user of another kubeconfig. */
  async withUserOf(kubeconfig: string): Promise<KubernetesApi> {
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    const user = config.getCurrentUser();
    if (user === null) throw new Error("the kubeconfig names no user");
    return await this.#asUser(user);
  }

  async #asUser(user: User): Promise<KubernetesApi> {
    const cluster = this.#config.getCurrentCluster();
    if (cluster === null) throw new Error("the kubeconfig names no cluster");
    const config = new KubeConfig();
    config.loadFromClusterAndUser(cluster, user);
    return await KubernetesApi.open(config);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Fails only where there is no answer. */
  async ask({ path, method = "GET", body, contentType }: ApiRequest): Promise<ApiAnswer> {
    const type =
      contentType ?? (method === "PATCH" ? "application/merge-patch+json" : "application/json");
    const { status, text, warnings } = await this.#send(
      method,
      path,
      type,
      body === undefined ? undefined : JSON.stringify(body),
    );
    const parsed = parseJson(text);
    const ok = status >= 200 && status < 300;
    const { data } = Status.safeParse(parsed);
    return { status, body: parsed, message: ok ? "" : (data?.message ?? text.trim()), warnings };
  }

  /** As `ask`, for what has to work: another answer than the one expected is an error. */
  async get<Schema extends z.ZodType>(
    schema: Schema,
    request: ApiRequest,
  ): Promise<z.output<Schema>> {
    const { status, body, message } = await this.ask(request);
    if (message !== "") {
      throw new Error(`${request.method ?? "GET"} ${request.path} answered ${status}: ${message}`);
    }
    return schema.parse(body);
  }

  #send(method: string, path: string, contentType: string, body: string | undefined) {
    return new Promise<{ status: number; text: string; warnings: string[] }>((resolve, reject) => {
      const headers = { ...this.#headers, "content-type": contentType };
      const sent = request(
        `${this.#server}${path}`,
        { method, agent: this.#agent, headers, timeout: TIMEOUT },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const { warning } = response.headers;
            resolve({
              status: response.statusCode ?? 0,
              text: Buffer.concat(chunks).toString("utf8"),
              warnings: warning === undefined ? [] : [warning],
            });
          });
        },
      );
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
