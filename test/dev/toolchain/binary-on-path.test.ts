import assert from "node:assert/strict";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Part } from "../../../dev/toolchain/binaries.ts";
import { partOnPath } from "../../../dev/toolchain/binary-on-path.ts";
import { ToolchainCache } from "../../../dev/toolchain/toolchain-cache.ts";
import { helloBuild, script, tinyToolchain, type TinyToolchain } from "./tiny-toolchain.ts";

describe("partOnPath", () => {
  let tiny: TinyToolchain;
  let cache: ToolchainCache;
  const part: Part = {
    name: "hello",
    version: "3.259.0",
    onPath: { versions: ">=3.215.0 <4", arguments: ["version"] },
    builds: [helloBuild],
    buildSeconds: 1,
  };
  beforeEach(async () => {
    tiny = await tinyToolchain();
    cache = new ToolchainCache(tiny.env);
  });
  afterEach(async () => {
    await rm(tiny.folder, { recursive: true, force: true });
  });

  it("takes a fitting version and asks each file only once", async () => {
    const path = await script(tiny.path, "hello", `echo v3.220.1; echo x >> ${tiny.folder}/asked`);
    for (let time = 0; time < 3; time++) {
      const found = await partOnPath(part, cache, tiny.env);
      assert.deepEqual(found, { version: "3.220.1", files: { hello: path } });
    }
    assert.equal(await readFile(join(tiny.folder, "asked"), "utf8"), "x\n");
    await script(tiny.path, "hello", "echo v3.100.0 is older");
    assert.equal(await partOnPath(part, cache, tiny.env), undefined);
  });

  for (const [version, why] of [
    ["v3.214.9", "too old"],
    ["4.0.0", "too new"],
    ["no number here", "it names no version"],
  ]) {
    it(`does not take ${version ?? ""}: ${why ?? ""}`, async () => {
      await script(tiny.path, "hello", `echo '${version ?? ""}'`);
      assert.equal(await partOnPath(part, cache, tiny.env), undefined);
    });
  }

  it("does not take a part that it finds in its own cache", async () => {
    const folder = cache.entry("bin", "x");
    const env = { ...tiny.env, PATH: folder };
    await mkdir(folder, { recursive: true });
    await script(folder, "hello", "echo v3.220.1");
    assert.equal(await partOnPath(part, cache, env), undefined);
  });

  it("takes a part of two binaries only when both lie together", async () => {
    const both: Part = { ...part, builds: [helloBuild, { ...helloBuild, binary: "hello-host" }] };
    await script(tiny.path, "hello", "echo v3.220.1");
    assert.equal(await partOnPath(both, cache, tiny.env), undefined);
    const beside = await script(tiny.path, "hello-host", "");
    const found = await partOnPath(both, cache, tiny.env);
    assert.equal(found?.files["hello-host"], beside);
  });
});
