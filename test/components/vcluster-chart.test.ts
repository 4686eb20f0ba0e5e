import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { create } from "tar";
import { stringify } from "yaml";
import { z } from "zod";

import { ChartUnavailableError, chartValuesSchema } from "../../components/vcluster-chart.ts";
import { chartFolder } from "./fixtures.ts";

describe("chartValuesSchema", function () {
  this.timeout(120_000); // the first time, the chart is downloaded
  let folder: string;
  let server: Server;
  let archive: Buffer;
  let expected: unknown;
  /** What the Helm repository serves, by path. */
  let files: Record<string, string | Buffer>;
  let requests: string[];

  before(async () => {
    const chart = chartFolder();
    const file = join(mkdtempSync(join(tmpdir(), "tenantry-test-")), "vcluster.tgz");
    await create({ cwd: chart, prefix: "vcluster", gzip: true, file }, readdirSync(chart));
    archive = readFileSync(file);
    rmSync(join(file, ".."), { recursive: true });
    expected = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
  });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tenantry-test-"));
    requests = [];
    server = createServer(({ url = "" }, response) => {
      requests.push(url);
      const body = files[url];
      response.statusCode = body === undefined ? 404 : 200;
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    files = { "/helm/charts/vcluster-0.36.1.tgz": archive };
    index({ urls: ["charts/vcluster-0.36.1.tgz"] });
  });

  afterEach(async () => {
    await close();
    rmSync(folder, { recursive: true });
  });

  /** Writes the repository's index. */
  function index(entry: object): void {
    files["/helm/index.yaml"] = stringify({
      apiVersion: "v1",
      entries: {
        other: [{ version: "0.36.1", urls: ["other.tgz"] }],
        vcluster: [
          { version: "0.37.0", urls: ["charts/vcluster-0.37.0.tgz"] },
          { version: "0.36.1", digest: digestOf(archive), ...entry },
        ],
      },
    });
  }
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  function repository(): string {
    const { port } = z.object({ port: z.number() }).parse(server.address());
    return `http://127.0.0.1:${port}/helm`;
  }
  const get = (version = "0.36.1") =>
    chartValuesSchema({ repository: repository(), version }, { TENANTRY_CACHE: folder });
  const digestOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  const refused = (text: string) => (error: unknown) => {
    ok(error instanceof ChartUnavailableError);
    ok(error.message.includes(text), error.message);
    ok(error.message.includes(repository()));
    ok(error.message.includes("tenantry:charts.vcluster.repository"));
    return true;
  };

  it("is the schema in the package that the index names, relative to the repository", async () => {
    deepEqual(await get(), expected);
    deepEqual(requests, ["/helm/index.yaml", "/helm/charts/vcluster-0.36.1.tgz"]);
  });

  it("follows an absolute URL", async () => {
    files["/elsewhere.tgz"] = archive;
    index({ urls: [new URL("/elsewhere.tgz", repository()).href] });
    deepEqual(await get(), expected);
  });

  it("needs no network the second time", async () => {
    const chart = { repository: repository(), version: "0.36.1" };
    await chartValuesSchema(chart, { TENANTRY_CACHE: folder });
    await close();
    deepEqual(await chartValuesSchema(chart, { TENANTRY_CACHE: folder }), expected);
  });

  it("keeps one file, in the user's cache", async () => {
    await chartValuesSchema(
      { repository: repository(), version: "0.36.1" },
      { HOME: folder, TENANTRY_CACHE: "" },
    );
    const charts = join(folder, ".cache", "tenantry", "charts");
    equal(readdirSync(charts).length, 1);
  });

  it("downloads again what is damaged in the cache", async () => {
    await get();
    const [file = ""] = readdirSync(join(folder, "charts"));
    writeFileSync(join(folder, "charts", file), '{"properties":');
    deepEqual(await get(), expected);
  });

  it("knows repositories apart", async () => {
    await get();
    const other = `${repository()}/other`;
    files["/helm/other/index.yaml"] = "entries: {}";
    await rejects(
      chartValuesSchema({ repository: other, version: "0.36.1" }, { TENANTRY_CACHE: folder }),
      refused("no Helm index with a chart vcluster"),
    );
  });

  it("works without a cache that it can write to", async () => {
    writeFileSync(join(folder, "charts"), "not a folder");
    deepEqual(await get(), expected);
  });

  it("refuses a package that is not what the index says, and keeps nothing", async () => {
    index({ urls: ["charts/vcluster-0.36.1.tgz"], digest: digestOf(Buffer.from("another")) });
    await rejects(get(), refused(digestOf(archive)));
    deepEqual(readdirSync(folder), []);
  });

  it("says which versions there are", async () => {
    await rejects(get("0.36.99"), refused("but 0.37.0, 0.36.1"));
  });

  it("says what the server answered", async () => {
    index({ urls: ["gone.tgz"] });
    await rejects(get(), refused("/helm/gone.tgz: answered 404"));
  });

  it("refuses what is no Helm repository, and what is no package", async () => {
    files["/helm/index.yaml"] = "<html>: {";
    await rejects(get(), refused("is no YAML"));
    const text = Buffer.from("no archive");
    files["/helm/charts/vcluster-0.36.1.tgz"] = text;
    index({ urls: ["charts/vcluster-0.36.1.tgz"], digest: digestOf(text) });
    await rejects(get(), refused("package"));
  });

  it("refuses half a package", async () => {
    const half = archive.subarray(0, archive.length / 2);
    files["/helm/charts/vcluster-0.36.1.tgz"] = half;
    index({ urls: ["charts/vcluster-0.36.1.tgz"], digest: digestOf(half) });
    await rejects(get(), refused("package"));
  });

  it("says, offline and with an empty cache, what was wanted from where", async () => {
    const url = repository();
    await close();
    await rejects(
      chartValuesSchema({ repository: url, version: "0.36.1" }, { TENANTRY_CACHE: folder }),
      (error: unknown) => {
        ok(error instanceof ChartUnavailableError);
        ok(error.message.startsWith(`the chart vcluster 0.36.1 is not to be had from ${url}: `));
        ok(error.message.includes("ECONNREFUSED"));
        return true;
      },
    );
  });
});
