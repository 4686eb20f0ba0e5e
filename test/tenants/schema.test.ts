import { deepEqual, ok } from "node:assert/strict";
import { inspect } from "node:util";

import { z } from "zod";

import { schemaErrors } from "../../platform/schema-errors.ts";
import { completeSettings, isMapping } from "../../tenants/effective-settings.ts";
import { tenantSchema } from "../../tenants/schema.ts";
import { INVALID_CASES, tenantFilesOf, VALID } from "./corpus.ts";
import { mutants, NOT_REQUIRED, type Mutant } from "./schema-mutants.ts";

type Schema = z.core.$ZodType;

describe("tenantSchema", () => {
  const contents = [...INVALID_CASES, VALID]
    .flatMap((folder) => tenantFilesOf(folder))
    .flatMap(({ content }) => (content === undefined ? [] : [completeSettings(content)]));
  const report = (schema: Schema, value: unknown) => {
    const { error } = z.safeParse(schema, value, { jitless: true });
    return error === undefined ? "" : JSON.stringify(schemaErrors(error));
  };
  /** The mutants that say the same as the original of every one of the values. */
  const survivors = (original: Schema, found: readonly Mutant[], values: readonly unknown[]) => {
    const distinct = new Map(values.map((value) => [inspect(value, { depth: null }), value]));
    const cases = [...distinct.values()].map((value) => ({
      value,
      expected: report(original, value),
    }));
    return found
      .filter(({ schema }) =>
        cases.every(({ value, expected }) => report(schema, value) === expected),
      )
      .map(({ path, what }) => `${path.join(".")}: ${what}`);
  };

  // A value that the presets give is never missing, whatever the schema asks for.
  const presets = completeSettings({ owner: { team: "Acme" }, tier: "small" });
  const isGiven = (path: readonly string[]) =>
    path.reduce<unknown>((at, key) => (isMapping(at) ? at[key] : undefined), presets) !== undefined;
  const mutantsOf = (schema: Schema, path: readonly string[]) =>
    mutants(schema, path).filter(({ path: at, what }) => what !== NOT_REQUIRED || !isGiven(at));

  it("asks for no key, and refuses no other, that no file of the corpus is about", () => {
    const found = mutantsOf(tenantSchema, []).filter(
      ({ path, what }) => path.length === 0 || (path.length === 1 && what === NOT_REQUIRED),
    );
    // A file that is no mapping is refused before the schema is asked.
    deepEqual(survivors(tenantSchema, found, contents), [": any kind of value"]);
  });

  for (const [key, part] of Object.entries(tenantSchema.shape)) {
    it(`asks for nothing, and allows nothing, that no file of the corpus is about: ${key}`, () => {
      const found = mutantsOf(part, [key]);
      ok(found.length > 0);
      const values = contents.map((content) => content[key]);
      deepEqual(survivors(part, found, values), []);
    });
  }
});
