import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { z } from "zod";

import { isMapping, type Mapping } from "../tenants/effective-settings.ts";

/** Where the vCluster chart comes from. */
interface ChartSource {
  /** Base URL of the Helm repository. */
  readonly repository: string;
  /** Exact version of the chart. */
  readonly version: string;
}

/** Thrown when the chart cannot be had; the message says what was wanted, and what to do. */
export class ChartUnavailableError extends Error {
  constructor({ repository, version }: ChartSource, reason: string) {
    super(
      `the chart vcluster ${version} is not to be had from ${repository}: ${reason}. Its values.schema.json is what every tenant's values are checked by, and is then kept for the next time. Where ${repository} cannot be reached, set tenantry:charts.vcluster.repository to a mirror that serves the chart`,
    );
    this.name = "ChartUnavailableError";
  }
}

const SCHEMA = "vcluster/values.schema.json";
/** Milliseconds that one download may take. */
const TIMEOUT = 60_000;

const helmIndex = z.object({
  entries: z.object({
    vcluster: z.array(
      z.object({
        version: z.string(),
        urls: z.array(z.string()).min(1),
        digest: z.string().optional(),
      }),
    ),
  }),
});

/**
 * The values.schema.json of the vCluster chart in exactly this version, parsed. Downloaded once for
 * each repository and version, then read from `$TENANTRY_CACHE` (else `$XDG_CACHE_HOME/tenantry`,
 * else `~/.cache/tenantry`). Throws a ChartUnavailableError.
 */
export async function chartValuesSchema(
  chart: ChartSource,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Mapping> {
  const file = cachedSchemaFile(chart, env);
  const cached = await readFile(file, "utf8").then(parseSchema, () => undefined);
  if (cached !== undefined) return cached;
  const text = await schemaFile(chart, await chartPackage(chart));
  const schema = parseSchema(text);
  if (schema === undefined) {
    throw new ChartUnavailableError(chart, `its package holds no valid ${SCHEMA}`);
  }
  await writeWhole(file, text);
  return schema;
}

/** The values.schema.json in a package of the chart. Throws a ChartUnavailableError. */
export async function packagedValuesSchema(chart: ChartSource, file: string): Promise<Mapping> {
  const schema = parseSchema(await schemaFile(chart, await readFile(file)));
  if (schema !== undefined) return schema;
  throw new ChartUnavailableError(chart, `${file} holds no valid ${SCHEMA}`);
}

/** Where the schema of a chart is kept, whether it is there or not. */
export function cachedSchemaFile(
  { repository, version }: ChartSource,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const folder =
    env["TENANTRY_CACHE"] ||
    join(env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"), "tenantry");
  const from = createHash("sha256").update(repository).digest("hex").slice(0, 12);
  return join(folder, "charts", `vcluster-${version}-${from}.values.schema.json`);
}

function parseSchema(text: string): Mapping | undefined {
  try {
    const schema: unknown = JSON.parse(text);
    return isMapping(schema) && isMapping(schema["properties"]) ? schema : undefined;
  } catch {
    return undefined;
  }
}

/** The chart's package, as the repository's index says. */
async function chartPackage(chart: ChartSource): Promise<Buffer> {
  const base = `${chart.repository}/`;
  const index = new URL("index.yaml", base);
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse((await download(chart, index)).toString("utf8"));
  } catch (error) {
    if (error instanceof ChartUnavailableError) throw error;
    throw new ChartUnavailableError(chart, `${index.href} is no YAML`);
  }
  const { data } = helmIndex.safeParse(content);
  if (data === undefined) {
    throw new ChartUnavailableError(chart, `${index.href} is no Helm index with a chart vcluster`);
  }
  const versions = data.entries.vcluster;
  const entry = versions.find(({ version }) => version === chart.version);
  const [url] = entry?.urls ?? [];
  if (entry === undefined || url === undefined) {
    const newest = versions.slice(0, 10).map(({ version }) => version);
    throw new ChartUnavailableError(
      chart,
      `${index.href} does not name this version, but ${newest.join(", ")}${versions.length > newest.length ? ", …" : ""}`,
    );
  }
  const location = new URL(url, base);
  const archive = await download(chart, location);
  const digest = createHash("sha256").update(archive).digest("hex");
  if (entry.digest !== undefined && entry.digest.replace(/^sha256:/, "") !== digest) {
    throw new ChartUnavailableError(
      chart,
      `${location.href} has the SHA-256 digest ${digest}, and the index says ${entry.digest}`,
    );
  }
  return archive;
}

async function download(chart: ChartSource, url: URL): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    throw new ChartUnavailableError(chart, `${url.href}: ${reasonOf(error)}`);
  }
}

/** What fetch hides behind "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

/** The schema in a chart's package, unparsed. */
async function schemaFile(chart: ChartSource, archive: Buffer): Promise<string> {
  const { Parser } = await import("tar");
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const parser = new Parser({
      strict: true,
      onReadEntry: (entry) => {
        if (entry.path === SCHEMA) entry.on("data", (chunk: Buffer) => chunks.push(chunk));
        else entry.resume();
      },
    });
    parser.on("end", () => {
      resolve(Buffer.concat(chunks).toString("utf8"));
    });
    parser.on("error", (error: unknown) => {
      reject(new ChartUnavailableError(chart, `its package is no .tgz: ${reasonOf(error)}`));
    });
    parser.end(archive);
  });
}

/** Other runs see the whole file or none. */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch {
    // A cache that cannot be written to only costs the next download.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
