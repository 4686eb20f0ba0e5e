import type { PlatformSettings } from "../platform/settings.ts";
import { TIER_NAMES } from "../tenants/schema.ts";
import {
  CONTROL_PLANE_PRIORITY,
  planAdmissionPolicies,
  TENANT_LABEL,
  tierPriority,
  type AdmissionPolicy,
} from "./admission-policies.ts";

/** What the host cluster needs once, whatever the number of tenants. */
export function planHostCluster(platform: PlatformSettings): {
  /** What the API server refuses in tenants' namespaces, with what binds each policy. */
  readonly admission: readonly {
    readonly name: string;
    readonly policy: ReturnType<typeof validatingPolicy>;
    readonly binding: ReturnType<typeof policyBinding>;
  }[];
  /** How pods come before others, when nodes are full. */
  readonly priorityClasses: readonly ReturnType<typeof priorityClass>[];
  /** The Helm release of Argo CD; undefined where an Argo CD is adopted. */
  readonly argocdRelease: ReturnType<typeof argocdRelease> | undefined;
} {
  return {
    admission: planAdmissionPolicies(platform).map((policy) => ({
      name: policy.name,
      policy: validatingPolicy(policy),
      binding: policyBinding(policy),
    })),
    priorityClasses: [
      priorityClass(CONTROL_PLANE_PRIORITY, 1_000_000, "Control planes of virtual clusters"),
      // Where more is promised than there is, who pays for more stays. It cannot be queueing only
      // (preemptionPolicy Never): vCluster sends the other policy with every pod.
      ...TIER_NAMES.map((tier, index) =>
        priorityClass(tierPriority(tier), 1000 * (index + 1), `Pods of tenants of tier ${tier}`),
      ),
    ],
    argocdRelease: platform.argocd.install && argocdRelease(platform, platform.argocd.install),
  };
}

function validatingPolicy(policy: AdmissionPolicy) {
  const { name, resources, matchConditions = [], variables = [], validations } = policy;
  return {
    metadata: { name: `tenantry-${name}` },
    spec: {
      // What cannot be decided is refused.
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: resources.map(
          ({ apiGroups, resources: kinds, operations = ["CREATE", "UPDATE"] }) => ({
            apiGroups: [...apiGroups],
            apiVersions: ["*"], // of these groups, whichever the host serves
            operations: [...operations],
            resources: [...kinds],
          }),
        ),
      },
      matchConditions: [...matchConditions],
      variables: [...variables],
      validations: validations.map((validation) => ({ ...validation, reason: "Forbidden" })),
    },
  };
}

function policyBinding({ name, namespaces }: AdmissionPolicy) {
  return {
    metadata: { name: `tenantry-${name}` },
    spec: {
      policyName: `tenantry-${name}`,
      validationActions: ["Deny"],
      ...(namespaces === undefined
        ? {}
        : {
            matchResources: {
              namespaceSelector: {
                matchLabels: namespaces,
                matchExpressions: [{ key: TENANT_LABEL, operator: "Exists" }],
              },
            },
          }),
    },
  };
}

function priorityClass(name: string, value: number, description: string) {
  return { metadata: { name }, value, description, globalDefault: false };
}

function argocdRelease(
  { argocd }: PlatformSettings,
  chart: { readonly repository: string; readonly version: string },
) {
  return {
    name: "argocd",
    chart: "argo-cd",
    version: chart.version,
    repositoryOpts: { repo: chart.repository },
    namespace: argocd.namespace,
    createNamespace: true,
    timeout: 900,
    values: {
      // Names as upstream has them (argocd-server, …): they are what people and docs say.
      fullnameOverride: "argocd",
      global: { domain: new URL(argocd.url).host, networkPolicy: { create: true } },
      configs: {
        cm: {
          url: argocd.url,
          "admin.enabled": false,
          "users.anonymous.enabled": false,
        },
        // A default role could not be denied away again: nobody has a role unless one is given.
        // No admin password either: with one, the chart stamps it with the time of rendering.
        rbac: { "policy.default": "" },
      },
    },
  };
}
