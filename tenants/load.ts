import { readdirSync } from "node:fs";
import { basename, join } from "node:path";

import { nearest } from "../platform/schema-errors.ts";
import { inReadingOrder, TenantFilesError, type TenantFault } from "./faults.ts";
import type { Finding, Rule } from "./rules.ts";
import type { Tenant } from "./schema.ts";
import { TenantFile } from "./tenant-file.ts";

/** A tenant together with the file that it comes from. */
export interface TenantEntry {
  readonly tenant: Tenant;
  readonly file: TenantFile;
}

/** What is in the tenants' folder, and what is wrong with it. */
export interface TenantFiles {
  /** The tenants whose files are valid by themselves, in the order of their names. */
  readonly entries: readonly TenantEntry[];
  /** Every fault of every file, in reading order. */
  readonly faults: readonly TenantFault[];
}

/**
 * Reads every tenant file of a folder, `*.yaml`, and holds them against the rules. Never throws
 * for what is in them.
 */
export function readTenantFiles(folder: string, rules: readonly Rule[]): TenantFiles {
  const names = readdirSync(folder).sort();
  const files = names
    .filter((entry) => entry.endsWith(".yaml"))
    .map((entry) => new TenantFile(join(folder, entry)));
  const entries = files.flatMap((file) =>
    file.tenant === undefined ? [] : [{ tenant: file.tenant, file }],
  );
  const faults = [
    ...names
      .filter((entry) => /\.ya?ml$/i.test(entry) && !entry.endsWith(".yaml"))
      .map((entry) => ({
        ...wholeFile(join(folder, entry)),
        message: `expected a name that ends in .yaml, ${basename(entry).replace(/\.ya?ml$/i, ".yaml")}: other files are not read`,
        rule: "file-extension",
      })),
    ...files.flatMap((file) => file.faults),
    ...nameFaults(files),
    ...applyRules(rules, entries),
  ];
  return { entries, faults: faults.sort(inReadingOrder) };
}

/** What the rules find, as faults of the files. */
export function applyRules(rules: readonly Rule[], entries: readonly TenantEntry[]): TenantFault[] {
  const toFault = (rule: string, { file, path, message }: Finding) =>
    file.fault(rule, path, message);
  return rules.flatMap(({ id, check }) => check(entries).map((finding) => toFault(id, finding)));
}

/**
 * Reads the tenants. With `selection`, only the tenants of these names are returned, but all files
 * are checked all the same: what a tenant may have depends on the others.
 * Throws a TenantFilesError that lists every fault.
 */
export function loadTenants(
  folder: string,
  rules: readonly Rule[],
  selection?: readonly string[],
): Tenant[] {
  const { entries, faults } = readTenantFiles(folder, rules);
  const known = entries.map(({ tenant }) => tenant.name);
  const unknown = (selection ?? [])
    .filter((name) => !known.includes(name))
    .map((name) => {
      const meant = nearest(name, known);
      return {
        ...wholeFile(join(folder, `${name}.yaml`)),
        message: `selected, but there is no such tenant${meant === undefined ? "" : `, did you mean ${meant}?`}`,
        rule: "selection",
      };
    })
    .filter(({ file }) => !faults.some((fault) => fault.file === file));
  if (faults.length + unknown.length > 0) {
    throw new TenantFilesError([...faults, ...unknown].sort(inReadingOrder));
  }
  return entries
    .map(({ tenant }) => tenant)
    .filter(({ name }) => selection === undefined || selection.includes(name));
}

/** A name is in one file, and the file is named after it: also where a file is faulty otherwise. */
function nameFaults(files: readonly TenantFile[]): TenantFault[] {
  const fileOf = new Map<string, string>();
  // A file that is named as it should be has the better claim to the name.
  const rank = (file: TenantFile) => (file.name === basename(file.path, ".yaml") ? 0 : 1);
  const claims = files.toSorted((a, b) => rank(a) - rank(b));
  return claims.flatMap((file) => {
    const { name, path } = file;
    if (name === undefined) return [];
    const other = fileOf.get(name);
    fileOf.set(name, other ?? path);
    if (other !== undefined) {
      return [file.fault("name-taken", ["name"], `the name ${name} is taken by ${other}`)];
    }
    return name === basename(path, ".yaml") || file.faults.some(({ field }) => field === "name")
      ? []
      : [
          file.fault(
            "name-of-file",
            ["name"],
            `${name} belongs into a file named ${name}.yaml. A tenant cannot be renamed`,
          ),
        ];
  });
}

function wholeFile(file: string) {
  return { file, line: 1, column: 1, field: "" };
}
