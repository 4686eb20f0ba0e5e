import { KubeConfig } from "@kubernetes/client-node";
import { KubernetesApi } from "../../conformance/kubernetes-api.ts";

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

/**
 * A host cluster's API server, asked without a client library in between: what is sent is what was
 * given, and nothing of the answer is brought into shape.
 */
export class HostApi {
  readonly #api: KubernetesApi;

  private constructor(api: KubernetesApi) {
    this.#api = api;
  }

  static async open(kubeconfig: string): Promise<HostApi> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return new HostApi(await KubernetesApi.open(config));
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
    this.#api.close();
  }

  async #post(manifest: Manifest, query: string): Promise<Verdict> {
    const { apiVersion, kind, metadata } = manifest;
    const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const namespace =
      metadata.namespace === undefined
        ? ""
        : `/namespaces/${encodeURIComponent(metadata.namespace)}`;
    const plural = kind.toLowerCase().replace(/y$/, "ie");
    const path = `${group}${namespace}/${plural}s${query}`;
    const { status, body, message, warnings } = await this.#api.ask({
      method: "POST",
      path,
      body: manifest,
    });
    if (status === 201) return { accepted: true, body, reason: "", warnings };
    // 400: it cannot be read; 403: admission; 422: validation. Anything else is no verdict.
    if (![400, 403, 422].includes(status))
      throw new Error(`${path} answered ${status}: ${message}`);
    return { accepted: false, body, reason: `${kind} ${metadata.name}: ${message}`, warnings };
  }
}
