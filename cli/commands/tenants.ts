import { join, relative } from "node:path";
import { Command } from "commander";
import { printJson, printTable, Refusal } from "../output.ts";

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
    loadTenants(join(projectFolder, "tenants"), []).map((tenant) => [tenant.name, tenant]),
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

async function showTenant(name: string, _: unknown, command: Command): Promise<void> {
  const { existsSync, readdirSync } = await import("node:fs");
  const { projectFolder } = await import("../../dev/platform/state.ts");
  const { nearest } = await import("../../platform/schema-errors.ts");
  const { effectiveSettings } = await import("../../tenants/effective-settings.ts");
  const { TenantFilesError } = await import("../../tenants/faults.ts");
  const { TENANT_RULES } = await import("../../tenants/rules.ts");
  const { applyRules } = await import("../../tenants/load.ts");
  const { TenantFile } = await import("../../tenants/tenant-file.ts");

  const folder = join(projectFolder, "tenants");
  const path = join(folder, `${name}.yaml`);
  if (!existsSync(path)) {
    const meant = nearest(
      name,
      readdirSync(folder).map((file) => file.replace(/\.yaml$/, "")),
    );
    throw new Refusal(
      `no tenant ${name}: there is no ${relative(process.cwd(), path)}${meant === undefined ? "" : `, did you mean ${meant}?`}`,
    );
  }
  const file = new TenantFile(relative(process.cwd(), path));
  const { content, tenant } = file;
  const faults = [
    ...file.faults,
    ...(tenant === undefined ? [] : applyRules(TENANT_RULES, [{ tenant, file }])),
  ];
  if (content === undefined || faults.length > 0) throw new TenantFilesError(faults);
  const settings = effectiveSettings(content);
  // Commander gives an option that the list of tenants has too to that one.
  if (command.optsWithGlobals<{ json?: true }>().json) {
    printJson(
      settings.map(({ path: keys, ...setting }) => ({ field: keys.join("."), ...setting })),
    );
    return;
  }
  printTable(
    ["field", "value", "from"],
    settings.map(({ path: keys, value, origin }) => [
      keys.join("."),
      typeof value === "string" ? value : JSON.stringify(value),
      origin,
    ]),
  );
}

export function tenantsCommand(): Command {
  const command = new Command("tenants").description(
    "list the tenants with owner, state, namespace and URLs",
  );
  command
    .command("show")
    .description("show every effective setting of a tenant, and where it comes from")
    .argument("<tenant>", "name of the tenant")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nA setting comes from the tenant's file, from its tier, or is the platform's default.\nIt reads the file alone: neither a stack nor a cluster is asked.",
    )
    .action(showTenant);
  return command.option("--json", "print JSON").action(async (options: { json?: true }) => {
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
