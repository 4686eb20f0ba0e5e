import { z } from "zod";

import { refusingLayer, type Answer, type Attempt } from "../attempt.ts";
import type { Ground } from "../ground.ts";
import type { KubernetesApi } from "../kubernetes-api.ts";
import { asControlPlane, byPolicy, byRole, hostPath, networkPath, podsPath } from "./pods.ts";

const area = "other tenants";
const byNetworkPolicies = byPolicy("network-policies", "policy network-policies");
const NamedList = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
});

/** Ways to other tenants and to the platform. */
export function otherTenantAttempts(ground: Ground): Attempt[] {
  const {
    other,
    otherInside,
    field,
    tenant: { namespace },
  } = ground;
  // Where there is no other tenant, there is the platform.
  const target = other?.namespace ?? "kube-system";
  const argocd = field.settings.argocd.namespace;
  const denied = (
    id: string,
    what: string,
    path: string,
    method: "GET" | "POST" | "DELETE" = "GET",
    body?: unknown,
  ) => asControlPlane(area, id, what, { path, method, body });
  const policy = (id: string, what: string, egress: readonly unknown[]): Attempt => ({
    area,
    id,
    what: `a NetworkPolicy that opens ${what}`,
    ...byNetworkPolicies,
    run: async (ground) =>
      await ground.sync(
        "NetworkPolicy",
        networkPath(ground.scratch, "networkpolicies"),
        { metadata: { name: id }, spec: { podSelector: {}, policyTypes: ["Egress"], egress } },
        id,
      ),
  });
  // As whoever may: a virtual cluster may make Ingresses where its tenant's file says so.
  const ingress = (id: string, what: string, rules: readonly object[]): Attempt => ({
    area,
    id,
    what: `an Ingress for ${what}`,
    ...byPolicy("ingresses", "policy ingresses"),
    run: async () =>
      await ground.dryRun(ground.host, networkPath(namespace, "ingresses"), ingressOf(rules)),
  });
  return [
    ...(other === undefined || otherInside === undefined
      ? []
      : ([
          {
            area,
            id: "other-api-certificate",
            what: "its administrator's certificate on another tenant's API server",
            expected: "authentication",
            run: async ({ tenant }) => await refusedBy(otherInside.withUserOf(tenant.kubeconfig)),
          },
          {
            area,
            id: "other-api-token",
            what: "a token of its own on another tenant's API server",
            expected: "authentication",
            run: async (ground) => await refusedBy(otherInside.withToken(await ownToken(ground))),
          },
          {
            area,
            id: "other-namespace-inside",
            what: "another tenant's namespace in its own API server",
            expected: "API server",
            run: async (ground) =>
              await ground.ask(ground.inside, {
                path: `/api/v1/namespaces/${other.namespace}`,
              }),
          },
        ] satisfies Attempt[])),
    {
      area,
      id: "host-api-certificate",
      what: "its administrator's certificate on the host's API server",
      expected: "authentication",
      run: async ({ tenant, host }) => await refusedBy(host.withUserOf(tenant.kubeconfig)),
    },
    {
      area,
      id: "host-api-token",
      what: "a token of its own on the host's API server",
      expected: "authentication",
      run: async (ground) => await refusedBy(ground.host.withToken(await ownToken(ground))),
    },
    {
      area,
      id: "other-nodes",
      what: "to see nodes that no pod of its own runs on",
      expected: "vCluster",
      run: async (ground): Promise<Answer> => {
        const Pods = z.object({
          items: z.array(z.object({ spec: z.object({ nodeName: z.string().optional() }) })),
        });
        const [nodes, pods] = await Promise.all([
          ground.inside.get(NamedList, { path: "/api/v1/nodes" }),
          ground.host.get(Pods, { path: hostPath(ground, "pods") }),
        ]);
        const own = new Set(pods.items.map(({ spec }) => spec.nodeName));
        const foreign = nodes.items
          .map(({ metadata }) => metadata.name)
          .filter((name) => !own.has(name));
        return foreign.length > 0
          ? { by: "nobody", text: `it sees ${foreign.join(", ")}` }
          : { by: "vCluster", text: `it sees ${nodes.items.length} nodes, all of its own pods` };
      },
    },
    {
      area,
      id: "host-secret",
      what: "a pod with a Secret of the host's namespace, by its name",
      expected: "vCluster",
      run: async (ground): Promise<Answer> => {
        const { tenant } = ground;
        const pod = ground.pod("host-secret");
        pod.spec["volumes"] = [
          { name: "host", secret: { secretName: `vc-${tenant.name}`, optional: true } },
        ];
        const answer = await ground.sync("Pod", podsPath(ground), pod, "host-secret");
        if (answer.by !== "nobody") return answer;
        const { spec } = await ground.copy("host-secret");
        const names = spec.volumes.flatMap(({ secret }) => secret?.secretName ?? []);
        return names.includes(`vc-${tenant.name}`)
          ? { by: "nobody", text: `the pod on the host mounts ${names.join(", ")}` }
          : { by: "vCluster", text: `the pod on the host mounts ${names.join(", ")} instead` };
      },
    },
    denied(
      "other-secrets",
      "read Secrets of another namespace",
      `/api/v1/namespaces/${target}/secrets`,
    ),
    denied("other-pods", "see pods of another namespace", `/api/v1/namespaces/${target}/pods`),
    denied(
      "other-services",
      "see Services of another namespace",
      `/api/v1/namespaces/${target}/services`,
    ),
    denied(
      "other-pod",
      "run a pod in another namespace",
      `/api/v1/namespaces/${target}/pods`,
      "POST",
      {
        metadata: { name: "conformance" },
        spec: { containers: [{ name: "main", image: "main" }] },
      },
    ),
    denied(
      "other-exec",
      "open a shell in another namespace",
      `/api/v1/namespaces/${target}/pods/any/exec`,
      "POST",
    ),
    denied(
      "other-token",
      "make a token of another namespace's service account",
      `/api/v1/namespaces/${target}/serviceaccounts/default/token`,
      "POST",
      { spec: {} },
    ),
    denied("other-namespace", "delete another namespace", `/api/v1/namespaces/${target}`, "DELETE"),
    denied("all-namespaces", "list the host's namespaces", "/api/v1/namespaces"),
    denied("all-nodes", "list the host's nodes", "/api/v1/nodes"),
    denied("all-secrets", "list the host's Secrets", "/api/v1/secrets"),
    denied("all-volumes", "list the host's volumes", "/api/v1/persistentvolumes"),
    denied("argocd-secrets", "read Argo CD's Secrets", `/api/v1/namespaces/${argocd}/secrets`),
    denied(
      "argocd-application",
      "make an Application of its own",
      `/apis/argoproj.io/v1alpha1/namespaces/${argocd}/applications`,
      "POST",
      {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: { name: "conformance" },
        spec: { project: "default", destination: {} },
      },
    ),
    denied(
      "gateway-route",
      "take over another tenant's host name",
      `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/tlsroutes`,
      "POST",
      {},
    ),
    {
      area,
      id: "workload-pods",
      what: "a pod that was taken over, to see the pods around it on the host",
      ...byRole,
      run: async (ground) => await ground.ask(ground.workload, { path: hostPath(ground, "pods") }),
    },
    {
      area,
      id: "workload-secrets",
      what: "a pod that was taken over, to read the control plane's Secrets",
      ...byRole,
      run: async (ground) =>
        await ground.ask(ground.workload, { path: hostPath(ground, "secrets") }),
    },
    policy("egress-everywhere", "egress to everything", [{}]),
    policy("egress-internet-and-more", "egress to the internet with all that is private", [
      { to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] },
    ]),
    policy("egress-metadata", "egress to the cloud's metadata service", [
      { to: [{ ipBlock: { cidr: "169.254.169.254/32" } }] },
    ]),
    policy("egress-private", "egress to a private network", [
      { to: [{ ipBlock: { cidr: "10.0.0.0/16" } }] },
    ]),
    policy(
      "egress-beside-exception",
      "egress to more than half the internet but not the private half",
      [{ to: [{ ipBlock: { cidr: "128.0.0.0/1", except: ["172.16.0.0/12"] } }] }],
    ),
    {
      area,
      id: "policy-of-control-plane",
      what: "a control plane that was taken over, to open its own pods by a NetworkPolicy",
      ...byNetworkPolicies,
      run: async (ground) =>
        await ground.dryRun(
          ground.controlPlane,
          networkPath(ground.tenant.namespace, "networkpolicies"),
          {
            metadata: { name: ground.scratch },
            spec: { podSelector: {}, policyTypes: ["Ingress"], ingress: [{}] },
          },
        ),
    },
    ...[
      ingress("ingress-other-host", "a host name of others", [{ host: "kubernetes.example.com" }]),
      ingress("ingress-every-host", "every host name", [{}]),
      ingress("ingress-look-alike", "a host name that looks like its own", [
        { host: `x${ground.domain}` },
      ]),
    ],
    {
      area,
      id: "volume-by-name",
      what: "a control plane that was taken over, to claim a volume that is there",
      ...byPolicy("volume-claims", "policy volume-claims"),
      run: async () =>
        await ground.dryRun(
          ground.controlPlane,
          hostPath(ground, "persistentvolumeclaims"),
          volumeClaim({ volumeName: "any" }),
        ),
    },
    {
      area,
      id: "volume-by-label",
      what: "a control plane that was taken over, to claim whatever volume has a label",
      ...byPolicy("volume-claims", "policy volume-claims"),
      run: async () =>
        await ground.dryRun(
          ground.controlPlane,
          hostPath(ground, "persistentvolumeclaims"),
          volumeClaim({ selector: { matchLabels: { any: "label" } } }),
        ),
    },
    {
      area,
      id: "service-external-name",
      what: "a Service that is another name for a Service of others",
      ...byPolicy("services", "policy services"),
      run: async (ground) =>
        await ground.dryRun(ground.controlPlane, hostPath(ground, "services"), {
          metadata: { name: "conformance-external-name" },
          spec: { type: "ExternalName", externalName: `kubernetes.default.svc` },
        }),
    },
  ];
}

