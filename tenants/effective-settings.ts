import { DEFAULTS, TIERS } from "./presets.ts";
import { TIER_NAMES } from "./schema.ts";

/** A mapping as YAML gives it. */
export type Mapping = Readonly<Record<string, unknown>>;

/** Where a value was set: "file", "tier small", "platform default". */
export type Origin = string;

/** One value of a tenant's effective settings. */
export interface EffectiveSetting {
  /** Keys from the root to the value. */
  readonly path: readonly string[];
  /** As it was written: "8Gi", not a number of bytes. */
  readonly value: unknown;
  readonly origin: Origin;
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Layer {
  readonly origin: Origin;
  readonly settings: Mapping;
}

/**
 * The layers of a tenant's settings, the weakest first: what the platform defaults to, what the
 * tier says, what the file says. A file without a valid tier is completed by the smallest, so that
 * its only fault is the tier.
 */
function layersOf(file: Mapping): readonly Layer[] {
  const tier = TIER_NAMES.find((name) => name === file["tier"]);
  const owner = file["owner"];
  return [
    {
      origin: "platform default",
      settings:
        isMapping(owner) && owner["team"] !== undefined
          ? { ...DEFAULTS, displayName: owner["team"] }
          : DEFAULTS,
    },
    { origin: `tier ${tier ?? "small"}`, settings: TIERS[tier ?? "small"].settings },
    { origin: "file", settings: file },
  ];
}

/** The settings that a file means, as a file that says everything would. */
export function completeSettings(file: Mapping): Mapping {
  return layersOf(file).reduce<Mapping>((below, { settings }) => merge(below, settings), {});
}

/** Every value of the effective settings, in alphabetical order, and who set it. */
export function effectiveSettings(file: Mapping): EffectiveSetting[] {
  const layers = layersOf(file).toReversed();
  return leaves(completeSettings(file))
    .map(({ path, value }) => ({
      path,
      value,
      origin: layers.find(({ settings }) => has(settings, path))?.origin ?? "platform default",
    }))
    .sort((a, b) => a.path.join(".").localeCompare(b.path.join(".")));
}

/** Mappings are merged, everything else replaces what is below. An empty value (`quota:`) sets nothing. */
function merge(below: Mapping, above: Mapping): Mapping {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === null || value === undefined) continue;
    const lower = below[key];
    merged[key] =
      isMapping(value) && key !== "values" && isMapping(lower) ? merge(lower, value) : value;
  }
  return merged;
}

function leaves(
  settings: Mapping,
  path: readonly string[] = [],
): Omit<EffectiveSetting, "origin">[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    const here = [...path, key];
    return isMapping(value) && Object.keys(value).length > 0 && key !== "values"
      ? leaves(value, here)
      : [{ path: here, value }];
  });
}

function has(settings: Mapping, path: readonly string[]): boolean {
  let value: unknown = settings;
  for (const key of path) value = isMapping(value) ? value[key] : undefined;
  return value !== undefined && value !== null;
}
