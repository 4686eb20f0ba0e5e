import type { Answer, Attempt, Rail, Refusal } from "../attempt.ts";
import type { Ground, PodSpec } from "../ground.ts";
import type { ApiRequest } from "../kubernetes-api.ts";

type Pod = { metadata: Record<string, unknown>; spec: PodSpec };
type Container = Record<string, unknown>;

export const byPodSecurity = {
  expected: "Pod Security",
  rail: "Pod Security of the namespace",
} as const;
export const byRole = { expected: "RBAC", rail: "Role of the virtual cluster" } as const;
export const toBePermitted = { expected: "nobody" } as const;

/** Refused by an admission policy; those of node pools are one rail. */
export function byPolicy(name: string, rail: Rail): Refusal {
  return { expected: `policy ${name}`, rail };
}

/** A change to the first container of a pod, in place of what it says of security. */
export function container(pod: Pod, change: Container): void {
  const [first] = pod.spec.containers;
  if (first === undefined) return;
  pod.spec.containers = [{ ...first, ...change }];
}

/** A change to the security context of the first container. */
export function security(pod: Pod, change: Container): void {
  const before = pod.spec.containers[0]?.["securityContext"];
  container(pod, {
    securityContext: { ...(typeof before === "object" ? before : {}), ...change },
  });
}

/** A pod that the tenant makes inside, with one thing changed. */
export function podInside(
  area: Attempt["area"],
  id: string,
  what: string,
  refusal: Refusal,
  change: (pod: Pod, ground: Ground) => void,
): Attempt {
  return {
    area,
    id,
    what,
    ...refusal,
    run: async (ground) => {
      const pod = ground.pod(id);
      change(pod, ground);
      return await ground.sync("Pod", podsPath(ground), pod, id);
    },
  };
}

/** A pod that a control plane which was taken over makes on the host. */
export function podOnHost(
  area: Attempt["area"],
  id: string,
  what: string,
  refusal: Refusal,
  change: (pod: Pod, ground: Ground) => void,
): Attempt {
  return {
    area,
    id,
    what,
    ...refusal,
    run: async (ground): Promise<Answer> => {
      const pod = ground.syncedPod();
      change(pod, ground);
      return await ground.dryRun(ground.controlPlane, hostPath(ground, "pods"), pod);
    },
  };
}

/** A request that a control plane which was taken over has no right to. What would change something is tried dry. */
export function asControlPlane(
  area: Attempt["area"],
  id: string,
  what: string,
  { path, method = "GET", body }: Pick<ApiRequest, "path" | "method" | "body">,
): Attempt {
  return {
    area,
    id,
    what: `a control plane that was taken over, to ${what}`,
    ...byRole,
    run: async (ground) =>
      await ground.ask(ground.controlPlane, {
        method,
        path: method === "GET" ? path : `${path}?dryRun=All`,
        body,
      }),
  };
}

export const podsPath = (ground: Ground) => `/api/v1/namespaces/${ground.scratch}/pods`;
export const hostPath = ({ tenant }: Ground, resource: string) =>
  `/api/v1/namespaces/${tenant.namespace}/${resource}`;
export const networkPath = (namespace: string, resource: string) =>
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/${resource}`;

/** A Deployment of what vCluster's own pods look like, for the host. */
export function deploymentOnHost(ground: Ground, change: (spec: PodSpec) => void) {
  const { spec } = ground.syncedPod();
  const template = { ...spec, restartPolicy: "Always" };
  change(template);
  const labels = { "app.kubernetes.io/name": "conformance" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: ground.scratch },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: template },
    },
  };
}
