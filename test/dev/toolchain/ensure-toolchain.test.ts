import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { ensureDefinition, toolchainEnvironment } from "../../../dev/toolchain/ensure-toolchain.ts";
import { runProcess } from "../../../dev/toolchain/run-process.ts";
import type { ToolchainEvent } from "../../../dev/toolchain/toolchain-event.ts";
import { leftovers, script, tinyToolchain, type TinyToolchain } from "./tiny-toolchain.ts";

/** A `go` that notes its builds in the file `builds`, and does `before` before each. */
async function noteBuilds(tiny: TinyToolchain, before: string): Promise<void> {
  const { output } = await runProcess("sh", ["-c", "command -v go"]);
  const note = `if [ "$1" = build ]; then echo $$ >> ${tiny.folder}/builds; ${before}; fi`;
  await script(tiny.path, "go", `${note}\nexec ${output.trim()} "$@"`);
}

async function builds(tiny: TinyToolchain): Promise<number[]> {
  const text = await readFile(join(tiny.folder, "builds"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean).map(Number);
}

async function firstBuild(tiny: TinyToolchain): Promise<number> {
  for (;;) {
    const [pid] = await builds(tiny);
    if (pid !== undefined) return pid;
    await sleep(20);
  }
}

function inProcess(tiny: TinyToolchain) {
  const program = join(import.meta.dirname, "ensure-in-process.ts");
  const child = spawn(process.execPath, ["--import", "tsx", program, tiny.folder], {
    env: tiny.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { child, ended: once(child, "close").then(() => output) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("ensureDefinition", function () {
  // The first build on a machine compiles Go's runtime.
  this.timeout(90_000);
  let tiny: TinyToolchain;
  beforeEach(async () => {
    tiny = await tinyToolchain();
  });
  afterEach(async () => {
    await rm(tiny.folder, { recursive: true, force: true });
  });

  it("builds what is missing once, with its stamps, and finds it the next time", async () => {
    const events: ToolchainEvent[] = [];
    const onEvent = (event: ToolchainEvent) => events.push(event);
    const first = await ensureDefinition(tiny.definition, { env: tiny.env, onEvent });
    const built = ["plan", "start", "done", "ready"];
    assert.deepEqual(events.map(({ type }) => type), built); // prettier-ignore
    assert.equal(first.binaries["hello"]?.origin, "build");
    const env = toolchainEnvironment(first, tiny.env);
    const { output } = await runProcess("hello", [], { env });
    assert.equal(output, "hello 1.2.3\n");
    assert.deepEqual(await readdir(first.bin), ["hello"]);
    assert.deepEqual(await leftovers(tiny.cache), []);

    await noteBuilds(tiny, "true");
    const started = performance.now();
    const second = await ensureDefinition(tiny.definition, { env: tiny.env });
    assert.ok(performance.now() - started < 80);
    assert.deepEqual(second, first);
    assert.deepEqual(await builds(tiny), []);
  });

  it("builds again when a source changes, and remembers how long it took", async () => {
    await ensureDefinition(tiny.definition, { env: tiny.env });
    const source = join(tiny.definition.modules, "hello", "main.go");
    await writeFile(
      source,
      'package main\n\nvar version = ""\n\nfunc main() { println(version) }\n',
    );
    const events: ToolchainEvent[] = [];
    await ensureDefinition(tiny.definition, {
      env: tiny.env,
      onEvent: (event) => events.push(event),
    });
    const start = events.find((event) => event.type === "start");
    assert.ok(start?.lastSeconds !== undefined && start.lastSeconds > 0);
  });

  it("repairs an entry that has lost its file", async () => {
    const { binaries } = await ensureDefinition(tiny.definition, { env: tiny.env });
    const path = binaries["hello"]?.path ?? "";
    await rm(path);
    await mkdir(`${path}.rest`);
    const again = await ensureDefinition(tiny.definition, { env: tiny.env });
    assert.equal((await runProcess(again.binaries["hello"]?.path ?? "", [])).code, 0);
  });

  it("says what failed, where, and what to do, and leaves nothing", async () => {
    await writeFile(
      join(tiny.definition.modules, "hello", "main.go"),
      "package main\n\nnonsense\n",
    );
    await assert.rejects(ensureDefinition(tiny.definition, { env: tiny.env }), (error: Error) => {
      assert.match(error.message, /^go build failed \(exit 1\):\n.*main\.go:3:1: syntax error/s);
      assert.match(error.message, /^Where: cd .*hello && CGO_ENABLED=0 go build .*'-s -w -X main/m);
      assert.match(error.message, /^Log: .*logs\/hello\.log$/m);
      assert.match(error.message, /^Next: /m);
      return true;
    });
    assert.deepEqual(await leftovers(tiny.cache), []);
  });

  it("builds once when two processes want the same; the second waits and says so", async () => {
    await noteBuilds(tiny, "sleep 2");
    const runs = [inProcess(tiny), inProcess(tiny)];
    const outputs = await Promise.all(runs.map(({ ended }) => ended));
    assert.equal((await builds(tiny)).length, 1);
    const all = outputs.join("");
    assert.match(all, /"type":"waiting","name":"hello"/);
    assert.match(all, /"means":"elsewhere"/);
    for (const output of outputs) assert.match(output, /"origin":"build"/);
  });

  it("converges after a run that was killed", async () => {
    await noteBuilds(tiny, `[ $(wc -l < ${tiny.folder}/builds) = 1 ] && sleep 60`);
    const { child, ended } = inProcess(tiny);
    const pid = await firstBuild(tiny);
    child.kill("SIGKILL");
    await ended;
    assert.equal((await leftovers(tiny.cache)).length, 1);
    const { binaries } = await ensureDefinition(tiny.definition, { env: tiny.env });
    assert.equal((await runProcess(binaries["hello"]?.path ?? "", [])).code, 0);
    assert.deepEqual(await leftovers(tiny.cache), []);
    process.kill(-pid, "SIGKILL");
  });

  it("ends the build when it is aborted, and leaves nothing", async () => {
    await noteBuilds(tiny, "sleep 60");
    const abort = new AbortController();
    const run = ensureDefinition(tiny.definition, { env: tiny.env, signal: abort.signal });
    const pid = await firstBuild(tiny);
    abort.abort(new Error("interrupted"));
    await assert.rejects(run, /^Error: interrupted$/);
    assert.equal(isRunning(pid), false);
    assert.deepEqual(await leftovers(tiny.cache), []);
  });
});
