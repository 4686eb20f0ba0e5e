import {
  CONTROL_PLANE_PRIORITY,
  IMAGE_REGISTRIES_ANNOTATION,
  SYNCED_LABEL,
  TENANT_LABEL,
  tierPriority,
  TIER_LABEL,
} from "../../components/admission-policies.ts";
import { z } from "zod";

import type { Answer, Attempt } from "../attempt.ts";
import type { Ground } from "../ground.ts";
import { byPolicy, hostPath, networkPath, podInside, podOnHost, podsPath } from "./pods.ts";

const area = "impersonation";
const byWorkloads = byPolicy("workloads", "policy workloads");
const byPriorities = byPolicy("priorities", "policy priorities");
const byRails = byPolicy("rails", "policy rails");
const byNamespaces = byPolicy("namespaces", "policy namespaces");

/** Ways to pass for somebody else. */
export function impersonationAttempts(ground: Ground): Attempt[] {
  const { nodePool, field, tenant } = ground;
  const byNodes = byPolicy(`nodes-${nodePool}`, "policy nodes");
  const otherName = ground.other?.name ?? "another";
  const toleration = (id: string, what: string, tolerated: object) =>
    podInside(area, id, what, byNodes, (pod) => {
      pod.spec["tolerations"] = [tolerated];
    });
  const poolLabels = field.settings.nodePools[nodePool]?.labels ?? {};
  const asEditor = (id: string, what: string, metadata: object): Attempt => ({
    area,
    id,
    what: `somebody who may edit the namespace on the host, to ${what}`,
    ...byNamespaces,
    run: async () => {
      await makeEditor(ground);
      return await ground.ask(ground.editor, {
        method: "PATCH",
        path: `/api/v1/namespaces/${tenant.namespace}?dryRun=All`,
        body: { metadata },
      });
    },
  });
  const policies = networkPath(tenant.namespace, "networkpolicies");
  return [
    podInside(
      area,
      "tenant-label",
      "a pod with another tenant's label",
      byRails,
      ({ metadata }) => {
        metadata["labels"] = { [TENANT_LABEL]: otherName };
      },
    ),
    {
      area,
      id: "other-virtual-cluster",
      what: "a pod that says that another tenant's virtual cluster made it",
      expected: "vCluster",
      run: async (): Promise<Answer> => {
        const pod = ground.pod("other-virtual-cluster");
        pod.metadata = { ...pod.metadata, labels: { [SYNCED_LABEL]: otherName } };
        const answer = await ground.sync("Pod", podsPath(ground), pod, "other-virtual-cluster");
        if (answer.by !== "nobody") return answer;
        const { metadata } = await ground.copy("other-virtual-cluster");
        const made = metadata.labels[SYNCED_LABEL] ?? "nobody";
        return { by: made === tenant.name ? "vCluster" : "nobody", text: `made by ${made}` };
      },
    },
    podOnHost(
      area,
      "synced-label-of-other",
      "a control plane that was taken over, to make a pod that passes for another's",
      byWorkloads,
      ({ metadata }) => {
        metadata["labels"] = { [SYNCED_LABEL]: otherName };
      },
    ),
    podOnHost(
      area,
      "no-synced-label",
      "a control plane that was taken over, to make another control plane",
      byWorkloads,
      ({ metadata }) => {
        metadata["labels"] = { app: "vcluster", release: tenant.name };
      },
    ),
    podOnHost(
      area,
      "control-plane-service-account",
      "a control plane that was taken over, to give a pod its own rights",
      byWorkloads,
      ({ spec }) => {
        spec["serviceAccountName"] = `vc-${tenant.name}`;
      },
    ),
    podOnHost(
      area,
      "host-token",
      "a control plane that was taken over, to give a pod a token of the host",
      byWorkloads,
      ({ spec }) => {
        spec["automountServiceAccountToken"] = true;
      },
    ),
    podOnHost(
      area,
      "projected-host-token",
      "a control plane that was taken over, to give a pod a token of the host by a volume",
      byWorkloads,
      ({ spec }) => {
        spec["volumes"] = [
          { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
        ];
      },
    ),
    {
      area,
      id: "service-account",
      what: "a pod that runs as the control plane's service account, by its name",
      expected: "API server",
      run: async () => {
        const pod = ground.pod("service-account");
        pod.spec["serviceAccountName"] = `vc-${tenant.name}`;
        return await ground.sync("Pod", podsPath(ground), pod, "service-account");
      },
    },
    podOnHost(
      area,
      "node-name",
      "a pod on a node of its choice, past the scheduler",
      byNodes,
      ({ spec }) => {
        spec["nodeName"] = "any";
      },
    ),
    toleration("tolerate-everything", "a pod for nodes of every kind", { operator: "Exists" }),
    toleration("tolerate-control-plane", "a pod for the host's control plane nodes", {
      key: "node-role.kubernetes.io/control-plane",
      operator: "Exists",
      effect: "NoSchedule",
    }),
    ...Object.entries(field.settings.nodePools)
      .filter(([name]) => name !== nodePool)
      .flatMap(([name, { taints }]) =>
        taints.slice(0, 1).map(({ key, value, effect }) =>
          toleration(`tolerate-pool-${name}`, `a pod for the node pool ${name}`, {
            key,
            operator: value === undefined ? "Exists" : "Equal",
            ...(value === undefined ? {} : { value }),
            effect,
          }),
        ),
      ),
    ...(Object.keys(poolLabels).length === 0
      ? []
      : [
          podOnHost(
            area,
            "other-nodes-selected",
            "a pod for nodes outside of its node pool",
            byNodes,
            ({ spec }) => {
              spec["nodeSelector"] = {};
            },
          ),
        ]),
    {
      area,
      id: "system-priority-inside",
      what: "a pod with the priority of the host's own",
      expected: "vCluster",
      run: async (): Promise<Answer> => {
        const pod = ground.pod("system-priority-inside");
        pod.spec["priorityClassName"] = "system-node-critical";
        const answer = await ground.sync("Pod", podsPath(ground), pod, "system-priority-inside");
        if (answer.by !== "nobody") return answer;
        const { spec } = await ground.copy("system-priority-inside");
        const given = spec.priorityClassName ?? "none";
        const own = tierPriority(ground.labels[TIER_LABEL] ?? "");
        return { by: given === own ? "vCluster" : "nobody", text: `its priority is ${given}` };
      },
    },
    ...["system-cluster-critical", CONTROL_PLANE_PRIORITY].map((priority) =>
      podOnHost(
        area,
        `priority-${priority}`,
        `a control plane that was taken over, to make a pod of priority ${priority}`,
        byPriorities,
        ({ spec }) => {
          spec["priorityClassName"] = priority;
        },
      ),
    ),
    podOnHost(
      area,
      "no-priority",
      "a control plane that was taken over, to make a pod without the tier's priority",
      byPriorities,
      ({ spec }) => {
        delete spec["priorityClassName"];
      },
    ),
    asEditor("namespace-tenant", "make it another tenant's", {
      labels: { [TENANT_LABEL]: otherName },
    }),
    asEditor("namespace-released", "take away the tenant's label", {
      labels: { [TENANT_LABEL]: null },
    }),
    asEditor("namespace-privileged", "lower its Pod Security", {
      labels: { "pod-security.kubernetes.io/enforce": "privileged" },
    }),
    asEditor("namespace-tier", "raise its tier", { labels: { [TIER_LABEL]: "critical" } }),
    asEditor("namespace-images", "allow it every registry of a host", {
      annotations: { [IMAGE_REGISTRIES_ANNOTATION]: "docker.io" },
    }),
    {
      area,
      id: "namespace-new",
      what: "somebody who may make namespaces on the host, to make a tenant's",
      ...byNamespaces,
      run: async () => {
        await makeEditor(ground);
        return await ground.dryRun(ground.editor, "/api/v1/namespaces", {
          metadata: { name: `x-${ground.scratch}`, labels: { [TENANT_LABEL]: tenant.name } },
        });
      },
    },
    {
      area,
      id: "rail-policy-deleted",
      what: "a control plane that was taken over, to delete the platform's NetworkPolicy",
      ...byRails,
      run: async ({ controlPlane }) =>
        await ground.ask(controlPlane, {
          method: "DELETE",
          path: `${policies}/default-deny?dryRun=All`,
        }),
    },
    {
      area,
      id: "rail-policy-changed",
      what: "a control plane that was taken over, to change the platform's NetworkPolicy",
      ...byRails,
      run: async ({ controlPlane }) =>
        await ground.ask(controlPlane, {
          method: "PATCH",
          path: `${policies}/synced-pods?dryRun=All`,
          body: { metadata: { labels: { changed: "true" } } },
        }),
    },
    {
      area,
      id: "rail-policy-made",
      what: "a control plane that was taken over, to make what passes for the platform's",
      ...byRails,
      run: async ({ controlPlane }) =>
        await ground.dryRun(controlPlane, hostPath(ground, "configmaps"), {
          metadata: { name: ground.scratch, labels: { [TENANT_LABEL]: tenant.name } },
        }),
    },
  ];
}

/** Gives the editor the right to make namespaces, and to edit the tenant's. */
async function makeEditor(ground: Ground): Promise<void> {
  const { host, scratch, tenant } = ground;
  const rbac = "rbac.authorization.k8s.io";
  const made = async (resource: string, body: object) => {
    await host.get(z.unknown(), {
      method: "POST",
      path: `/apis/${rbac}/v1/${resource}`,
      body: { metadata: { name: scratch, labels: ground.runLabels }, ...body },
    });
  };
  await ground.once("editor", async () => {
    await made("clusterroles", {
      rules: [
        { apiGroups: [""], resources: ["namespaces"], verbs: ["create"] },
        {
          apiGroups: [""],
          resources: ["namespaces"],
          resourceNames: [tenant.namespace],
          verbs: ["get", "patch", "update"],
        },
      ],
    });
    await made("clusterrolebindings", {
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: scratch },
      subjects: [{ apiGroup: rbac, kind: "User", name: scratch }],
    });
    // The API server's RBAC learns of it a moment later.
    await ground.awaited("the editor's rights", async () => {
      const { status } = await ground.editor.ask({
        path: `/api/v1/namespaces/${tenant.namespace}`,
      });
      return status === 200 ? true : undefined;
    });
  });
}
