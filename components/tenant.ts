import * as pulumi from "@pulumi/pulumi";

import type { Platform } from "../platform/settings.ts";
import type { Tenant as TenantFile } from "../tenants/schema.ts";
import type { HostCluster } from "./host-cluster.ts";
import { TenantArgoCD } from "./tenant-argocd.ts";
import { tenantNames } from "./tenant-names.ts";
import { TenantRepo } from "./tenant-repo.ts";
import { TenantVCluster } from "./tenant-vcluster.ts";

/** Inputs of Tenant. */
export interface TenantArgs {
  /** The tenant, as its file says. */
  readonly tenant: TenantFile;
  readonly platform: Platform;
  readonly host: HostCluster;
}

/** Where people find what a tenant got. */
export interface TenantAddresses {
  /** API server of the virtual cluster. */
  readonly apiUrl: string;
  /** The tenant's applications in the host Argo CD. */
  readonly argocdUrl: string;
  /** The tenant's Git repository. */
  readonly repositoryUrl: string;
  /** Namespace of the virtual cluster on the host cluster. */
  readonly namespace: string;
}

/** Everything that one team gets. Its children use the providers given in the options. */
export class Tenant extends pulumi.ComponentResource {
  readonly name: string;
  readonly addresses: TenantAddresses;
  /** A working kubeconfig of the virtual cluster's administrator. Secret. */
  readonly kubeconfig: pulumi.Output<string>;

  constructor(
    name: string,
    { tenant, platform, host }: TenantArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("tenantry:index:Tenant", name, {}, opts);
    const child = { parent: this };
    const vcluster = new TenantVCluster(`${name}-vcluster`, { tenant, platform, host }, child);
    const repo = new TenantRepo(`${name}-repo`, { tenant, platform }, child);
    new TenantArgoCD(`${name}-argocd`, { tenant, platform, vcluster, repo }, child);

    const { apiUrl, argocdUrl, repositoryUrl, namespace } = tenantNames(tenant, platform);
    this.name = tenant.name;
    this.addresses = { apiUrl, argocdUrl, repositoryUrl, namespace };
    this.kubeconfig = vcluster.kubeconfig;
    this.registerOutputs();
  }
}
