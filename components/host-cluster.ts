import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { PlatformSettings } from "../platform/settings.ts";
import { planHostCluster } from "./host-cluster-plan.ts";
import { withoutInputs } from "./without-inputs.ts";

/** Inputs of HostCluster. */
export interface HostClusterArgs {
  readonly platform: PlatformSettings;
}

/** The host cluster: the connection to it, its Argo CD, and what it needs once for all tenants. */
export class HostCluster extends pulumi.ComponentResource {
  /** Connection to the host cluster, which every tenant shares: a provider is a process. */
  readonly provider: kubernetes.Provider;
  /** What must hold before a tenant's namespace is there, and until it is gone. */
  readonly rails: readonly pulumi.Resource[];

  constructor(name: string, { platform }: HostClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tenantry:index:HostCluster", name, {}, opts);
    const { context, clusterIdentifier } = platform.host;
    this.provider = new kubernetes.Provider(
      `${name}-kubernetes`,
      {
        clusterIdentifier,
        ...(context === undefined ? {} : { context }),
        // The client's own limit, 50 requests a second, is what a run otherwise waits for.
        kubeClientSettings: { qps: 500, burst: 1000 },
      },
      { parent: this, transformations: [withoutInputs("kubeconfig")] },
    );
    const child = { parent: this, provider: this.provider };
    const plan = planHostCluster(platform);
    const release =
      plan.argocdRelease &&
      new kubernetes.helm.v3.Release(`${name}-argocd`, plan.argocdRelease, child);
    this.rails = [
      ...plan.admission.flatMap(({ name: policy, policy: args, binding }) => {
        const registered = new kubernetes.admissionregistration.v1.ValidatingAdmissionPolicy(
          `${name}-policy-${policy}`,
          args,
          child,
        );
        return [
          registered,
          new kubernetes.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            `${name}-policy-binding-${policy}`,
            binding,
            { ...child, dependsOn: [registered] },
          ),
        ];
      }),
      ...plan.priorityClasses.map(
        (args) =>
          new kubernetes.scheduling.v1.PriorityClass(
            `${name}-priority-${args.metadata.name}`,
            args,
            child,
          ),
      ),
      ...(release === undefined ? [] : [release]),
    ];
    this.registerOutputs();
  }
}
