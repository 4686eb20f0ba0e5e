import { z } from "zod";

import type { Ground } from "./ground.ts";
import type { GitRepository } from "./git-service.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { labelQuery, RUN_PREFIX } from "./run-labels.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const Ref = z.object({ ref: z.string(), object: z.object({ sha: z.string() }) });
const Objects = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), namespace: z.string() }) })),
});
const Names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/** Removes what this run made for a tenant, and what runs that were killed have left of theirs. */
export async function clean(ground: Ground): Promise<void> {
  const { host, inside, tenant, field } = ground;
  const selected = labelQuery(ground.runLabels);
  const argocd = `/apis/argoproj.io/v1alpha1/namespaces/${field.settings.argocd.namespace}`;
  const namespace = `namespaces/${tenant.namespace}`;
  // First what could go on making the rest.
  await removeCollection(host, `${argocd}/applications?${selected}`);
  await Promise.all([
    ...["configmaps", "secrets", "services", "persistentvolumeclaims"].map(async (resource) => {
      await removeCollection(host, `/api/v1/${namespace}/${resource}?${selected}`);
    }),
    removeCollection(host, `/apis/networking.k8s.io/v1/${namespace}/networkpolicies?${selected}`),
    removeCollection(host, `${RBAC}/clusterrolebindings?${selected}`),
    removeCollection(host, `${RBAC}/clusterroles?${selected}`),
    removeCollection(inside, `${RBAC}/clusterrolebindings?${selected}`),
    removeNamespaces(inside, selected),
    removeBranches(ground.repository),
  ]);
  // Where a rail is down, an Application has put it anywhere.
  for (const { api, path } of await strays(ground)) await api.ask({ method: "DELETE", path });
}

async function removeCollection(api: KubernetesApi, path: string): Promise<void> {
  await api.get(z.unknown(), { method: "DELETE", path });
}

/** What the run's Applications deployed, in any namespace of any cluster that they could reach. */
async function strays({ host, inside, otherInside, runLabels }: Ground) {
  const clusters = [host, inside, ...(otherInside === undefined ? [] : [otherInside])];
  const found = await Promise.all(
    clusters.flatMap((api) =>
      ["configmaps", "podtemplates"].map(async (resource) => {
        const { items } = await api.get(Objects, {
          path: `/api/v1/${resource}?${labelQuery(runLabels)}`,
        });
        return items.map(({ metadata: { name, namespace } }) => ({
          api,
          path: `/api/v1/namespaces/${namespace}/${resource}/${name}`,
        }));
      }),
    ),
  );
  return found.flat();
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

/** What is left of runs on a tenant: namespaces inside, pods on the host, and strays. */
export async function remains(ground: Ground): Promise<readonly string[]> {
  const { host, inside, tenant, runLabels } = ground;
  const [namespaces, pods, stray] = await Promise.all([
    inside.get(Names, { path: `/api/v1/namespaces?${labelQuery(runLabels)}` }),
    host.get(Names, {
      path: `/api/v1/namespaces/${tenant.namespace}/pods?${labelQuery(runLabels)}`,
    }),
    strays(ground),
  ]);
  return [
    ...[...namespaces.items, ...pods.items].map(({ metadata }) => metadata.name),
    ...stray.map(({ path }) => path),
  ];
}
