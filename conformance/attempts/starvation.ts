import { parseBytes, parseMillicores } from "../../tenants/quantity.ts";
import type { Answer, Attempt } from "../attempt.ts";
import type { Ground } from "../ground.ts";
import { byPolicy, container, hostPath, networkPath, podInside, podsPath } from "./pods.ts";

const area = "starvation";
const byQuota = { expected: "quota", rail: "ResourceQuota" } as const;
const byServices = byPolicy("services", "policy services");

/** Requests under way at a time, where many objects are made. */
const AT_A_TIME = 20;

/** Ways to take more than the tenant's share. */
export function starvationAttempts(): Attempt[] {
  return [
    taking(
      "cpu-requests",
      "to reserve more CPU than its quota",
      "requests.cpu",
      parseMillicores,
      (more) => ({
        requests: { cpu: `${more}m`, memory: "1Mi" },
        limits: { cpu: `${more}m`, memory: "1Mi" },
      }),
    ),
    taking(
      "cpu-limits",
      "to burst into more CPU than its quota",
      "limits.cpu",
      parseMillicores,
      (more) => ({
        requests: { cpu: "1m", memory: "1Mi" },
        limits: { cpu: `${more}m`, memory: "1Mi" },
      }),
    ),
    taking(
      "memory-requests",
      "to reserve more memory than its quota",
      "requests.memory",
      parseBytes,
      (more) => ({
        requests: { cpu: "1m", memory: `${more}` },
        limits: { cpu: "1m", memory: `${more}` },
      }),
    ),
    taking(
      "memory-limits",
      "to grow into more memory than its quota",
      "limits.memory",
      parseBytes,
      (more) => ({
        requests: { cpu: "1m", memory: "1Mi" },
        limits: { cpu: "1m", memory: `${more}` },
      }),
    ),
    {
      area,
      id: "no-limits",
      what: "a pod that says nothing of what it takes, which gets the namespace's limits",
      expected: "nobody",
      rail: "LimitRange",
      run: async (ground): Promise<Answer> => {
        const pod = ground.pod("no-limits");
        container(pod, { resources: {} });
        const answer = await ground.sync("Pod", podsPath(ground), pod, "no-limits");
        if (answer.by !== "nobody") return answer;
        const { spec } = await ground.copy("no-limits");
        const limits = spec.containers[0]?.resources.limits ?? {};
        return "cpu" in limits && "memory" in limits
          ? { by: "nobody", text: `limited to ${limits["cpu"]} CPU, ${limits["memory"]} memory` }
          : { by: "API server", text: "it runs without limits" };
      },
    },
    {
      area,
      id: "storage",
      what: "a volume larger than its quota",
      ...byQuota,
      run: async (ground) => {
        const { hard } = await ground.quota("requests.storage");
        return await ground.dryRun(
          ground.controlPlane,
          hostPath(ground, "persistentvolumeclaims"),
          claim("conformance-storage", `${(parseBytes(hard) ?? 0) + 1}`),
        );
      },
    },
    {
      area,
      id: "node-port",
      what: "a Service on a port of every node",
      ...byServices,
      run: async (ground) =>
        await ground.sync(
          "Service",
          servicesPath(ground),
          { metadata: { name: "node-port" }, spec: { type: "NodePort", ports: [{ port: 80 }] } },
          "node-port",
        ),
    },
    {
      area,
      id: "external-ip",
      what: "a Service that takes over an address",
      ...byServices,
      run: async (ground) =>
        await ground.sync(
          "Service",
          servicesPath(ground),
          {
            metadata: { name: "external-ip" },
            spec: { ports: [{ port: 443 }], externalIPs: ["8.8.8.8"] },
          },
          "external-ip",
        ),
    },
    {
      area,
      id: "load-balancer-node-port",
      what: "a load balancer that takes a port of every node",
      ...byServices,
      run: async (ground) =>
        await ground.dryRun(ground.controlPlane, hostPath(ground, "services"), {
          metadata: { name: "conformance-load-balancer" },
          spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
        }),
    },
    {
      area,
      id: "pods",
      what: "more pods than its quota, by a ReplicaSet",
      ...byQuota,
      last: true,
      run: async (ground): Promise<Answer> => {
        const replicas = (await left(ground, "pods")) + 1;
        const { spec } = ground.pod("pods");
        const labels = { "app.kubernetes.io/name": "conformance-pods" };
        const answer = await ground.ask(ground.inside, {
          method: "POST",
          path: `/apis/apps/v1/namespaces/${ground.scratch}/replicasets`,
          body: {
            metadata: { name: "pods", labels: ground.runLabels },
            spec: {
              replicas,
              selector: { matchLabels: labels },
              // Nothing schedules them: they take their place in the quota, and no node's.
              template: {
                metadata: { labels },
                spec: { ...spec, restartPolicy: "Always", schedulerName: "tenantry-conformance" },
              },
            },
          },
        });
        if (answer.by !== "nobody") return answer;
        return await ground.awaited("a pod too many being refused", async () => {
          const refused = ground.refused("Pod", (name) => name.startsWith("pods-"));
          if (refused !== undefined) return refused;
          const { used } = await ground.quota("pods");
          return ground.copies((name) => name.startsWith("pods-")) >= replicas
            ? { by: "nobody", text: `${used} pods` }
            : undefined;
        });
      },
    },
    filling(
      "services",
      "services",
      (ground) => hostPath(ground, "services"),
      (name) => ({
        metadata: { name },
        spec: { ports: [{ port: 80 }] },
      }),
    ),
    filling(
      "config-maps",
      "configmaps",
      (ground) => hostPath(ground, "configmaps"),
      (name) => ({
        metadata: { name },
      }),
    ),
    filling(
      "secrets",
      "secrets",
      (ground) => hostPath(ground, "secrets"),
      (name) => ({
        metadata: { name },
      }),
    ),
    filling(
      "volume-claims",
      "persistentvolumeclaims",
      (ground) => hostPath(ground, "persistentvolumeclaims"),
      (name) => claim(name, "1"),
    ),
    filling(
      "network-policies",
      "count/networkpolicies.networking.k8s.io",
      ({ tenant }) => networkPath(tenant.namespace, "networkpolicies"),
      (name, { tenant }) => ({
        metadata: { name },
        spec: {
          podSelector: { matchLabels: { "vcluster.loft.sh/managed-by": tenant.name } },
          policyTypes: ["Ingress"],
        },
      }),
    ),
    filling(
      "load-balancers",
      "services.loadbalancers",
      (ground) => hostPath(ground, "services"),
      (name) => ({
        metadata: { name },
        spec: {
          type: "LoadBalancer",
          // Nobody makes load balancers of this class: they count, and cost nothing.
          loadBalancerClass: "tenantry.dev/conformance",
          allocateLoadBalancerNodePorts: false,
          ports: [{ port: 80 }],
        },
      }),
    ),
  ];
}

