import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import getPort from "get-port";
import { tokens } from "./github-fixture.ts";

describe("GitHub stand-in: the process", function () {
  this.timeout(60_000);
  let directory: string;
  let child: ReturnType<typeof run> | undefined;
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "github-process-"));
  });
  afterEach(async () => {
    child?.kill("SIGKILL");
    await child;
    child = undefined;
  });
  after(() => rm(directory, { recursive: true, force: true }));

  function run(port: number, tokensFile: string) {
    const entry = path.resolve(import.meta.dirname, "../../../dev/github/main.ts");
    const state = path.join(directory, "state");
    const args = ["--listen", `127.0.0.1:${port}`, "--state", state, "--owner", "example-corp"];
    return execa(
      process.execPath,
      ["--import", "tsx", entry, ...args, "--tokens", tokensFile],
      // Settings of the caller that must not reach the repositories.
      { reject: false, env: { GIT_DIR: "/nonexistent", GIT_CONFIG_COUNT: "1" } },
    );
  }

  /** Starts the server and waits for its first line. */
  async function start(): Promise<{
    url: string;
    stop: (signal: NodeJS.Signals) => Promise<unknown>;
  }> {
    const tokensFile = path.join(directory, "tokens.json");
    await writeFile(tokensFile, JSON.stringify(tokens), { mode: 0o600 });
    const port = await getPort();
    const started = run(port, tokensFile);
    child = started;
    const lines = createInterface({ input: started.stdout });
    await once(lines, "line");
    return {
      url: `http://127.0.0.1:${port}`,
      stop: async (signal) => {
        started.kill(signal);
        return (await started).exitCode;
      },
    };
  }

  const headers = { authorization: `token ${tokens[0]?.token ?? ""}` };

  it("refuses a tokens file that is none, without quoting it", async () => {
    const file = path.join(directory, "broken.json");
    await writeFile(file, "my-secret-token");
    const result = await run(1, file);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /is not a tokens file/);
    assert.doesNotMatch(result.stderr, /my-secret/);
  });

  it("has everything again after kill -9 in the middle of its work", async () => {
    const first = await start();
    const repos = `${first.url}/api/v3/orgs/example-corp/repos`;
    const body = JSON.stringify({ name: "kept", auto_init: true, private: true });
    const created = await fetch(repos, { method: "POST", headers, body });
    assert.equal(created.status, 201);
    const writes = Array.from({ length: 10 }, async (_, index) => {
      const url = `${first.url}/api/v3/repos/example-corp/kept/contents/file-${index}`;
      const change = JSON.stringify({ message: "m", content: "" });
      const answer = await fetch(url, { method: "PUT", headers, body: change });
      return answer.ok ? index : undefined;
    });
    await Promise.race(writes);
    await first.stop("SIGKILL");
    const results = await Promise.allSettled(writes);
    const acknowledged = results.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));

    const second = await start();
    const kept = `${second.url}/api/v3/repos/example-corp/kept`;
    for (const index of acknowledged) {
      assert.equal(
        (await fetch(`${kept}/contents/file-${String(index)}`, { headers })).status,
        200,
      );
    }
    const change = JSON.stringify({ message: "m", content: "" });
    const after = await fetch(`${kept}/contents/after`, { method: "PUT", headers, body: change });
    assert.equal(after.status, 201);
    const record = path.join(directory, "state/repositories/example-corp/kept.json");
    assert.equal((await stat(record)).mode & 0o777, 0o600);
    assert.doesNotMatch(await readFile(record, "utf8"), /token-0123456789/);
  });

  it("leaves with 0 within a second of SIGTERM, whoever keeps a connection open", async () => {
    const { url, stop } = await start();
    const agent = new Agent({ keepAlive: true });
    await new Promise((resolve, reject) => {
      get(`${url}/api/v3/user`, { agent, headers }, (response) => {
        response.resume().on("end", resolve);
      }).on("error", reject);
    });
    const begin = Date.now();
    assert.equal(await stop("SIGTERM"), 0);
    assert(Date.now() - begin < 1000, `${Date.now() - begin} ms`);
    agent.destroy();
  });
});
