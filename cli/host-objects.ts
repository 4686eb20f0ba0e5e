import { ApiException, KubernetesObjectApi, type KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";

/** What is read of any object of the host cluster. */
export const HostObject = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z
    .object({
      project: z.string().optional(),
      claimRef: z.object({ namespace: z.string().optional() }).optional(),
    })
    .nullish()
    .catch(undefined),
  status: z
    .object({
      sync: z.object({ status: z.string().optional() }).optional(),
      health: z.object({ status: z.string().optional() }).optional(),
    })
    .nullish()
    .catch(undefined),
  data: z.record(z.string(), z.string()).nullish().catch(undefined),
});
export type HostObject = z.infer<typeof HostObject>;

/** All objects of one kind; none where the host does not know the kind. */
export async function listHostObjects(
  cluster: KubeConfig,
  apiVersion: string,
  kind: string,
  namespace?: string,
): Promise<HostObject[]> {
  const api = KubernetesObjectApi.makeApiClient(cluster);
  try {
    const list = await api.list(apiVersion, kind, namespace);
    return z.array(HostObject).parse(list.items);
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return [];
    // An API group that is not served fails in discovery.
    if (error instanceof Error && error.message.includes("Unrecognized API version and kind"))
      return [];
    throw error;
  }
}
