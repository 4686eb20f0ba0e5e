/** Multiplier of each suffix of a Kubernetes quantity, as numerator and denominator. */
const SUFFIXES: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ["n", [1n, 10n ** 9n]],
  ["u", [1n, 10n ** 6n]],
  ["m", [1n, 10n ** 3n]],
  ["", [1n, 1n]],
  ["k", [10n ** 3n, 1n]],
  ["M", [10n ** 6n, 1n]],
  ["G", [10n ** 9n, 1n]],
  ["T", [10n ** 12n, 1n]],
  ["P", [10n ** 15n, 1n]],
  ["E", [10n ** 18n, 1n]],
  ["Ki", [2n ** 10n, 1n]],
  ["Mi", [2n ** 20n, 1n]],
  ["Gi", [2n ** 30n, 1n]],
  ["Ti", [2n ** 40n, 1n]],
  ["Pi", [2n ** 50n, 1n]],
  ["Ei", [2n ** 60n, 1n]],
]);

const QUANTITY =
  /^(?<whole>\d*)(?:\.(?<fraction>\d*))?(?:[eE](?<exponent>[+-]?\d{1,2})|(?<suffix>[KMGTPE]i|[numkMGTPE]?))$/;

/**
 * Thousandths of a core in a Kubernetes CPU quantity ("2", "0.5", "250m"), rounded up as Kubernetes
 * does. Undefined if it is no quantity, negative, or too large to count exactly.
 */
export function parseMillicores(text: string): number | undefined {
  return parse(text, 1000n);
}

/** Bytes in a Kubernetes memory or storage quantity ("8Gi", "500M", "1e9"), likewise. */
export function parseBytes(text: string): number | undefined {
  return parse(text, 1n);
}

/** The quantity of bytes that was probably meant by text that is none: "8 GB", "8gi", "8,5Gi". */
export function nearestBytes(text: string): string | undefined {
  const {
    amount = "",
    letter = "",
    binary,
  } = /^(?<amount>\d+(?:[.,]\d+)?)(?:(?<letter>[kmgtpe])(?<binary>i?)(?:b|igs?)?)?$/i.exec(
    text.replace(/\s/g, ""),
  )?.groups ?? {};
  const unit = binary ? `${letter.toUpperCase()}i` : letter.toUpperCase().replace("K", "k");
  const meant = `${amount.replace(",", ".")}${unit}`;
  return parseBytes(meant) === undefined ? undefined : meant;
}

/** The quantity in the form to which the API server itself brings it. */
export function formatMillicores(millicores: number): string {
  return millicores % 1000 === 0 ? `${millicores / 1000}` : `${millicores}m`;
}

/** The quantity in the form to which the API server itself brings binary quantities. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
  while (value > 0 && value % 1024 === 0 && power < units.length - 1) {
    value /= 1024;
    power++;
  }
  return `${value}${units[power] ?? ""}`;
}

// Exact: decimal fractions such as 0.1 have no exact binary form, hence no floating point here.
function parse(text: string, unitsInOne: bigint): number | undefined {
  const { whole = "", fraction = "", exponent, suffix } = QUANTITY.exec(text)?.groups ?? {};
  if (whole === "" && fraction === "") return undefined;
  const [multiplier, divisor] =
    exponent === undefined ? (SUFFIXES.get(suffix ?? "") ?? [1n, 1n]) : powerOfTen(exponent);
  const numerator = BigInt(whole + fraction) * multiplier * unitsInOne;
  const denominator = 10n ** BigInt(fraction.length) * divisor;
  const value = Number((numerator + denominator - 1n) / denominator);
  return Number.isSafeInteger(value) ? value : undefined;
}

function powerOfTen(exponent: string): readonly [bigint, bigint] {
  const power = BigInt(exponent.replace("+", ""));
  return power < 0n ? [1n, 10n ** -power] : [10n ** power, 1n];
}
