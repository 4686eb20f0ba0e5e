import { z } from "zod";

/** One thing wrong with a value, and where in it. */
export interface SchemaError {
  /** Keys and indexes from the root of the value to the faulty part. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Error option of a schema: says what would have been right, and what was there instead. */
export function expected(what: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) =>
      input === undefined ? `missing: expected ${what}` : `expected ${what}, got ${show(input)}`,
  };
}

/**
 * An object that knows exactly these keys. An unknown key fails, and its message names the nearest
 * spelling, because a misspelt optional key would otherwise be a setting silently not made.
 */
export function exactObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? // One line a key: schemaErrors makes one error of each.
          issue.keys.map((key) => unknownKey(key, keys)).join("\n")
        : expected(`a mapping with ${keys.join(", ")}`).error(issue),
  });
}

/** Everything that a failed parse found, in the order of the schema. */
export function schemaErrors(error: z.ZodError): SchemaError[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    const messages = issue.message.split("\n");
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      message: messages[index] ?? "unknown key",
    }));
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(key, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest !== undefined && nearest.distance <= Math.max(1, key.length / 3)
    ? `unknown key, did you mean ${nearest.candidate}?`
    : `unknown key, expected one of ${known.join(", ")}`;
}

/** Levenshtein distance, without regard to case. */
function editDistance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function show(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object" && input !== null) return "a mapping";
  return JSON.stringify(input);
}
