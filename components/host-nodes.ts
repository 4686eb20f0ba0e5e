import {
  ApiException,
  CoreV1Api,
  createConfiguration,
  KubeConfig,
  ServerConfiguration,
  type V1ListMeta,
} from "@kubernetes/client-node";
import { z } from "zod";

import type { PlatformSettings } from "../platform/settings.ts";
import { parseBytes, parseMillicores } from "../tenants/quantity.ts";
import type { HostNode, HostPod, HostResources } from "./capacity.ts";

/** Objects that are asked for at a time. */
const PAGE = 500;
/** Milliseconds in which the host cluster must have answered one request. */
const TIMEOUT = 10_000;

const quantity = (parse: (text: string) => number | undefined) =>
  z
    .string()
    .transform((text, context) => {
      const amount = parse(text);
      if (amount !== undefined) return amount;
      context.addIssue({ code: "custom", message: `expected a quantity, got ${text}` });
      return z.NEVER;
    })
    .optional();

const Requests = z.object({ cpu: quantity(parseMillicores), memory: quantity(parseBytes) });
const Resources = z.object({ requests: Requests.optional() });
const Container = z.object({
  resources: Resources.optional(),
  restartPolicy: z.string().optional(),
});

const Node = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z
    .object({
      unschedulable: z.boolean().default(false),
      taints: z
        .array(z.object({ key: z.string(), value: z.string().optional(), effect: z.string() }))
        .default([]),
    })
    .prefault({}),
  status: z
    .object({
      allocatable: Requests.extend({ pods: quantity(parseBytes) }).prefault({}),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    })
    .prefault({}),
});

const Pod = z.object({
  metadata: z.object({ namespace: z.string() }),
  spec: z.object({
    nodeName: z.string().optional(),
    containers: z.array(Container),
    initContainers: z.array(Container).default([]),
    resources: Resources.optional(),
    overhead: Requests.prefault({}),
  }),
  status: z.object({ phase: z.string().optional() }).prefault({}),
});

/** hostResources of the platform's host, by the same kubeconfig and context that the program uses. */
export function hostOf({ host }: PlatformSettings): Promise<HostResources> {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  if (host.context !== undefined) kubeConfig.setCurrentContext(host.context);
  return hostResources(kubeConfig);
}

/**
 * What the nodes of the host cluster have, and what pods on them request. Throws an error that says
 * what was asked of which server, if it refuses, does not answer, or answers something else.
 */
export async function hostResources(kubeConfig: KubeConfig): Promise<HostResources> {
  const server = kubeConfig.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new Error(`the kubeconfig has no cluster for its context ${kubeConfig.currentContext}`);
  }
  const api = new CoreV1Api(
    createConfiguration({
      baseServer: new ServerConfiguration(server, {}),
      authMethods: { default: kubeConfig },
      promiseMiddleware: [
        {
          pre: (request) => {
            request.setSignal(AbortSignal.timeout(TIMEOUT));
            return Promise.resolve(request);
          },
          post: (response) => Promise.resolve(response),
        },
      ],
    }),
  );
  const [nodes, pods] = await Promise.all([
    everyPage(`${server}/api/v1/nodes`, z.array(Node), (page) => api.listNode(page)),
    everyPage(`${server}/api/v1/pods`, z.array(Pod), (page) => api.listPodForAllNamespaces(page)),
  ]);
  return { nodes: nodes.map(toHostNode), pods: pods.flatMap(toHostPod) };
}

async function everyPage<Item>(
  url: string,
  schema: z.ZodType<Item[]>,
  ask: (page: {
    limit: number;
    _continue?: string;
  }) => Promise<{ items: unknown[]; metadata?: V1ListMeta }>,
): Promise<Item[]> {
  const items: Item[] = [];
  let next: string | undefined;
  try {
    do {
      const list = await ask({ limit: PAGE, ...(next === undefined ? {} : { _continue: next }) });
      items.push(...schema.parse(list.items));
      next = list.metadata?._continue;
    } while (next !== undefined && next !== "");
  } catch (error) {
    throw new Error(`the host cluster's capacity is not known: GET ${url}: ${reason(error)}`, {
      cause: error,
    });
  }
  return items;
}

function reason(error: unknown): string {
  if (error instanceof ApiException) return `answered ${error.code}: ${String(error.body)}`;
  if (error instanceof z.ZodError) return `answered something else: ${z.prettifyError(error)}`;
  if (!(error instanceof Error)) return String(error);
  return error.name === "AbortError" ? `no answer within ${TIMEOUT / 1000} s` : error.message;
}

function toHostNode({ metadata, spec, status }: z.output<typeof Node>): HostNode {
  const { cpu = 0, memory = 0, pods = 0 } = status.allocatable;
  return {
    ...metadata,
    taints: spec.taints,
    usable:
      !spec.unschedulable &&
      status.conditions.some(
        (condition) => condition.type === "Ready" && condition.status === "True",
      ),
    allocatable: { cpu, memory, pods },
  };
}

/** Nothing for a pod that has finished or has no node yet. */
function toHostPod({ metadata, spec, status }: z.output<typeof Pod>): HostPod[] {
  if (spec.nodeName === undefined || status.phase === "Succeeded" || status.phase === "Failed") {
    return [];
  }
  return [
    {
      namespace: metadata.namespace,
      node: spec.nodeName,
      requests: { cpu: requested(spec, "cpu"), memory: requested(spec, "memory") },
    },
  ];
}

/**
 * What the scheduler sets aside for a pod, as PodRequests of k8s.io/component-helpers/resource has
 * it: init containers run one after the other before the others do, unless they are sidecars
 * (restartPolicy Always), which stay. Requests of the whole pod hold instead of its containers'.
 */
function requested(spec: z.output<typeof Pod>["spec"], resource: "cpu" | "memory"): number {
  const of = (container: z.output<typeof Container>) =>
    container.resources?.requests?.[resource] ?? 0;
  let sidecars = 0;
  let starting = 0;
  for (const container of spec.initContainers) {
    const sidecar = container.restartPolicy === "Always";
    if (sidecar) sidecars += of(container);
    starting = Math.max(starting, sidecar ? sidecars : sidecars + of(container));
  }
  const running = spec.containers.reduce((sum, container) => sum + of(container), sidecars);
  return (
    (spec.resources?.requests?.[resource] ?? Math.max(starting, running)) +
    (spec.overhead[resource] ?? 0)
  );
}
