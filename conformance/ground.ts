import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

import {
  DOMAIN_ANNOTATION,
  NODE_POOL_LABEL,
  SYNCED_LABEL,
  tierPriority,
  TIER_LABEL,
} from "../components/admission-policies.ts";
import type { PlatformSettings } from "../platform/settings.ts";
import { refusingLayer, type Answer } from "./attempt.ts";
import { GitRepository } from "./git-service.ts";
import { type ApiRequest, KubernetesApi } from "./kubernetes-api.ts";
import { labelQuery, RUN_PREFIX, runLabelsOf } from "./run-labels.ts";

/** A tenant as the attempts see it. */
export interface Subject {
  readonly name: string;
  readonly namespace: string;
  readonly kubeconfig: string;
  /** The virtual cluster's API server, from inside the host cluster. */
  readonly serverInHost: string;
  /** What git clones. */
  readonly cloneUrl: string;
}

/** What a run needs of the platform. */
export interface Field {
  readonly settings: PlatformSettings;
  /** The host cluster, as an administrator who may act as others. */
  readonly host: KubernetesApi;
  /** The Git service's REST API, as the platform. */
  readonly git: { readonly url: string; readonly token: string };
  readonly signal: AbortSignal;
}

const Labelled = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
});
export const HostPod = Labelled.extend({
  metadata: Labelled.shape.metadata.extend({ finalizers: z.array(z.string()).default([]) }),
  spec: z.looseObject({
    priorityClassName: z.string().optional(),
    containers: z.array(
      z.looseObject({
        image: z.string(),
        resources: z.object({ limits: z.record(z.string(), z.string()).default({}) }).prefault({}),
      }),
    ),
    volumes: z
      .array(z.looseObject({ secret: z.object({ secretName: z.string() }).optional() }))
      .default([]),
  }),
});
export type HostPod = z.output<typeof HostPod>;
const Pods = z.object({ items: z.array(HostPod) });
const Copies = z.object({ items: z.array(Labelled) });
type Copy = z.output<typeof Labelled>;
const Events = z.object({
  items: z.array(
    z.object({
      involvedObject: z.object({ kind: z.string(), name: z.string() }),
      reason: z.string().nullish(),
      message: z.string().nullish(),
    }),
  ),
});
const Secret = z.object({ data: z.record(z.string(), z.string()).default({}) });
const Quota = z.object({
  status: z.object({
    hard: z.record(z.string(), z.string()).default({}),
    used: z.record(z.string(), z.string()).default({}),
  }),
});

type Manifest = Readonly<Record<string, unknown>>;

/** Milliseconds after which an attempt that nobody answered fails. */
const PATIENCE = 60_000;
const POLL = 250;

/** What the attempts on one tenant stand on: who they can be, and what they can see. */
export class Ground {
  readonly field: Field;
  readonly tenant: Subject;
  /** Whom the tenant must not reach; absent where there is one tenant only. */
  readonly other: Subject | undefined;
  /** The virtual cluster, as the tenant. */
  readonly inside: KubernetesApi;
  /** The other tenant's virtual cluster, as that tenant: to look whether anything got there. */
  readonly otherInside: KubernetesApi | undefined;
  readonly host: KubernetesApi;
  /** The host cluster, as the virtual cluster's own service account: a control plane taken over. */
  readonly controlPlane: KubernetesApi;
  /** The host cluster, as what the tenant's pods run as. */
  readonly workload: KubernetesApi;
  /** The host cluster, as somebody who may make and edit namespaces and is not the platform. */
  readonly editor: KubernetesApi;
  /** The virtual cluster, as the host Argo CD. */
  readonly argocdInside: KubernetesApi;
  /** The tenant's repository, as the platform. */
  readonly repository: GitRepository;
  /** The token with which Argo CD reads the repository. */
  readonly argocdGitToken: string;
  /** Namespace inside for what this run makes. */
  readonly scratch: string;
  /** Labels and annotations of the tenant's namespace on the host. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Image that every platform allows, and that the nodes have already: CoreDNS's. */
  readonly image: string;
  /** A pod of the tenant's on the host. */
  readonly hostPod: HostPod;
  #seen: Seen = { pods: [], copies: new Map(), events: [] };
  #looking: Promise<void> | undefined;
  readonly #made = new Map<string, Promise<void>>();

