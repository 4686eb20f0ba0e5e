import { z } from "zod";

import { schemaErrors } from "../../platform/schema-errors.ts";
import { isMapping } from "../../tenants/effective-settings.ts";

type Schema = z.core.$ZodType;

/** A schema that differs from another in one thing. */
export interface Mutant {
  /** Where it differs: keys from the root, `*` for every item of a list. */
  readonly path: readonly string[];
  /** What is different there: `without max_length`. */
  readonly what: string;
  readonly schema: Schema;
}

const ANY_KIND = "any kind of value";

/** What a mutant is called in which a key may be left out. */
export const NOT_REQUIRED = "not required";

/** Every schema that lacks one of the things that this one asks for, or one that it allows. */
export function mutants(schema: Schema, path: readonly string[] = []): Mutant[] {
  const mutant = (what: string, changed: Schema): Mutant => ({ path, what, schema: changed });
  /** The mutants of a part, each put into the whole. */
  const within = (part: Schema, key: string | undefined, put: (part: Schema) => Schema) =>
    mutants(part, key === undefined ? path : [...path, key]).map((inner) => ({
      ...inner,
      schema: put(inner.schema),
    }));
  const ofChecks = checkChanges(schema).map(({ what, schema: changed }) => mutant(what, changed));

  if (schema instanceof z.core.$ZodObject) {
    const { def } = schema._zod;
    const put = (key: string) => (part: Schema) =>
      z.core.clone(schema, { ...def, shape: { ...def.shape, [key]: part } });
    return [
      mutant("any key", z.core.clone(schema, { ...def, catchall: z.unknown() })),
      mutant(ANY_KIND, onlyOf(schema, isMapping)),
      ...Object.entries(def.shape).flatMap(([key, part]) => [
        ...within(part, key, put(key)),
        ...(part instanceof z.core.$ZodOptional
          ? []
          : [{ path: [...path, key], what: NOT_REQUIRED, schema: put(key)(z.optional(part)) }]),
      ]),
    ];
  }
  if (schema instanceof z.core.$ZodOptional) {
    const { def } = schema._zod;
    return within(def.innerType, undefined, (innerType) =>
      z.core.clone(schema, { ...def, innerType }),
    );
  }
  if (schema instanceof z.core.$ZodArray) {
    const { def } = schema._zod;
    return [
      ...ofChecks,
      mutant(ANY_KIND, onlyOf(schema, Array.isArray)),
      ...within(def.element, "*", (element) => z.core.clone(schema, { ...def, element })),
    ];
  }
  if (schema instanceof z.core.$ZodRecord) {
    const { def } = schema._zod;
    return [
      mutant(ANY_KIND, onlyOf(schema, isMapping)),
      ...checkChanges(def.keyType).map(({ what, schema: keyType }) =>
        mutant(`key ${what}`, z.core.clone(schema, { ...def, keyType: z.string().and(keyType) })),
      ),
      ...within(def.valueType, "*", (valueType) => z.core.clone(schema, { ...def, valueType })),
    ];
  }
  if (schema instanceof z.core.$ZodPipe) {
    const { def } = schema._zod;
    return [
      mutant("any text", def.in),
      mutant(ANY_KIND, onlyOf(schema, isScalar)),
      ...within(def.in, undefined, (part) => z.core.clone(schema, { ...def, in: part })).filter(
        // The kinds of value are those of the whole.
        ({ what }) => what !== ANY_KIND,
      ),
    ];
  }
  if (schema instanceof z.core.$ZodUnion) {
    const { def } = schema._zod;
    return [
      ...ofChecks,
      mutant(ANY_KIND, onlyOf(schema, isScalar)),
      ...def.options.flatMap((option, index) => [
        mutant(
          `without option ${index}`,
          z.core.clone(schema, { ...def, options: def.options.with(index, z.never()) }),
        ),
        ...within(option, undefined, (part) =>
          z.core.clone(schema, { ...def, options: def.options.with(index, part) }),
        ).filter(({ what }) => what !== ANY_KIND),
      ]),
    ];
  }
  if (schema instanceof z.core.$ZodEnum) {
    const { def } = schema._zod;
    return [
      mutant("any word", z.string()),
      mutant(ANY_KIND, onlyOf(schema, isText)),
      ...Object.keys(def.entries).map((word) => {
        const entries = Object.fromEntries(
          Object.entries(def.entries).filter(([other]) => other !== word),
        );
        return mutant(`without ${word}`, z.core.clone(schema, { ...def, entries }));
      }),
    ];
  }
  if (schema instanceof z.core.$ZodCustom) return [mutant("any value", z.unknown())];
  if (schema instanceof z.core.$ZodString) {
    return [
      ...ofChecks,
      mutant(ANY_KIND, onlyOf(schema, isText)),
      ...(schema instanceof z.core.$ZodStringFormat ? [mutant("any text", z.string())] : []),
    ];
  }
  if (schema instanceof z.core.$ZodNumber) {
    return [
      ...ofChecks,
      mutant(ANY_KIND, onlyOf(schema, isNumber)),
      ...(schema instanceof z.core.$ZodNumberFormat
        ? [mutant("any number", new z.core.$ZodNumber({ ...schema._zod.def }))]
        : []),
    ];
  }
  throw new Error(`${path.join(".")}: no mutants are known of a ${schema._zod.def.type}`);
}

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const isScalar = (value: unknown) => isText(value) || isNumber(value);

