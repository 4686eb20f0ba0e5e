import { z } from "zod";

/** One thing wrong with a value, and where in it. */
export interface SchemaError {
  /** Keys and indexes from the root of the value to the faulty part. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * Error option of a schema: says what would have been right, and what was there instead. Of
 * `words`, the one that was probably meant is named too.
 */
export function expected(
  what: string,
  words: readonly string[] = [],
): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) => {
      if (input === undefined) return `missing: expected ${what}`;
      const meant = typeof input === "string" ? nearest(input, words) : undefined;
      return `expected ${what}, got ${show(input)}${meant === undefined ? "" : `, did you mean ${meant}?`}`;
    },
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
    if (issue.code === "invalid_key") {
      // What is wrong with the key itself, not with the mapping.
      return [{ path, message: issue.issues[0]?.message ?? issue.message }];
    }
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    const messages = issue.message.split("\n");
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      message: messages[index] ?? "unknown key",
    }));
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined
    ? `unknown key, expected one of ${known.join(", ")}`
    : `unknown key, did you mean ${meant}?`;
}

/** The word that was probably meant: the one with the fewest differences, if they are few. */
export function nearest(text: string, words: readonly string[]): string | undefined {
  const [best] = words
    .map((word) => ({ word, distance: editDistance(text, word) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, text.length / 3)
    ? best.word
    : undefined;
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

/** Characters of a text that a message repeats. */
const LONGEST_SHOWN = 100;

function show(input: unknown): string {
  if (Array.isArray(input)) return input.length === 0 ? "an empty list" : "a list";
  if (typeof input === "object" && input !== null) return "a mapping";
  if (typeof input === "number") return String(input);
  const text = JSON.stringify(input);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…"` : text;
}
