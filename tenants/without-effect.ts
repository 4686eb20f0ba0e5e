import { z } from "zod";

import { isMapping, type Mapping } from "./effective-settings.ts";
import { fieldNotes, tenantSchema } from "./schema.ts";

/** The outermost settings of a file that are checked and kept, and that nothing acts on yet. */
export function fieldsWithoutEffect(content: Mapping): string[][] {
  return find(tenantSchema, content, []);
}

function find(schema: unknown, value: unknown, path: readonly string[]): string[][] {
  if (!(schema instanceof z.ZodType)) return [];
  if (value === undefined || value === null) return [];
  if (fieldNotes.get(schema)?.withoutEffect === true) return [[...path]];
  const inner: unknown = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (!(inner instanceof z.ZodObject) || !isMapping(value)) return [];
  return Object.entries<unknown>(inner.shape).flatMap(([key, child]) =>
    find(child, value[key], [...path, key]),
  );
}
