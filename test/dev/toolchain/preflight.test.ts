import assert from "node:assert/strict";
import { rm } from "node:fs/promises";

import { ensureDefinition } from "../../../dev/toolchain/ensure-toolchain.ts";
import { preflight } from "../../../dev/toolchain/preflight.ts";
import {
  helloBuild,
  leftovers,
  script,
  tinyToolchain,
  type TinyToolchain,
} from "./tiny-toolchain.ts";

describe("preflight", () => {
  let tiny: TinyToolchain;
  beforeEach(async () => {
    tiny = await tinyToolchain({ builds: [{ ...helloBuild, cgo: true }] });
  });
  afterEach(async () => {
    await rm(tiny.folder, { recursive: true, force: true });
  });
  const request = () => ({
    builds: [{ ...helloBuild, cgo: true } as const],
    groups: ["hello"],
    modules: tiny.definition.modules,
    cache: tiny.cache,
    share: 0,
    architecture: "amd64" as const,
    env: { ...tiny.env, PATH: tiny.path, CC: "gcc" },
  });

  it("reports everything that is missing at once, each with what to do, and builds nothing", async () => {
    const env = { ...tiny.env, PATH: tiny.path, CC: "gcc" };
    await assert.rejects(ensureDefinition(tiny.definition, { env }), (error: Error) => {
      assert.match(error.message, /- git is missing: install/);
      assert.match(error.message, /- unshare is missing: install util-linux/);
      assert.match(error.message, /- Go is missing: install Go 1\.21\.0 or newer/);
      assert.match(error.message, /- gcc is missing .*: install gcc/);
      return true;
    });
    assert.deepEqual(await leftovers(tiny.cache), []);
  });

  it("tells what is there but does not do", async () => {
    await script(tiny.path, "git", "");
    await script(tiny.path, "unshare", "echo 'Operation not permitted'; exit 1");
    await script(tiny.path, "go", "echo go1.20.5");
    await script(tiny.path, "gcc", "echo 'cannot find -lc'; exit 1");
    const faults = await preflight(request());
    assert.deepEqual(
      faults.map((fault) => fault.split(/:| \(/)[0]),
      ["namespaces are not allowed here", "Go is too old", "gcc cannot link statically"],
    );
  });

  it("asks for disk space in proportion to what is missing", async () => {
    for (const name of ["git", "unshare", "gcc"]) await script(tiny.path, name, "");
    await script(
      tiny.path,
      "go",
      'case "$2" in GOVERSION) echo go1.99.0;; *) echo /tmp; echo /tmp;; esac',
    );
    assert.deepEqual(await preflight({ ...request(), share: 1e-9 }), []);
    const [fault] = await preflight({ ...request(), share: 1e9 });
    assert.match(
      fault ?? "",
      /^too little disk space at .* GB free, up to .* GB needed: free some/,
    );
  });
});
