import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";

import type { Download } from "./binaries.ts";
import { ToolchainError } from "./toolchain-error.ts";

const silentAfter = 20_000;
const probeWithin = 1_500;

/** The release file cannot be had here: nobody answers, or it is not there. Another way may do. */
export class DownloadUnavailable extends Error {
  override readonly name = "DownloadUnavailable";
}

/** The address to ask for an official one: with $TENANTRY_DOWNLOAD_MIRROR, `<mirror>/<host>/<path>`. */
export function downloadAddress(url: string, env: NodeJS.ProcessEnv = process.env): string {
  const mirror = env.TENANTRY_DOWNLOAD_MIRROR;
  if (!mirror) return url;
  if (!/^https?:/.test(mirror) || !URL.canParse(mirror)) {
    const what = `TENANTRY_DOWNLOAD_MIRROR is not an http(s) URL: ${mirror}`;
    throw new ToolchainError(what, undefined, "set it to the mirror's base URL, or unset it");
  }
  const { host, pathname } = new URL(url);
  return `${mirror.replace(/\/+$/, "")}/${host}${pathname}`;
}

/** Which of these addresses' hosts answer at all; takes at most 1.5 s. With $TENANTRY_DOWNLOADS=off, none. */
export async function reachableHosts(
  addresses: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Set<string>> {
  if (env.TENANTRY_DOWNLOADS === "off") return new Set();
  const origins = [...new Set(addresses.map((address) => new URL(address).origin))];
  const signal = AbortSignal.timeout(probeWithin);
  const answers = await Promise.allSettled(
    origins.map((origin) => fetch(origin, { method: "HEAD", redirect: "manual", signal })),
  );
  return new Set(origins.filter((_, index) => answers[index]?.status === "fulfilled"));
}

/**
 * Fetches a release file, verifies its SHA-256 and puts its binaries into `content`. Throws
 * DownloadUnavailable when it cannot be had, ToolchainError when the sum differs.
 */
export async function download(
  release: Download,
  binary: string,
  content: string,
  scratch: string,
  options: {
    env?: NodeJS.ProcessEnv;
    signal?: AbortSignal | undefined;
    onBytes?: (received: number, total: number | undefined) => void;
  } = {},
): Promise<void> {
  const address = downloadAddress(release.url, options.env);
  const expected = await expectedSum(release, options);
  const file = join(scratch, "download");
  const actual = await withRetries(options.signal, () =>
    fetchBody(address, options.signal, async (body, total) => {
      const hash = createHash("sha256");
      let received = 0;
      async function* measured() {
        for await (const chunk of body) {
          hash.update(chunk);
          options.onBytes?.((received += chunk.length), total);
          yield chunk;
        }
      }
      await pipeline(measured, createWriteStream(file));
      return hash.digest("hex");
    }),
  );
  if (actual !== expected) {
    throw new ToolchainError(
      `The SHA-256 of a release file is not the published one: expected ${expected}, got ${actual}.`,
      address,
      "run again; if it stays, something between here and that host alters files: ask who runs it, " +
        "or set TENANTRY_DOWNLOADS=off to build everything from source",
    );
  }
  if (release.members === undefined) {
    await rename(file, join(content, binary));
  } else {
    const tar = await import("tar");
    const unpacked = join(scratch, "unpacked");
    await mkdir(unpacked);
    await tar.extract({ file, cwd: unpacked });
    for (const [name, member] of Object.entries(release.members)) {
      await rename(join(unpacked, member), join(content, name)).catch(() => {
        throw new DownloadUnavailable(`${address} holds no ${member}`);
      });
    }
  }
  for (const name of Object.keys(release.members ?? { [binary]: "" })) {
    await chmod(join(content, name), 0o755);
  }
}

async function expectedSum(
  release: Download,
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal | undefined },
): Promise<string> {
  if (typeof release.sha256 === "string") return release.sha256;
  const address = downloadAddress(release.sha256.url, options.env);
  const text = await withRetries(options.signal, () =>
    fetchBody(address, options.signal, async (body) => {
      let content = "";
      for await (const chunk of body) content += Buffer.from(chunk).toString("latin1");
      return content;
    }),
  );
  // Either the bare sum, or one line `<sum> [*]<file>` for each file.
  const name = basename(release.url);
  for (const line of text.split("\n")) {
    const [sum = "", file = name] = line.trim().split(/\s+/);
    if (/^[0-9a-f]{64}$/i.test(sum) && basename(file.replace(/^\*/, "")) === name) {
      return sum.toLowerCase();
    }
  }
  throw new DownloadUnavailable(`${address} holds no SHA-256 of ${name}`);
}

async function withRetries<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const { default: pRetry } = await import("p-retry");
  try {
    return await pRetry(work, {
      retries: 2,
      minTimeout: 500,
      shouldRetry: ({ error }) => !(error instanceof DownloadUnavailable),
      ...(signal && { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DownloadUnavailable || !(error instanceof Error)) throw error;
    const cause = error.cause instanceof Error ? error.cause : error;
    throw new DownloadUnavailable(cause.message, { cause: error });
  }
}

/** Gives `read` the body of a 2xx answer; a host that is silent for 20 s is given up. */
async function fetchBody<T>(
  address: string,
  signal: AbortSignal | undefined,
  read: (body: AsyncIterable<Uint8Array>, total: number | undefined) => Promise<T>,
): Promise<T> {
  const silent = new AbortController();
  const timer = setTimeout(() => {
    silent.abort(new Error(`${address} stopped answering`));
  }, silentAfter);
  try {
    const all = signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]);
    const response = await fetch(address, { signal: all });
    if (response.status >= 500) throw new Error(`${address} answered ${response.status}`);
    const body = response.body;
    if (!response.ok || body === null) {
      throw new DownloadUnavailable(`${address} answered ${response.status}`);
    }
    async function* watched(chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        timer.refresh();
        yield chunk;
      }
    }
    const length = Number(response.headers.get("content-length"));
    const total = length > 0 && !response.headers.has("content-encoding") ? length : undefined;
    return await read(watched(body), total);
  } finally {
    clearTimeout(timer);
  }
}
