import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { PlatformSettings } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import type { HostCluster } from "./host-cluster.ts";
import { secretValue } from "./secret-value.ts";
import { tenantNames } from "./tenant-names.ts";
import { planTenantVCluster } from "./tenant-vcluster-plan.ts";
import { withEndpoint } from "./vcluster-kubeconfig.ts";

/** Inputs of TenantVCluster. */
export interface TenantVClusterArgs {
  readonly tenant: Tenant;
  readonly platform: PlatformSettings;
  readonly host: HostCluster;
}

/** A tenant's guard-railed namespace on the host cluster, and the virtual cluster in it. */
export class TenantVCluster extends pulumi.ComponentResource {
  /** The Application that runs the virtual cluster: whatever is inside must be gone before it. */
  readonly application: kubernetes.apiextensions.CustomResource;
  /** A working kubeconfig of the virtual cluster's administrator. Secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** What Argo CD signs in with. Secret; the CA certificate is PEM. */
  readonly argocdCredentials: {
    readonly token: pulumi.Output<string>;
    readonly certificateAuthority: pulumi.Output<string>;
  };

  constructor(
    name: string,
    { tenant, platform, host }: TenantVClusterArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("tenantry:index:TenantVCluster", name, {}, opts);
    const plan = planTenantVCluster(tenant, platform);
    const namespace = new kubernetes.core.v1.Namespace(`${name}-namespace`, plan.namespace, {
      parent: this,
      dependsOn: [...host.rails],
    });
    // The namespace takes its objects along: deleting each one first only costs time.
    const inNamespace = { parent: this, dependsOn: [namespace], deletedWith: namespace };

    const guardRails = [
      new kubernetes.core.v1.ResourceQuota(`${name}-quota`, plan.resourceQuota, inNamespace),
      new kubernetes.core.v1.LimitRange(`${name}-limits`, plan.limitRange, inNamespace),
      ...Object.entries(plan.networkPolicies).map(
        ([key, policy]) =>
          new kubernetes.networking.v1.NetworkPolicy(`${name}-policy-${key}`, policy, inNamespace),
      ),
    ];

    new kubernetes.core.v1.ServiceAccountPatch(
      `${name}-default-service-account`,
      plan.serviceAccount,
      inNamespace,
    );
    const project = new kubernetes.apiextensions.CustomResource(`${name}-project`, plan.project, {
      parent: this,
      dependsOn: [...host.rails],
    });

    // Beside the Application, not before it: they wait for what it brings up.
    const awaited = { ...inNamespace, ignoreChanges: ["data"] };
    const kubeconfig = new kubernetes.core.v1.Secret(
      `${name}-kubeconfig`,
      plan.secrets.kubeconfig,
      awaited,
    );
    const argocd = new kubernetes.core.v1.Secret(`${name}-argocd`, plan.secrets.argocd, awaited);
    this.application = new kubernetes.apiextensions.CustomResource(
      `${name}-application`,
      plan.application,
      { parent: this, dependsOn: [namespace, project, ...guardRails] },
    );

    const { server, hostname } = tenantNames(tenant, platform);
    const endpoint =
      platform.virtualClusters.address === undefined
        ? { server }
        : { server, tlsServerName: hostname };
    this.kubeconfig = secretValue(kubeconfig, "config").apply((config) =>
      withEndpoint(config, endpoint),
    );
    this.argocdCredentials = {
      token: secretValue(argocd, "token"),
      certificateAuthority: secretValue(argocd, "certificate-authority"),
    };
    this.registerOutputs();
  }
}
