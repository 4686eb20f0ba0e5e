const SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/**
 * Seconds in a duration of minutes, hours or days: "90m", "8h", "14d". Undefined if it is none,
 * or longer than can be counted exactly.
 */
export function parseDuration(text: string): number | undefined {
  const { count, unit } = /^(?<count>\d+)(?<unit>[mhd])$/.exec(text)?.groups ?? {};
  if (count === undefined || unit === undefined) return undefined;
  const seconds = Number(count) * (SECONDS[unit] ?? 0);
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}