/** A token that the tenant makes of a service account inside. */
async function ownToken(ground: Ground): Promise<string> {
  const Token = z.object({ status: z.object({ token: z.string() }) });
  const { status } = await ground.inside.get(Token, {
    method: "POST",
    path: "/api/v1/namespaces/default/serviceaccounts/default/token",
    body: { spec: { expirationSeconds: 600 } },
  });
  return status.token;
}

/** Asks with credentials that are for another API server. */
async function refusedBy(opened: Promise<KubernetesApi>): Promise<Answer> {
  const api = await opened;
  try {
    const { status, message } = await api.ask({ path: "/api/v1/namespaces" });
    return message === ""
      ? { by: "nobody", text: `${status}` }
      : { by: refusingLayer(status, message), text: `${status} ${message}` };
  } finally {
    api.close();
  }
}

/** An Ingress with rules that lead to some Service. */
export function ingressOf(rules: readonly object[]) {
  const backend = { service: { name: "any", port: { number: 80 } } };
  const http = { paths: [{ path: "/", pathType: "Prefix", backend }] };
  return {
    metadata: { name: "conformance" },
    spec: { rules: rules.map((rule) => ({ ...rule, http })) },
  };
}

function volumeClaim(spec: object) {
  return {
    metadata: { name: "conformance" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Mi" } },
      ...spec,
    },
  };
}
