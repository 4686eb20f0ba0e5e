import type { KubeConfig } from "@kubernetes/client-node";
import { Command } from "commander";
import type { PlatformSettings } from "../../platform/settings.ts";
import { restUrl } from "../git-service.ts";
import type { HostObject } from "../host-objects.ts";
import { printJson, printTable, Refusal } from "../output.ts";
import type { StateResource } from "../selected-stack.ts";

/** One thing that exists because of a tenant. */
interface Residue {
  readonly where: "host cluster" | "Argo CD" | "Git service" | "stack";
  readonly kind: string;
  readonly name: string;
}

/** Whether an object of the host cluster is a tenant's: by its label, by the Application that made it, by its namespace or claim. */
function belongsTo(tenant: string, object: HostObject): boolean {
  const namespace = `vc-${tenant}`;
  const { name, labels, annotations } = object.metadata;
  return (
    labels?.["tenantry.dev/tenant"] === tenant ||
    annotations?.["argocd.argoproj.io/tracking-id"]?.startsWith(`${namespace}:`) === true ||
    object.metadata.namespace === namespace ||
    object.spec?.claimRef?.namespace === namespace ||
    name === namespace ||
    // The chart's cluster-wide objects, and what vCluster copies to the host.
    name.endsWith(`-v-${namespace}`) ||
    name.endsWith(`-x-${namespace}`)
  );
}

/** Whether an object beside Argo CD is a tenant's: by its label, its project, or as the project itself. */
function belongsToProject(tenant: string, object: HostObject): boolean {
  const project = object.data?.["project"];
  return (
    belongsTo(tenant, object) ||
    object.spec?.project === tenant ||
    (project !== undefined && Buffer.from(project, "base64").toString("utf8") === tenant)
  );
}

const hostKinds = [
  ["v1", "Namespace"],
  ["v1", "PersistentVolume"],
  ["v1", "PersistentVolumeClaim"],
  ["v1", "Pod"],
  ["rbac.authorization.k8s.io/v1", "ClusterRole"],
  ["rbac.authorization.k8s.io/v1", "ClusterRoleBinding"],
  ["scheduling.k8s.io/v1", "PriorityClass"],
  ["storage.k8s.io/v1", "StorageClass"],
  ["gateway.networking.k8s.io/v1", "TLSRoute"],
] as const;

const argocdKinds = [
  ["argoproj.io/v1alpha1", "Application"],
  ["argoproj.io/v1alpha1", "AppProject"],
  ["v1", "Secret"],
] as const;

async function onHostCluster(
  tenant: string,
  cluster: KubeConfig,
  settings: PlatformSettings,
): Promise<Residue[]> {
  const { listHostObjects } = await import("../host-objects.ts");
  const host = hostKinds.map(async ([apiVersion, kind]) =>
    (await listHostObjects(cluster, apiVersion, kind))
      .filter((object) => belongsTo(tenant, object))
      .map(({ metadata }): Residue => ({ where: "host cluster", kind, name: metadata.name })),
  );
  const argocd = argocdKinds.map(async ([apiVersion, kind]) =>
    (await listHostObjects(cluster, apiVersion, kind, settings.argocd.namespace))
      .filter(
        (object) =>
          belongsToProject(tenant, object) ||
          (kind !== "Secret" && object.metadata.name === tenant),
      )
      .map(({ metadata }): Residue => ({ where: "Argo CD", kind, name: metadata.name })),
  );
  return (await Promise.all([...host, ...argocd])).flat();
}

async function inGitService(
  tenant: string,
  settings: PlatformSettings,
  token: string | undefined,
): Promise<Residue[]> {
  if (token === undefined) {
    throw new Refusal(
      "GITHUB_TOKEN is not set: without it nobody can tell whether the repository is gone",
    );
  }
  const url = `${restUrl(settings.git)}/repos/${settings.git.owner}/${tenant}`;
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, accept: "application/vnd.github+json" },
    signal: AbortSignal.timeout(15_000),
  });
  await response.arrayBuffer();
  if (response.status === 404) return [];
  if (!response.ok)
    throw new Refusal(`${url} answered ${response.status}: cannot tell whether it is gone`);
  return [{ where: "Git service", kind: "Repository", name: `${settings.git.owner}/${tenant}` }];
}

/** The resources below a tenant's component, the component included. */
function inState(tenant: string, resources: readonly StateResource[]): Residue[] {
  const parents = new Map(resources.map(({ urn, parent }) => [urn, parent]));
  const ofTenant = (urn: string | undefined): boolean =>
    urn !== undefined &&
    (urn.endsWith(`tenantry:index:Tenant::${tenant}`) || ofTenant(parents.get(urn)));
  return resources
    .filter(({ urn }) => ofTenant(urn))
    .map(({ urn }) => {
      const [type = "", name = ""] = urn.split("::").slice(2);
      return { where: "stack", kind: type.slice(type.lastIndexOf("$") + 1), name };
    });
}

export function residueCommand(): Command {
  return new Command("residue")
    .description(
      "list what exists of a tenant on the host, in Argo CD, in the Git service and in the stack",
    )
    .argument("<tenant>", "the tenant's name")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExit code: 0 when nothing is left, else 1.")
    .action(async (tenant: string, options: { json?: true }) => {
      const { SelectedStack } = await import("../selected-stack.ts");
      const stack = new SelectedStack();
      const [settings, resources] = await Promise.all([stack.settings(), stack.resources()]);
      const [host, git] = await Promise.all([
        onHostCluster(tenant, stack.hostCluster(settings.host.context), settings),
        inGitService(tenant, settings, stack.environment["GITHUB_TOKEN"]),
      ]);
      const residue = [...host, ...git, ...inState(tenant, resources)];
      if (options.json) printJson(residue);
      else if (residue.length === 0) console.log(`nothing is left of ${tenant}`);
      else
        printTable(
          ["where", "kind", "name"],
          residue.map(({ where, kind, name }) => [where, kind, name]),
        );
      if (residue.length > 0) process.exitCode = 1;
    });
}
