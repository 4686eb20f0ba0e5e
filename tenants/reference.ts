import { z } from "zod";

import { isMapping, type Mapping } from "./effective-settings.ts";
import { DEFAULTS, TIERS } from "./presets.ts";
import { fieldNotes, tenantSchema, TIER_NAMES } from "./schema.ts";

/** The settings that a file need not say, because something else does. */
const GIVEN: readonly Mapping[] = [
  DEFAULTS,
  { displayName: "owner.team" },
  ...TIER_NAMES.map((tier) => TIERS[tier].settings),
];

/** JSON Schema (draft 2020-12) of a tenant file, for editors and for other tools. */
export function tenantJsonSchema(): Mapping {
  const schema = z.toJSONSchema(tenantSchema, {
    target: "draft-2020-12",
    io: "input",
    // Any value: what is not, no JSON can hold.
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema, path }) => {
      // Two of the library's own formats, which say no more than the patterns beside them.
      if (jsonSchema.format?.startsWith("cidr")) delete jsonSchema.format;
      const note = fieldNotes.get(zodSchema);
      if (note === undefined) return;
      const { meaning, unit, example, withoutEffect } = note;
      const keys = keysOf(path);
      const constant = valueAt(DEFAULTS, keys);
      const section = jsonSchema.type === "object" && jsonSchema.properties !== undefined;
      jsonSchema.description = [
        meaning,
        unit === undefined ? "" : `Unit: ${unit}.`,
        section && note.defaultNote === undefined
          ? ""
          : `Default: ${defaultOf(keys, note.defaultNote)}.`,
        withoutEffect ? "Nothing acts on it yet." : "",
      ]
        .filter((sentence) => sentence !== "")
        .join(" ");
      jsonSchema.examples = [example];
      if (constant !== undefined && !isMapping(constant)) jsonSchema.default = constant;
    },
  });
  return relaxed(schema, GIVEN);
}

/** Without the demands that presets meet; sections may be left empty. */
function relaxed(schema: Mapping, given: readonly Mapping[]): Mapping {
  const { properties, required, ...rest } = schema;
  if (!isMapping(properties)) return schema;
  const demanded = (Array.isArray(required) ? required : []).filter(
    (key) => !given.some((settings) => settings[String(key)] !== undefined),
  );
  const children = Object.entries(properties).map(([key, child]) => {
    if (!isMapping(child)) return [key, child];
    const below = given.map((settings) => settings[key]).filter(isMapping);
    const inner = relaxed(child, below);
    const empty = inner["type"] === "object" && !demanded.includes(key);
    return [key, empty ? { ...inner, type: ["object", "null"] } : inner];
  });
  return {
    ...rest,
    ...(demanded.length === 0 ? {} : { required: demanded }),
    properties: Object.fromEntries(children),
  };
}

/** Keys of the fields on the way to a part of a JSON Schema. */
function keysOf(path: readonly (string | number)[]): string[] {
  return path.flatMap((part, index) => (path[index - 1] === "properties" ? [String(part)] : []));
}

function valueAt(settings: Mapping, keys: readonly string[]): unknown {
  let value: unknown = settings;
  for (const key of keys) value = isMapping(value) ? value[key] : undefined;
  return value;
}

/** What holds where a file says nothing: in words, by tier, or for all. */
function defaultOf(keys: readonly string[], inWords: string | undefined): string {
  if (inWords !== undefined) return inWords;
  const byTier = TIER_NAMES.map((tier) => [tier, valueAt(TIERS[tier].settings, keys)] as const);
  if (byTier.some(([, value]) => value !== undefined)) {
    return byTier.map(([tier, value]) => `${show(value)} (${tier})`).join(", ");
  }
  const constant = valueAt(DEFAULTS, keys);
  return constant === undefined ? "none, it has to be said" : show(constant);
}

