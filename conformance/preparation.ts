import { z } from "zod";

import { FOLDERS } from "./attempts/argocd.ts";
import type { Field, Subject } from "./ground.ts";
import type { Ground } from "./ground.ts";
import type { GitRepository } from "./git-service.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { labelQuery, RUN_LABELS, RUN_PREFIX, runLabelsOf } from "./run-labels.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const Branch = z.object({ default_branch: z.string() });
const Ref = z.object({ ref: z.string(), object: z.object({ sha: z.string() }) });
const Names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/** Makes what the attempts need: a namespace inside, an editor of namespaces, a branch. */
export async function prepare(ground: Ground): Promise<void> {
  const { inside, host, scratch, tenant } = ground;
  const made = async (api: KubernetesApi, path: string, body: unknown) => {
    await api.get(z.unknown(), { method: "POST", path, body });
  };
  const metadata = { name: scratch, labels: runLabelsOf(tenant.name) };
  await Promise.all([
    made(inside, "/api/v1/namespaces", { metadata: { name: scratch, labels: RUN_LABELS } }),
    made(host, `${RBAC}/clusterroles`, {
      metadata,
      rules: [
        { apiGroups: [""], resources: ["namespaces"], verbs: ["create"] },
        {
          apiGroups: [""],
          resources: ["namespaces"],
          resourceNames: [tenant.namespace],
          verbs: ["get", "patch", "update"],
        },
      ],
    }),
    made(host, `${RBAC}/clusterrolebindings`, {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: scratch },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: scratch }],
    }),
    makeBranch(ground),
  ]);
}

/** One folder for each Application, in commits on a branch that nothing follows. */
async function makeBranch(ground: Ground): Promise<void> {
  const { repository, branch } = ground;
  const { default_branch: main } = await repository.get(Branch, "GET", "");
  const { object } = await repository.get(Ref, "GET", `/git/ref/heads/${main}`);
  await repository.get(z.unknown(), "POST", "/git/refs", {
    ref: `refs/heads/${branch}`,
    sha: object.sha,
  });
  for (const [folder, manifest] of Object.entries(FOLDERS)) {
    await repository.get(z.unknown(), "PUT", `/contents/${folder}/manifest.json`, {
      message: `conformance: ${folder}`,
      branch,
      content: Buffer.from(JSON.stringify(manifest(ground))).toString("base64"),
    });
  }
}

/** Removes what this run made for a tenant, and what runs that were killed have left of theirs. */
export async function clean(
  field: Field,
  tenant: Subject,
  inside: KubernetesApi,
  repository: GitRepository,
): Promise<void> {
  const { host, settings } = field;
  const shared = labelQuery(runLabelsOf(tenant.name));
  const own = labelQuery(RUN_LABELS);
  const namespace = `namespaces/${tenant.namespace}`;
  const collections: readonly (readonly [KubernetesApi, string])[] = [
    [
      host,
      `/apis/argoproj.io/v1alpha1/namespaces/${settings.argocd.namespace}/applications?${shared}`,
    ],
    [host, `${RBAC}/clusterrolebindings?${shared}`],
    [host, `${RBAC}/clusterroles?${shared}`],
    ...["configmaps", "secrets", "services", "persistentvolumeclaims"].map(
      (resource) => [host, `/api/v1/${namespace}/${resource}?${own}`] as const,
    ),
    [host, `/apis/networking.k8s.io/v1/${namespace}/networkpolicies?${own}`],
    [inside, `/api/v1/namespaces/default/configmaps?${own}`],
  ];
  await Promise.all([
    ...collections.map(async ([api, path]) => {
      await api.get(z.unknown(), { method: "DELETE", path });
    }),
    removeNamespaces(inside, own),
    removeBranches(repository),
  ]);
}

async function removeNamespaces(inside: KubernetesApi, own: string): Promise<void> {
  const { items } = await inside.get(Names, { path: `/api/v1/namespaces?${own}` });
  await Promise.all(
    items.map(async ({ metadata: { name } }) => {
      await inside.ask({ method: "DELETE", path: `/api/v1/namespaces/${name}` });
    }),
  );
}

async function removeBranches(repository: GitRepository): Promise<void> {
  const refs = await repository.get(z.array(Ref), "GET", `/git/matching-refs/heads/${RUN_PREFIX}`);
  for (const { ref } of refs) await repository.ask("DELETE", `/git/${ref}`);
}

/** What is left of runs on a tenant: names of namespaces inside, and of pods on the host. */
export async function remains(
  field: Field,
  tenant: Subject,
  inside: KubernetesApi,
): Promise<readonly string[]> {
  const [namespaces, pods] = await Promise.all([
    inside.get(Names, { path: `/api/v1/namespaces?${labelQuery(RUN_LABELS)}` }),
    field.host.get(Names, {
      path: `/api/v1/namespaces/${tenant.namespace}/pods?${labelQuery(RUN_LABELS)}`,
    }),
  ]);
  return [...namespaces.items, ...pods.items].map(({ metadata }) => metadata.name);
}