  private constructor(
    field: Field,
    tenant: Subject,
    other: Subject | undefined,
    found: {
      readonly inside: KubernetesApi;
      readonly otherInside: KubernetesApi | undefined;
      readonly argocdInside: KubernetesApi;
      readonly argocdGitToken: string;
      readonly namespace: z.output<typeof Labelled>;
      readonly hostPod: HostPod;
    },
  ) {
    this.field = field;
    this.tenant = tenant;
    this.other = other;
    this.inside = found.inside;
    this.otherInside = found.otherInside;
    this.argocdInside = found.argocdInside;
    this.argocdGitToken = found.argocdGitToken;
    this.host = field.host;
    const serviceAccount = (name: string) =>
      field.host.as({
        user: `system:serviceaccount:${tenant.namespace}:${name}`,
        groups: [
          "system:serviceaccounts",
          `system:serviceaccounts:${tenant.namespace}`,
          "system:authenticated",
        ],
      });
    this.controlPlane = serviceAccount(`vc-${tenant.name}`);
    this.workload = serviceAccount(`vc-workload-${tenant.name}`);
    this.scratch = `${RUN_PREFIX}${randomBytes(3).toString("hex")}`;
    this.editor = field.host.as({ user: this.scratch, groups: ["system:authenticated"] });
    this.labels = found.namespace.metadata.labels;
    this.annotations = found.namespace.metadata.annotations;
    this.hostPod = found.hostPod;
    this.image = found.hostPod.spec.containers[0]?.image ?? "";
    this.repository = new GitRepository(
      `${field.git.url}/repos/${field.settings.git.owner}/${tenant.name}`,
      field.git.token,
    );
  }

  static async take(field: Field, tenant: Subject, other: Subject | undefined): Promise<Ground> {
    const { host, settings } = field;
    const synced = { "k8s-app": "vcluster-kube-dns", [SYNCED_LABEL]: tenant.name };
    const secret = async (namespace: string, name: string, key: string) => {
      const { data } = await host.get(Secret, {
        path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
      });
      return Buffer.from(data[key] ?? "", "base64").toString("utf8");
    };
    const [namespace, { items }, token, argocdGitToken, inside] = await Promise.all([
      host.get(Labelled, { path: `/api/v1/namespaces/${tenant.namespace}` }),
      host.get(Pods, {
        path: `/api/v1/namespaces/${tenant.namespace}/pods?${labelQuery(synced)}`,
      }),
      secret(tenant.namespace, `vc-${tenant.name}-argocd`, "token"),
      secret(settings.argocd.namespace, `repository-${tenant.name}`, "password"),
      KubernetesApi.fromText(tenant.kubeconfig),
    ]);
    const [hostPod] = items;
    if (hostPod === undefined) {
      throw new Error(`${tenant.name}: its CoreDNS has no pod on the host, so it does not work`);
    }
    return new Ground(field, tenant, other, {
      inside,
      otherInside: other && (await KubernetesApi.fromText(other.kubeconfig)),
      argocdInside: await inside.withToken(token),
      argocdGitToken,
      namespace,
      hostPod,
    });
  }

  close(): void {
    for (const api of [this.inside, this.argocdInside, this.otherInside]) api?.close();
  }

  get runLabels() {
    return runLabelsOf(this.tenant.name);
  }

  /** Branch of the tenant's repository for what the run's Applications deploy. */
  get branch(): string {
    return this.scratch;
  }

  /** Makes something that several attempts need, for the first that asks for it. */
  async once(what: string, make: () => Promise<void>): Promise<void> {
    const made = this.#made.get(what) ?? make();
    this.#made.set(what, made);
    await made;
  }

  get isolation(): string {
    return this.labels["pod-security.kubernetes.io/enforce"] ?? "";
  }

  /** The domain whose names below it are the tenant's. */
  get domain(): string {
    return this.annotations[DOMAIN_ANNOTATION] ?? "";
  }

  get nodePool(): string {
    return this.labels[NODE_POOL_LABEL] ?? "";
  }

  /** What the tenant has of a resource of its quota, and what of it is taken. Without a quota: nothing. */
  async quota(resource: string): Promise<{ readonly hard: string; readonly used: string }> {
    const { status, body } = await this.host.ask({
      path: `/api/v1/namespaces/${this.tenant.namespace}/resourcequotas/tenant`,
    });
    const { hard, used } = status === 404 ? { hard: {}, used: {} } : Quota.parse(body).status;
    return { hard: hard[resource] ?? "0", used: used[resource] ?? "0" };
  }

