import assert from "node:assert/strict";
import { PassThrough } from "node:stream";

import {
  formatSeconds,
  renderToolchainProgress,
} from "../../../dev/toolchain/render-toolchain-progress.ts";
import type { ToolchainEvent } from "../../../dev/toolchain/toolchain-event.ts";

function rendered(events: readonly ToolchainEvent[], terminal = false): string {
  const stream = Object.assign(new PassThrough(), { isTTY: terminal });
  const render = renderToolchainProgress(stream);
  for (const event of events) render(event);
  return String(stream.read() ?? "");
}

describe("renderToolchainProgress", () => {
  const step = { name: "etcd", version: "3.6.8", means: "build" } as const;
  const ready = { type: "ready", bin: "/bin", made: 1, seconds: 262 } as const;

  it("writes a line for each event where there is no terminal", () => {
    const output = rendered([
      { type: "plan", present: ["helm"], missing: [step], estimatedSeconds: 262 },
      { type: "waiting", name: "etcd" },
      { type: "start", ...step, lastSeconds: 262.4 },
      { type: "progress", name: "etcd", message: "12 of 30 MB" },
      { type: "done", ...step, seconds: 260 },
      ready,
    ]);
    assert.deepEqual(output.split("\n"), [
      "toolchain  plan        1 present, 1 to build: about 4 min 22 s",
      "toolchain  etcd        waiting for another run of Tenantry that is at work on the toolchain",
      "toolchain  etcd 3.6.8  building (last time 4 min 22 s)",
      "toolchain  etcd 3.6.8  built in 4 min 20 s",
      "toolchain  ready       in 4 min 22 s",
      "",
    ]);
  });

  it("keeps a line on what is going on at a terminal", () => {
    const plan = { type: "plan", present: [], missing: [step], estimatedSeconds: 3 } as const;
    const output = rendered([plan, { type: "start", ...step }, ready], true);
    assert.ok(output.includes("\r\x1b[Ktoolchain  etcd 3.6.8  building, 0.0 s\r\x1b[K"));
  });

  it("writes one short line when nothing was missing", () => {
    assert.equal(rendered([{ ...ready, made: 0 }]), "toolchain  ready  nothing to do\n");
  });

  it("formats lengths of time", () => {
    assert.deepEqual([0.04, 9.94, 59.4, 59.6, 3661].map(formatSeconds), [
      "0.0 s",
      "9.9 s",
      "59 s",
      "1 min 0 s",
      "61 min 1 s",
    ]);
  });
});
