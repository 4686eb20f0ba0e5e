import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { Platform } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import { planTenantArgoCD } from "./tenant-argocd-plan.ts";
import type { TenantRepo } from "./tenant-repo.ts";
import type { TenantVCluster } from "./tenant-vcluster.ts";

/** Inputs of TenantArgoCD. */
export interface TenantArgoCDArgs {
  readonly tenant: Tenant;
  readonly platform: Platform;
  readonly vcluster: TenantVCluster;
  readonly repo: TenantRepo;
}

/**
 * A tenant in the host Argo CD. Destroying goes the other way through the dependencies declared
 * here: root Application, which cleans up inside the virtual cluster; then the registration, without
 * which it would go without cleaning up; then the AppProject, without which it would hang; then the
 * virtual cluster.
 */
export class TenantArgoCD extends pulumi.ComponentResource {
  constructor(
    name: string,
    { tenant, platform, vcluster, repo }: TenantArgoCDArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("tenantry:index:TenantArgoCD", name, {}, opts);
    const plan = planTenantArgoCD(tenant, platform);
    const project = new kubernetes.apiextensions.CustomResource(`${name}-project`, plan.project, {
      parent: this,
      dependsOn: [vcluster.application],
    });

    const { token, certificateAuthority } = vcluster.argocdCredentials;
    const registration = new kubernetes.core.v1.Secret(
      `${name}-registration`,
      {
        metadata: plan.registration.metadata,
        stringData: {
          ...plan.registration.fields,
          config: pulumi.jsonStringify({
            bearerToken: token,
            tlsClientConfig: { caData: certificateAuthority.apply(base64) },
          }),
        },
      },
      { parent: this, dependsOn: [project] },
    );
    const repository = new kubernetes.core.v1.Secret(
      `${name}-repository`,
      {
        metadata: plan.repository.metadata,
        stringData: { ...plan.repository.fields, password: platform.gitArgocdToken },
      },
      { parent: this, dependsOn: [project] },
    );
    new kubernetes.apiextensions.CustomResource(`${name}-root`, plan.rootApplication, {
      parent: this,
      dependsOn: [registration, repository, repo],
    });
    this.registerOutputs();
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
