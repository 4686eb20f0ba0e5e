import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document } from "yaml";

import { schemaErrors } from "../platform/schema-errors.ts";
import { tenantSchema, type Tenant } from "./schema.ts";

/** One thing wrong with a tenant file. */
export interface TenantFault {
  /** The file, named as the folder was: tenants/acme.yaml. */
  readonly file: string;
  /** Where in the file, counted from 1. */
  readonly line: number;
  readonly column: number;
  /** Dotted path of the field; empty if the fault is the whole file's. */
  readonly field: string;
  readonly message: string;
}

/** Thrown when tenant files are not valid; the message lists every fault of every file. */
export class TenantFilesError extends Error {
  readonly faults: readonly TenantFault[];

  constructor(faults: readonly TenantFault[]) {
    super(faults.map(describe).join("\n"));
    this.name = "TenantFilesError";
    this.faults = faults;
  }
}

/**
 * Reads the tenants: every `*.yaml` in the folder, in the order of their names. With `selection`,
 * only the tenants of these names are returned, but all files are checked all the same, because
 * a name may be taken by only one of them. Throws a TenantFilesError that lists every fault.
 */
export function loadTenants(folder: string, selection?: readonly string[]): Tenant[] {
  const files = readdirSync(folder)
    .filter((entry) => entry.endsWith(".yaml"))
    .sort()
    .map((entry) => new TenantFile(join(folder, entry)));
  const faults = files.flatMap((file) => file.faults);

  const fileOf = new Map<string, string>();
  for (const file of files) {
    if (file.name === undefined) continue;
    const other = fileOf.get(file.name);
    if (other !== undefined) {
      faults.push(file.fault(["name"], `the name ${file.name} is taken by ${other}`));
    } else if (file.name !== basename(file.path, ".yaml")) {
      faults.push(file.fault(["name"], `${file.name} belongs into a file named ${file.name}.yaml`));
    }
    fileOf.set(file.name, other ?? file.path);
  }

  const unknown = selection?.filter((name) => !fileOf.has(name)) ?? [];
  faults.push(
    ...unknown.map((name) => ({
      file: join(folder, `${name}.yaml`),
      line: 1,
      column: 1,
      field: "",
      message: "selected, but there is no such file",
    })),
  );
  if (faults.length > 0) throw new TenantFilesError(faults.sort(inReadingOrder));

  return files
    .flatMap(({ tenant }) => tenant ?? [])
    .filter(({ name }) => selection === undefined || selection.includes(name));
}

function inReadingOrder(a: TenantFault, b: TenantFault): number {
  return a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column;
}

function describe({ file, line, column, field, message }: TenantFault): string {
  return `${file}:${line}:${column} ${field === "" ? "" : `${field}: `}${message}`;
}

/** A file, parsed as far as it can be. */
class TenantFile {
  readonly path: string;
  readonly tenant: Tenant | undefined;
  readonly faults: readonly TenantFault[];
  /** What the file says its name is, whether or not the rest is valid. */
  readonly name: string | undefined;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(path: string) {
    this.path = path;
    this.#document = parseDocument(readFileSync(path, "utf8"), {
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    const { errors } = this.#document;
    if (errors.length > 0) {
      // A file that is no YAML says nothing about its fields.
      this.faults = errors.map((error) => ({
        ...this.#at(error.pos[0], []),
        message: error.message,
      }));
      return;
    }
    const value: unknown = this.#document.toJS();
    const { data, error } = tenantSchema.safeParse(value ?? {});
    this.tenant = data;
    this.faults =
      error === undefined
        ? []
        : schemaErrors(error).map(({ path, message }) => this.fault(path, message));
    const name = this.#document.get("name");
    this.name = typeof name === "string" ? name : undefined;
  }

  /** A fault at a field, or where the field should have been. */
  fault(field: readonly (string | number)[], message: string): TenantFault {
    return { ...this.#at(this.#offsetOf(field), field), message };
  }

  #at(offset: number, field: readonly (string | number)[]): Omit<TenantFault, "message"> {
    const { line, col } = this.#lines.linePos(offset);
    // An empty file has no first line to the counter.
    return { file: this.path, line: line || 1, column: col || 1, field: field.join(".") };
  }

  /** Offset of a field's key; if the field is not there, of the key of the mapping around it. */
  #offsetOf(field: readonly (string | number)[]): number {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const key of field) {
      const child: unknown = isMap(node)
        ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
        : isSeq(node) && typeof key === "number"
          ? node.items[key]
          : undefined;
      if (child === undefined) return offset;
      offset = start(isPair(child) ? child.key : child) ?? offset;
      node = isPair(child) ? child.value : child;
    }
    return offset;
  }
}

function start(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
}
