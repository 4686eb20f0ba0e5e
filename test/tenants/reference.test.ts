import { deepEqual, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

import { isMapping } from "../../tenants/effective-settings.ts";
import { tenantJsonSchema } from "../../tenants/reference.ts";
import { TenantFile } from "../../tenants/tenant-file.ts";
import { generatedFiles } from "../../tenants/write-reference.ts";
import { INVALID_CASES, tenantFilesOf, VALID } from "./corpus.ts";

/** What editors do with the schema: formats are checked, unknown keywords are for other tools. */
function editor() {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  return ajv.compile(tenantJsonSchema());
}

/** What the loader knows of a single value and no JSON Schema can say. */
const BEYOND_JSON_SCHEMA = [
  /^name: expected a name that is not reserved/,
  /^sleep\.timeZone: expected a time zone of the IANA database/,
  /^(quota|containers)\S+: expected (at least|a Kubernetes quantity)/,
  // YAML's .inf and .nan are numbers to a JSON Schema.
  /^vcluster\.values\.\S+: expected text, a finite number/,
  /^(stages|backup)\S+: expected (at least|a duration)/,
];

/** Without values left empty: they are as good as none, and an editor may well ask for more. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) =>
      child === null ? [] : [[key, withoutEmpty(child)]],
    ),
  );
}

describe("the tenant file's JSON Schema and reference page", () => {
  it("are in the repository as the schema makes them (npm run generate writes them anew)", async () => {
    for (const [path, content] of Object.entries(await generatedFiles())) {
      deepEqual(readFileSync(path, "utf8"), content, path);
    }
  });

  it("is a valid JSON Schema, draft 2020-12", () => {
    const ajv = new Ajv2020();
    ok(ajv.validateSchema(tenantJsonSchema()), JSON.stringify(ajv.errors));
  });

  it("accepts whatever the loader accepts", () => {
    const validate = editor();
    const refused = tenantFilesOf(VALID)
      .filter(({ content }) => !validate(withoutEmpty(content)))
      .map(({ path }) => basename(path));
    deepEqual(refused, []);
  });

  it("accepts a section that is left empty, and not a value that has to be said", () => {
    const validate = editor();
    const { content = {} } = new TenantFile("tenants/globex.yaml");
    ok(validate({ ...content, quota: null, argocd: { roles: null } }));
    ok(!validate({ ...content, owner: null }));
    ok(!validate({ ...content, name: null }));
  });

  it("refuses what the loader refuses for its shape", () => {
    const validate = editor();
    const accepted = INVALID_CASES.flatMap(tenantFilesOf)
      .filter(({ content, faults }) => content !== undefined && faults.length > 0)
      .filter(({ content }) => validate(content))
      .flatMap(({ faults }) => faults.map(({ field, message }) => `${field}: ${message}`));
    deepEqual(
      accepted.filter((faults) => !BEYOND_JSON_SCHEMA.some((pattern) => pattern.test(faults))),
      [],
    );
  });
});