function show(value: unknown): string {
  if (Array.isArray(value) && value.length === 0) return "none";
  if (isMapping(value) && Object.keys(value).length === 0) return "none";
  return typeof value === "string" || typeof value === "number"
    ? `${value}`
    : JSON.stringify(value);
}

/** The reference page of the tenant file, in Markdown. */
export function tenantReference(): string {
  return [
    "# The tenant file",
    "",
    "<!-- Made of tenants/schema.ts and tenants/presets.ts by `npm run generate`. -->",
    "",
    "One file `tenants/<name>.yaml` is one team. This much is needed:",
    "",
    "```yaml",
    ...SHORTEST,
    "```",
    "",
    "Everything else has a default: that of the tier, or that of the platform. An empty section",
    "(`quota:`) is as good as none. `tenantry check` reports every fault of every file with its line,",
    "and `tenantry tenants show <name>` every effective value and where it comes from.",
    "Editors with the YAML language server complete and check while you type, by the first line of the",
    "file: `# yaml-language-server: $schema=tenant.schema.json`.",
    "",
    "## Tiers",
    "",
    ...tierTable(),
    "",
    "The control plane of a virtual cluster comes on top of the quota.",
    "",
    "## Fields",
    "",
    "Fields marked ◌ are checked and kept, and nothing acts on them yet.",
    "",
    ...fieldLines([], tenantJsonSchema()),
    "",
  ].join("\n");
}

const SHORTEST = [
  "name: globex",
  "owner:",
  "  team: Globex Logistics",
  "  email: logistics@example.com",
  "costCentre: CC-2040",
  "tier: small",
  'kubernetes: "1.36"',
];

function tierTable(): string[] {
  const tiers = TIER_NAMES.map((tier) => TIERS[tier]);
  const paths = leafPaths(TIERS.small.settings);
  const rows = [
    ...paths.map((keys) => [
      `\`${keys.join(".")}\``,
      ...tiers.map(({ settings }) => show(valueAt(settings, keys))),
    ]),
    ["objects are kept in", ...tiers.map(({ controlPlane }) => controlPlane.store)],
    [
      "replicas of the control plane",
      ...tiers.map(({ controlPlane }) => `${controlPlane.vcluster.pods}`),
    ],
  ];
  return table(["", ...TIER_NAMES], rows);
}

function leafPaths(settings: Mapping, above: readonly string[] = []): string[][] {
  return Object.entries(settings).flatMap(([key, value]) =>
    isMapping(value) ? leafPaths(value, [...above, key]) : [[...above, key]],
  );
}

function fieldLines(above: readonly string[], schema: Mapping): string[] {
  const { properties } = schema;
  if (!isMapping(properties)) return [];
  return Object.entries(properties).flatMap(([key, child]) => {
    if (!isMapping(child)) return [];
    const keys = [...above, key];
    const lines = [
      `#### \`${keys.join(".")}\`${String(child["description"]).includes("Nothing acts on it yet.") ? " ◌" : ""}`,
      "",
      String(child["description"]).replace(" Nothing acts on it yet.", ""),
      "",
      ...(child["properties"] === undefined
        ? [`${allowed(child)}. For example \`${JSON.stringify(firstOf(child["examples"]))}\`.`, ""]
        : []),
    ];
    return [...lines, ...fieldLines(keys, child)];
  });
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

/** What a field may hold, out of its JSON Schema. */
function allowed(schema: Mapping): string {
  const { type, enum: words, anyOf, items, minimum, maximum } = schema;
  if (Array.isArray(words))
    return `One of ${words.map((word) => `\`${String(word)}\``).join(", ")}`;
  if (anyOf !== undefined) return "Text or a number";
  if (type === "integer") return `A whole number from ${String(minimum)} to ${String(maximum)}`;
  if (type === "array") {
    return isMapping(items) && items["type"] === "object" ? "A list of mappings" : "A list";
  }
  return type === "object" ? "A mapping" : "Text";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
