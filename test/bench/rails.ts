/**
 * What guard rails cost: those of one more tenant are applied to the dev platform that runs in this
 * clone, and pods are tried in its namespace and in one without guard rails. Prints JSON, in seconds.
 */
import { execa } from "execa";
import { SelectedStack } from "../../cli/selected-stack.ts";
import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import { platformValues } from "../../components/vcluster-values.ts";
import { paths } from "../../dev/platform/state.ts";
import { runningPlatform } from "../../cli/running-platform.ts";
import { completeSettings } from "../../tenants/effective-settings.ts";
import { tenantSchema } from "../../tenants/schema.ts";
import { HostApi } from "../integration/host-api.ts";

const PODS = 100;

const settings = await new SelectedStack().settings();
const tenant = tenantSchema.parse(
  completeSettings({
    name: "rails",
    owner: { team: "Rails", email: "rails@example.com" },
    costCentre: "CC-1",
    tier: "small",
    kubernetes: "1.36",
  }),
);
const plan = planTenantVCluster(tenant, settings);
const core = { apiVersion: "v1" };
const rails = [
  { ...core, kind: "ResourceQuota", ...plan.resourceQuota },
  { ...core, kind: "LimitRange", ...plan.limitRange },
  { ...core, kind: "ServiceAccount", ...plan.serviceAccount },
  ...Object.values(plan.networkPolicies).map((policy) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    ...policy,
  })),
  plan.project,
];
const namespace = plan.namespace.metadata.name;
const plain = "without-rails";
const kubectl = async (commandArguments: readonly string[], input = "") =>
  await execa(`${runningPlatform().bin}/kubectl`, commandArguments, {
    input,
    env: { KUBECONFIG: paths.kubeconfig },
  });
const list = (items: readonly object[]) => JSON.stringify({ ...core, kind: "List", items });

/** Seconds that work takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

const namespaces = [
  { ...core, kind: "Namespace", ...plan.namespace },
  { ...core, kind: "Namespace", metadata: { name: plain } },
];
const host = await HostApi.open(paths.kubeconfig);
try {
  await kubectl(["apply", "-f", "-"], list(namespaces));
  const applied = await timed(async () => await kubectl(["apply", "-f", "-"], list(rails)));
  const { priorityClassName } = platformValues(tenant, settings).sync.toHost.pods;
  const admitted = async (where: string) =>
    await timed(async () => {
      for (let pod = 0; pod < PODS; pod++) {
        const { accepted, reason } = await host.dryRun({
          ...core,
          kind: "Pod",
          metadata: { name: `pod-${pod}`, namespace: where },
          spec: {
            priorityClassName,
            securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
              {
                name: "main",
                image: "registry.k8s.io/pause:3.10",
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { drop: ["ALL"] },
                },
              },
            ],
          },
        });
        if (!accepted) throw new Error(reason);
      }
    });
  await admitted(plain); // warm: connections, and the API server's compiled expressions
  await admitted(namespace);
  const figures = {
    objects: rails.length,
    applied,
    plain: await admitted(plain),
    railed: await admitted(namespace),
  };
  console.log(JSON.stringify(figures));
} finally {
  host.close();
  await kubectl([
    "delete",
    "--wait=false",
    "appproject.argoproj.io",
    "-n",
    settings.argocd.namespace,
    plan.project.metadata.name,
  ]);
  await kubectl(["delete", "namespace", namespace, plain]);
}
