import { join } from "node:path";
import { Command } from "commander";
import { printJson, printTable } from "../output.ts";

/** A tenant as the files, the stack and the host cluster know it. */
interface TenantStatus {
  readonly name: string;
  readonly owner: string;
  /** `ready`, `not ready`: what its root Application says; `not created`: only a file; `to be deleted`: no file any more. */
  readonly state: "ready" | "not ready" | "not created" | "to be deleted";
  readonly namespace: string;
  readonly apiUrl: string;
  readonly argocdUrl: string;
  readonly repositoryUrl: string;
}

async function tenantStatus(): Promise<TenantStatus[]> {
  const { SelectedStack } = await import("../selected-stack.ts");
  const { listHostObjects } = await import("../host-objects.ts");
  const { loadTenants } = await import("../../tenants/load.ts");
  const { projectFolder } = await import("../../dev/platform/state.ts");

  const files = new Map(
    loadTenants(join(projectFolder, "tenants")).map((tenant) => [tenant.name, tenant]),
  );
  const stack = new SelectedStack();
  const [settings, outputs] = await Promise.all([stack.settings(), stack.tenants()]);
  const applications = await listHostObjects(
    stack.hostCluster(settings.host.context),
    "argoproj.io/v1alpha1",
    "Application",
    settings.argocd.namespace,
  );
  const ready = new Set(
    applications
      .filter(
        ({ status }) => status?.sync?.status === "Synced" && status.health?.status === "Healthy",
      )
      .map(({ metadata }) => metadata.name),
  );
  return [...new Set([...files.keys(), ...Object.keys(outputs)])].sort().map((name) => {
    const file = files.get(name);
    const output = outputs[name];
    const state = ((): TenantStatus["state"] => {
      if (file === undefined) return "to be deleted";
      if (output === undefined) return "not created";
      return ready.has(name) && ready.has(`vc-${name}`) ? "ready" : "not ready";
    })();
    return {
      name,
      owner: file === undefined ? "" : `${file.owner.team} <${file.owner.email}>`,
      state,
      namespace: output?.namespace ?? "",
      apiUrl: output?.apiUrl ?? "",
      argocdUrl: output?.argocdUrl ?? "",
      repositoryUrl: output?.repositoryUrl ?? "",
    };
  });
}

export function tenantsCommand(): Command {
  return new Command("tenants")
    .description("list the tenants with owner, state, namespace and URLs")
    .option("--json", "print JSON")
    .action(async (options: { json?: true }) => {
      const tenants = await tenantStatus();
      if (options.json) {
        printJson(tenants);
        return;
      }
      printTable(
        ["tenant", "owner", "state", "namespace", "API server", "Argo CD", "repository"],
        tenants.map(({ name, owner, state, namespace, apiUrl, argocdUrl, repositoryUrl }) => [
          name,
          owner,
          state,
          namespace,
          apiUrl,
          argocdUrl,
          repositoryUrl,
        ]),
      );
    });
}
