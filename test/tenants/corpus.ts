import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { parsePlatformSettings } from "../../platform/settings.ts";
import { formatFault, type TenantFault } from "../../tenants/faults.ts";
import { changeRules, platformRules, TENANT_RULES, type Rule } from "../../tenants/rules.ts";
import { KUBERNETES_VERSIONS } from "../../tenants/schema.ts";
import { TenantFile } from "../../tenants/tenant-file.ts";

/** Folders of tenant files that are wrong, each with the report that is expected of it. */
export const INVALID = fileURLToPath(new URL("corpus/invalid/", import.meta.url));

/** Tenant files that look odd and are right. */
export const VALID = fileURLToPath(new URL("corpus/valid/", import.meta.url));

export const INVALID_CASES = readdirSync(INVALID)
  .sort()
  .map((name) => join(INVALID, name));

const deployedTenants = z.array(
  z.strictObject({
    name: z.string(),
    owner: z.strictObject({ team: z.string(), email: z.string() }),
    costCentre: z.string(),
    kubernetes: z.enum(KUBERNETES_VERSIONS),
    store: z.enum(["sqlite", "etcd"]),
  }),
);

/** The tenant files of a folder, whether or not they are valid. */
export function tenantFilesOf(folder: string): readonly TenantFile[] {
  return readdirSync(folder)
    .filter((entry) => entry.endsWith(".yaml"))
    .map((entry) => new TenantFile(join(folder, entry)));
}

/**
 * Every rule there is, on the corpus's platform, against the tenants that are deployed. A case can
 * say otherwise: in platform.json, in deployed.json.
 */
export function rulesFor(folder: string): readonly Rule[] {
  const { settings, faults } = parsePlatformSettings({
    ...json(join(INVALID, "../platform.json")),
    ...json(join(folder, "platform.json"), {}),
  });
  if (settings === undefined) throw new Error(JSON.stringify(faults));
  return [
    ...TENANT_RULES,
    ...platformRules(settings),
    ...changeRules(deployedTenants.parse(json(join(folder, "deployed.json"), []))),
  ];
}

function json(file: string, otherwise?: object): object {
  if (otherwise !== undefined && !existsSync(file)) return otherwise;
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof value === "object" && value !== null ? value : {};
}

/** The faults as people read them, each with its rule, and nothing of where the folder lies. */
export function report(folder: string, faults: readonly TenantFault[]): string {
  return faults
    .map((fault) => {
      const file = relative(folder, fault.file);
      const line = formatFault({ ...fault, file }).replaceAll(`${folder}/`, "");
      return `${line} [${fault.rule}]\n`;
    })
    .join("");
}