  /** A pod that breaks nothing, for inside. */
  pod(name: string): { metadata: Manifest; spec: PodSpec } {
    return {
      metadata: { name, namespace: this.scratch, labels: this.runLabels },
      spec: {
        restartPolicy: "Never",
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 12345,
          seccompProfile: { type: "RuntimeDefault" },
        },
        containers: [this.container("main")],
      },
    };
  }

  /** A container that breaks nothing and ends at once. */
  container(name: string): Manifest {
    return {
      name,
      image: this.image,
      args: ["-version"],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      resources: {
        requests: { cpu: "1m", memory: "1Mi" },
        limits: { cpu: "10m", memory: "16Mi" },
      },
    };
  }

  /** The pod that vCluster would make on the host of one that breaks nothing. */
  syncedPod(): { metadata: { name: string; labels: Record<string, string> }; spec: PodSpec } {
    const { spec } = this.pod("");
    return {
      metadata: {
        name: this.scratch,
        labels: { ...this.runLabels, [SYNCED_LABEL]: this.tenant.name },
      },
      spec: {
        ...spec,
        ...this.poolSpec(),
        automountServiceAccountToken: false,
        serviceAccountName: `vc-workload-${this.tenant.name}`,
        priorityClassName: tierPriority(this.labels[TIER_LABEL] ?? ""),
      },
    };
  }

  /** What pods of the tenant's node pool say. */
  poolSpec(): Manifest {
    const { labels = {} } = this.field.settings.nodePools[this.nodePool] ?? {};
    return Object.keys(labels).length === 0 ? {} : { nodeSelector: labels };
  }

  /** Asks an API server, and says which of its layers answered. */
  async ask(api: KubernetesApi, request: ApiRequest): Promise<Answer> {
    if (api === this.inside && request.path.includes(`/${this.scratch}/`)) await this.#prepare();
    const { status, message } = await api.ask(request);
    return message === ""
      ? { by: "nobody", text: `${status}` }
      : { by: refusingLayer(status, message), text: message };
  }

  /** Asks to make an object on the host, without making it. */
  async dryRun(api: KubernetesApi, path: string, body: unknown): Promise<Answer> {
    return await this.ask(api, { method: "POST", path: `${path}?dryRun=All`, body });
  }

  /**
   * Makes an object inside, and waits for what becomes of it on the host: its copy, or the event in
   * which vCluster tells the tenant what the host said.
   */
  async sync(kind: string, path: string, body: unknown, name: string): Promise<Answer> {
    const answer = await this.ask(this.inside, { method: "POST", path, body });
    return answer.by === "nobody" ? await this.fate(kind, (object) => object === name) : answer;
  }

  /** What became on the host of an object inside. */
  async fate(kind: string, isMeant: (name: string) => boolean): Promise<Answer> {
    return await this.awaited(`${kind} in ${this.scratch} reaching the host`, () => {
      const refused = this.refused(kind, isMeant);
      if (refused !== undefined) return refused;
      const copy = this.#seen.copies.get(kind)?.find((object) => isMeant(insideName(object)));
      return copy === undefined
        ? undefined
        : ({ by: "nobody", text: `on the host as ${copy.metadata.name}` } as const);
    });
  }

  /** What vCluster told the tenant of an object that the host refused, as far as it was seen. */
  refused(kind: string, isMeant: (name: string) => boolean): Answer | undefined {
    for (const { involvedObject, reason, message } of this.#seen.events) {
      if (involvedObject.kind !== kind || !isMeant(involvedObject.name)) continue;
      const text = message ?? "";
      // What it tries again by itself, such as a conflict, is no answer.
      if (reason === "SyncError" && /forbidden|invalid|denied/i.test(text)) {
        return { by: refusingLayer(403, text), text };
      }
    }
    return undefined;
  }

  /** How many pods inside have a copy on the host, as far as it was seen. */
  copies(isMeant: (name: string) => boolean): number {
    return this.#seen.pods.filter((pod) => isMeant(insideName(pod))).length;
  }

  /** The pod on the host that vCluster made of one inside, once it is there. */
  async copy(name: string): Promise<HostPod> {
    return await this.awaited(`pod ${name} on the host`, () =>
      this.#seen.pods.find((pod) => insideName(pod) === name),
    );
  }

  /** Looks until there is something to see. */
  async awaited<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const end = Date.now() + PATIENCE;
    for (;;) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`no answer within ${PATIENCE / 1000} s: ${what}`);
      this.field.signal.throwIfAborted();
      await delay(POLL);
    }
  }

  /** The namespace inside: a run whose attempts do without is over sooner. */
  async #prepare(): Promise<void> {
    await this.once("namespace", async () => {
      await this.inside.get(z.unknown(), {
        method: "POST",
        path: "/api/v1/namespaces",
        body: { metadata: { name: this.scratch, labels: this.runLabels } },
      });
    });
  }

  /** One look at both sides, for all attempts that wait. */
  async #look(): Promise<void> {
    const namespace = `namespaces/${this.tenant.namespace}`;
    const selected = labelQuery({ "vcluster.loft.sh/namespace": this.scratch });
    const [{ items: pods }, { items: services }, { items: networkPolicies }, { items: events }] =
      await Promise.all([
        this.host.get(Pods, { path: `/api/v1/${namespace}/pods?${selected}` }),
        this.host.get(Copies, { path: `/api/v1/${namespace}/services?${selected}` }),
        this.host.get(Copies, {
          path: `/apis/networking.k8s.io/v1/${namespace}/networkpolicies?${selected}`,
        }),
        this.inside.get(Events, { path: `/api/v1/namespaces/${this.scratch}/events` }),
      ]);
    const copies = new Map<string, readonly Copy[]>([
      ["Pod", pods],
      ["Service", services],
      ["NetworkPolicy", networkPolicies],
    ]);
    this.#seen = { pods, copies, events };
  }
}

/** What was last seen on the host of what a run made inside, and of what vCluster told about it. */
interface Seen {
  readonly pods: readonly HostPod[];
  /** By kind. */
  readonly copies: ReadonlyMap<string, readonly Copy[]>;
  readonly events: z.output<typeof Events>["items"];
}

/** The parts of a pod's spec that attempts change. */
export type PodSpec = Record<string, unknown> & { containers: Manifest[] };

function insideName({ metadata }: Copy): string {
  return metadata.annotations["vcluster.loft.sh/object-name"] ?? "";
}
