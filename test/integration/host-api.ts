import { Agent, request, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";

/** An object, as far as it says where it goes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly [field: string]: unknown;
}

/** What the API server says to an object. */
export interface Verdict {
  readonly accepted: boolean;
  /** The object as it would be, defaults included; or what the server answered instead. */
  readonly body: unknown;
  /** Why it is refused; empty if it is not. */
  readonly reason: string;
  /** What it warns of: pods that would break a Pod Security Standard, fields that are outdated. */
  readonly warnings: readonly string[];
}

const Refusal = z.object({ message: z.string() });

/**
 * A host cluster's API server, asked without a client library in between: what is sent is what was
 * given, and nothing of the answer is brought into shape.
 */
export class HostApi {
  readonly #agent: Agent;
  readonly #server: string;

  private constructor(server: string, credentials: Pick<RequestOptions, "ca" | "cert" | "key">) {
    this.#server = server;
    this.#agent = new Agent({ keepAlive: true, ...credentials });
  }

  static async open(kubeconfig: string): Promise<HostApi> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error(`${kubeconfig} names no server`);
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key } = options;
    return new HostApi(server, { ca, cert, key });
  }

  /** Whether an object could be created. Fields that the server does not know count against it. */
  async dryRun(manifest: Manifest): Promise<Verdict> {
    return await this.#post(manifest, "?dryRun=All&fieldValidation=Strict");
  }

  /** Creates an object, or throws what the server says against it. */
  async create(manifest: Manifest): Promise<void> {
    const { accepted, reason } = await this.#post(manifest, "?fieldValidation=Strict");
    if (!accepted) throw new Error(reason);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post(manifest: Manifest, query: string): Promise<Verdict> {
    const { apiVersion, kind, metadata } = manifest;
    const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const namespace =
      metadata.namespace === undefined
        ? ""
        : `/namespaces/${encodeURIComponent(metadata.namespace)}`;
    const plural = kind.toLowerCase().replace(/y$/, "ie");
    const url = `${this.#server}${group}${namespace}/${plural}s${query}`;
    const { status, text, warnings } = await this.#send(url, JSON.stringify(manifest));
    const body: unknown = JSON.parse(text);
    if (status === 201) return { accepted: true, body, reason: "", warnings };
    const { message } = Refusal.parse(body);
    // 400: it cannot be read; 403: admission; 422: validation. Anything else is no verdict.
    if (![400, 403, 422].includes(status)) throw new Error(`${url} answered ${status}: ${message}`);
    return { accepted: false, body, reason: `${kind} ${metadata.name}: ${message}`, warnings };
  }

  #send(url: string, body: string): Promise<{ status: number; text: string; warnings: string[] }> {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const sent = request(url, { method: "POST", agent: this.#agent, headers }, (response) => {
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
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}
