import { z } from "zod";

import type { Field, Subject } from "./ground.ts";
import type { GitRepository } from "./git-service.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { labelQuery, RUN_LABELS, RUN_PREFIX, runLabelsOf } from "./run-labels.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const Ref = z.object({ ref: z.string(), object: z.object({ sha: z.string() }) });
const Names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

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