/** Holds only values of one kind against the schema and takes all others. */
function onlyOf(schema: Schema, isKind: (value: unknown) => boolean): Schema {
  return z.unknown().superRefine((value, context) => {
    if (value !== undefined && !isKind(value)) return;
    const { error } = z.safeParse(schema, value);
    for (const { path, message } of error === undefined ? [] : schemaErrors(error)) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
  });
}

/** The schema without one of its checks, or with one that lets a little more pass. */
function checkChanges(schema: Schema): { what: string; schema: Schema }[] {
  const { def } = schema._zod;
  const checks = def.checks ?? [];
  return checks.flatMap((check, index) => [
    {
      what: `without ${check._zod.def.check}`,
      schema: z.core.clone(schema, { ...def, checks: checks.toSpliced(index, 1) }),
    },
    ...looserChecks(check).map(({ what, check: looser }) => ({
      what,
      schema: z.core.clone(schema, { ...def, checks: checks.with(index, looser) }),
    })),
  ]);
}

function looserChecks(check: z.core.$ZodCheck): { what: string; check: z.core.$ZodCheck }[] {
  if (check instanceof z.core.$ZodCheckGreaterThan) {
    const { def } = check._zod;
    const value = Number(def.value) - 1;
    return [
      { what: `at least ${value}`, check: new z.core.$ZodCheckGreaterThan({ ...def, value }) },
    ];
  }
  if (check instanceof z.core.$ZodCheckLessThan) {
    const { def } = check._zod;
    const value = Number(def.value) + 1;
    return [{ what: `at most ${value}`, check: new z.core.$ZodCheckLessThan({ ...def, value }) }];
  }
  if (check instanceof z.core.$ZodCheckMaxLength) {
    const { def } = check._zod;
    const maximum = def.maximum + 1;
    return [{ what: `${maximum} long`, check: new z.core.$ZodCheckMaxLength({ ...def, maximum }) }];
  }
  if (check instanceof z.core.$ZodCheckRegex) {
    const { def } = check._zod;
    return looserPatterns(def.pattern).map((pattern) => ({
      what: `with ${pattern.source}`,
      check: new z.core.$ZodCheckRegex({ ...def, pattern }),
    }));
  }
  return [];
}

/** The pattern without one of its ends, or with one of its parts repeated once more. */
function looserPatterns({ source, flags }: RegExp): RegExp[] {
  const repeats = [...source.matchAll(/(?<=[\])a-z.])\{(\d+),(\d+)\}/g)];
  return [
    ...(source.startsWith("^") ? [source.slice(1)] : []),
    ...(source.endsWith("$") ? [source.slice(0, -1)] : []),
    ...repeats.map(
      ({ 0: text, 1: from = "", 2: to = "", index }) =>
        `${source.slice(0, index)}{${from},${Number(to) + 1}}${source.slice(index + text.length)}`,
    ),
  ].map((looser) => new RegExp(looser, flags));
}
