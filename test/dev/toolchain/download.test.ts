import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";

import { create } from "tar";

import type { Download } from "../../../dev/toolchain/binaries.ts";
import { ensureDefinition } from "../../../dev/toolchain/ensure-toolchain.ts";
import type { ToolchainEvent } from "../../../dev/toolchain/toolchain-event.ts";
import { leftovers, script, tinyToolchain, type TinyToolchain } from "./tiny-toolchain.ts";

const sum = (content: Buffer) => createHash("sha256").update(content).digest("hex");

describe("downloads", function () {
  this.timeout(90_000);
  let server: Server;
  let mirror: string;
  let tiny: TinyToolchain;
  /** What the mirror answers: path → a body, or the statuses of the next answers. */
  const files = new Map<string, Buffer | string | number[]>();
  const url = "https://releases.example.test/v1/hello";
  const path = "/releases.example.test/v1/hello";

  before(async () => {
    server = createServer((request, response) => {
      const file = files.get(request.url ?? "");
      if (Array.isArray(file)) {
        const status = file.shift() ?? 200;
        response.writeHead(status).end("#!/bin/sh\n");
      } else {
        response.writeHead(file === undefined ? 404 : 200).end(file ?? "");
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    mirror = `http://127.0.0.1:${address.port}/`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  afterEach(async () => {
    files.clear();
    await rm(tiny.folder, { recursive: true, force: true });
  });

  async function ensure(release: Download, env: NodeJS.ProcessEnv = {}) {
    tiny = await tinyToolchain({ download: () => release });
    const events: ToolchainEvent[] = [];
    const settings = { TENANTRY_DOWNLOADS: "", TENANTRY_DOWNLOAD_MIRROR: mirror, ...env };
    const run = ensureDefinition(tiny.definition, {
      env: { ...tiny.env, ...settings },
      onEvent: (event) => events.push(event),
    });
    return { hello: (await run).binaries["hello"], events };
  }

  it("takes a plain file with a bare published sum", async () => {
    const content = Buffer.from("#!/bin/sh\necho hello\n");
    files.set(path, content).set(`${path}.sha256`, `${sum(content)}\n`);
    const { hello } = await ensure({ url, sha256: { url: `${url}.sha256` } });
    assert.equal(hello?.origin, "download");
    assert.deepEqual(await readFile(hello.path), content);
    assert.deepEqual(await leftovers(tiny.cache), []);
  });

  it("takes a binary out of a .tar.gz whose sum a list names", async () => {
    const packed = await tinyToolchain();
    await mkdir(join(packed.path, "bin"));
    await script(join(packed.path, "bin"), "hello", "echo hello");
    const archive = join(packed.folder, "hello.tar.gz");
    await create({ file: archive, cwd: packed.path, gzip: true }, ["./bin"]);
    const content = await readFile(archive);
    await rm(packed.folder, { recursive: true });
    const list = `${"0".repeat(64)}  other.tar.gz\n${sum(content)} *hello.tar.gz\n`;
    files.set(`${path}.tar.gz`, content).set("/releases.example.test/v1/SUMS", list);
    const { hello } = await ensure({
      url: `${url}.tar.gz`,
      sha256: { url: new URL("SUMS", url).href },
      members: { hello: "bin/hello" },
    });
    assert.equal(hello?.origin, "download");
  });

  it("refuses a file whose sum differs, names both sums and does not build instead", async () => {
    files.set(path, "tampered");
    const expected = sum(Buffer.from("genuine"));
    const actual = sum(Buffer.from("tampered"));
    await assert.rejects(ensure({ url, sha256: expected }), (error: Error) => {
      assert.ok(error.message.includes(`expected ${expected}, got ${actual}`));
      return true;
    });
    assert.deepEqual(await leftovers(tiny.cache), []);
  });

  it("builds when the file, or its sum, is not there", async () => {
    const { hello, events } = await ensure({ url, sha256: "0".repeat(64) });
    assert.equal(hello?.origin, "build");
    const progress = events.find((event) => event.type === "progress");
    assert.match(progress?.message ?? "", /cannot be downloaded \(.* answered 404\), building it/);
    files.set(path, "content").set(`${path}.sha256`, "<html>welcome</html>");
    await rm(tiny.folder, { recursive: true });
    const second = await ensure({ url, sha256: { url: `${url}.sha256` } });
    assert.equal(second.hello?.origin, "build");
  });

  it("asks again after a server error", async () => {
    const statuses = [503, 200];
    files.set(path, statuses);
    const { hello } = await ensure({ url, sha256: sum(Buffer.from("#!/bin/sh\n")) });
    assert.equal(hello?.origin, "download");
    assert.deepEqual(statuses, []);
  });

  it("plans a build at once where no host answers, or downloads are off", async () => {
    const release: Download = { url, sha256: "0".repeat(64) };
    for (const env of [
      { TENANTRY_DOWNLOAD_MIRROR: "http://127.0.0.1:1" },
      { TENANTRY_DOWNLOADS: "off" },
    ]) {
      const { events } = await ensure(release, env);
      const [plan] = events;
      assert.ok(plan?.type === "plan");
      assert.deepEqual(plan.missing.map(({ means }) => means), ["build"]); // prettier-ignore
      await rm(tiny.folder, { recursive: true });
    }
  });
});