/** A pod that alone is larger than the quota. */
function taking(
  id: string,
  what: string,
  resource: string,
  parse: (text: string) => number | undefined,
  resources: (amount: number) => object,
): Attempt {
  return {
    ...podInside(area, id, what, byQuota, () => undefined),
    run: async (ground) => {
      const { hard } = await ground.quota(resource);
      const pod = ground.pod(id);
      container(pod, { resources: resources((parse(hard) ?? 0) + 1) });
      return await ground.sync("Pod", podsPath(ground), pod, id);
    },
  };
}

/** One object more than the quota, made on the host by a control plane that was taken over. */
function filling(
  id: string,
  resource: string,
  path: (ground: Ground) => string,
  object: (name: string, ground: Ground) => { readonly metadata: object },
): Attempt {
  return {
    area,
    id,
    what: `a control plane that was taken over, to make more ${id.replaceAll("-", " ")} than its quota`,
    ...byQuota,
    last: true,
    run: async (ground): Promise<Answer> => {
      const total = (await left(ground, resource)) + 1;
      let answer: Answer = { by: "nobody", text: `${total} made` };
      for (let made = 0; made < total && answer.by === "nobody"; made += AT_A_TIME) {
        const answers = await Promise.all(
          Array.from({ length: Math.min(AT_A_TIME, total - made) }, async (_, index) => {
            const manifest = object(`conformance-${id}-${made + index}`, ground);
            return await ground.ask(ground.controlPlane, {
              method: "POST",
              path: path(ground),
              body: { ...manifest, metadata: { ...manifest.metadata, labels: ground.runLabels } },
            });
          }),
        );
        answer = answers.find(({ by }) => by !== "nobody") ?? answer;
      }
      return answer;
    },
  };
}

/** How many more of a counted resource the quota leaves. */
async function left(ground: Ground, resource: string): Promise<number> {
  const { hard, used } = await ground.quota(resource);
  return Math.max(0, (parseBytes(hard) ?? 0) - (parseBytes(used) ?? 0));
}

/** A volume claim that no storage answers. */
function claim(name: string, size: string) {
  return {
    metadata: { name },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "tenantry-conformance",
      resources: { requests: { storage: size } },
    },
  };
}

const servicesPath = (ground: Ground) => `/api/v1/namespaces/${ground.scratch}/services`;
