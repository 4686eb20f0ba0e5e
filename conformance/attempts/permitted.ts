import type { Answer, Attempt } from "../attempt.ts";
import type { Ground } from "../ground.ts";
import { ingressOf } from "./other-tenants.ts";
import { networkPath, podInside, podsPath, toBePermitted } from "./pods.ts";

const area = "permitted";

/** What a tenant must be able to do: a rail that refuses this is broken too. */
export function permittedAttempts(ground: Ground): Attempt[] {
  const inside = (id: string, what: string, path: string, body: object): Attempt => ({
    area,
    id,
    what,
    expected: "nobody",
    run: async () => await ground.dryRun(ground.inside, path, body),
  });
  const scratch = `/api/v1/namespaces/${ground.scratch}`;
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  return [
    podInside(area, "pod", "a pod that keeps to the rules", toBePermitted, () => undefined),
    podInside(
      area,
      "pod-own-policies",
      "a pod that its own NetworkPolicies alone rule",
      toBePermitted,
      ({ metadata }) => {
        metadata["labels"] = { "tenantry.dev/network-policies": "own" };
      },
    ),
    podInside(
      area,
      "pod-node-going",
      "a pod that stays for a while on a node that goes",
      toBePermitted,
      ({ spec }) => {
        spec["tolerations"] = [
          {
            key: "node.kubernetes.io/not-ready",
            operator: "Exists",
            effect: "NoExecute",
            tolerationSeconds: 60,
          },
        ];
      },
    ),
    {
      area,
      id: "service",
      what: "a Service",
      expected: "nobody",
      run: async () =>
        await hostCopy(ground, "Service", `${scratch}/services`, "services", "service", {
          ports: [{ port: 80 }],
        }),
    },
    {
      area,
      id: "network-policy",
      what: "a NetworkPolicy that lets its pods be called from everywhere, and out to the internet",
      expected: "nobody",
      run: async () =>
        await hostCopy(
          ground,
          "NetworkPolicy",
          networkPath(ground.scratch, "networkpolicies"),
          "networkpolicies",
          "network-policy",
          {
            podSelector: {},
            policyTypes: ["Ingress", "Egress"],
            ingress: [{}],
            egress: [
              { to: [{ podSelector: {} }, { namespaceSelector: {} }] },
              { to: [{ ipBlock: { cidr: "93.184.216.0/24" } }] },
            ],
          },
        ),
    },
    {
      area,
      id: "control-plane-restarted",
      what: "its control plane to restart itself, as for new certificates",
      expected: "nobody",
      run: async ({ controlPlane, tenant }) =>
        await ground.ask(controlPlane, {
          method: "PATCH",
          path: `/apis/apps/v1/namespaces/${tenant.namespace}/statefulsets/${tenant.name}?dryRun=All`,
          body: { spec: { template: { metadata: { annotations: { restarted: "now" } } } } },
        }),
    },
    {
      area,
      id: "ingress",
      what: "an Ingress for a host name below its own domain",
      expected: "nobody",
      run: async ({ host, tenant, domain }) =>
        await ground.dryRun(
          host,
          networkPath(tenant.namespace, "ingresses"),
          ingressOf([{ host: `shop.${domain}` }]),
        ),
    },
    inside("namespace", "a namespace", "/api/v1/namespaces", {
      metadata: { name: `${ground.scratch}-more` },
    }),
    inside(
      "custom-resource-definition",
      "a kind of its own",
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
      {
        metadata: { name: "widgets.conformance.example.com" },
        spec: {
          group: "conformance.example.com",
          scope: "Namespaced",
          names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
          versions: [
            {
              name: "v1",
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: "object" } },
            },
          ],
        },
      },
    ),
    inside("cluster-role", "rights of its own making", `${rbac}/clusterroles`, {
      metadata: { name: ground.scratch },
      rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
    }),
    inside(
      "webhook-inside",
      "a webhook of its own",
      "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
      { metadata: { name: ground.scratch } },
    ),
    inside("secret", "a Secret", `${scratch}/secrets`, { metadata: { name: "secret" } }),
    inside("volume-claim", "a volume claim", `${scratch}/persistentvolumeclaims`, {
      metadata: { name: "claim" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
    }),
    inside(
      "privileged-template",
      "a template of what the host refuses, for its own eyes",
      podsPath(ground),
      {
        ...ground.pod("template"),
        spec: { ...ground.pod("template").spec, hostPID: true },
      },
    ),
  ];
}

/** Makes an object inside, and waits for its copy on the host. */
async function hostCopy(
  ground: Ground,
  kind: string,
  path: string,
  resource: string,
  name: string,
  spec: object,
): Promise<Answer> {
  const answer = await ground.ask(ground.inside, {
    method: "POST",
    path,
    body: { metadata: { name }, spec },
  });
  if (answer.by !== "nobody") return answer;
  const hostPath =
    kind === "Service"
      ? `/api/v1/namespaces/${ground.tenant.namespace}/${resource}`
      : networkPath(ground.tenant.namespace, resource);
  return await ground.awaited(`${kind} ${name} on the host`, async () => {
    const refused = ground.refused(kind, (object) => object === name);
    if (refused !== undefined) return refused;
    const { status } = await ground.host.ask({
      path: `${hostPath}/${name}-x-${ground.scratch}-x-${ground.tenant.name}`,
    });
    return status === 200 ? ({ by: "nobody", text: "on the host" } as const) : undefined;
  });
}
