import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

import { deployedTenant, type DeployedTenant } from "../tenants/rules.ts";
import { KUBERNETES_VERSIONS, type Tenant } from "../tenants/schema.ts";
import { promisedTo, type DeployedPromise } from "./capacity.ts";

/** What an update keeps of a tenant in the stack's outputs, for the next one to compare with. */
export interface TenantRecord extends DeployedTenant {
  /** What it takes of the host, control plane included. */
  readonly promise: DeployedPromise;
}

/** What is to be known of a tenant once it is deployed. */
export function tenantRecord(tenant: Tenant): TenantRecord {
  const { cpu, memory, pods } = promisedTo(tenant);
  return {
    ...deployedTenant(tenant),
    promise: { cpu, memory, pods, nodePool: tenant.nodePool },
  };
}

const Outputs = z.object({
  // Absent before the first update, and after one by a version that kept no records.
  records: z
    .record(
      z.string(),
      z.object({
        name: z.string(),
        owner: z.object({ team: z.string(), email: z.string() }),
        costCentre: z.string(),
        // A version that this program does not know any more cannot be compared with.
        kubernetes: z.enum(KUBERNETES_VERSIONS).optional().catch(undefined),
        store: z.enum(["sqlite", "etcd"]),
        promise: z.object({
          cpu: z.number(),
          memory: z.number(),
          pods: z.number(),
          nodePool: z.string(),
        }),
      }),
    )
    .default({}),
});

/** The tenants as the last successful update of the running stack left them. */
export async function deployedTenants(): Promise<readonly TenantRecord[]> {
  // What StackReference reads, without its resource: that would keep a copy of all outputs in the state.
  const result: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {
    name: `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`,
  });
  const { outputs } = z.object({ outputs: z.unknown() }).partial().parse(result);
  return Object.values(Outputs.parse(outputs ?? {}).records).map((record) => ({
    ...record,
    kubernetes: record.kubernetes,
  }));
}
