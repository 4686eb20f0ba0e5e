import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import getPort from "get-port";
import { field, GitHubFixture, text } from "./github-fixture.ts";
import { eventFaults } from "./github-schemas.ts";

interface Delivery {
  headers: IncomingHttpHeaders;
  body: string;
}

const secret = "a webhook secret";

describe("GitHub stand-in: webhooks", function () {
  this.timeout(60_000);
  let github: GitHubFixture;
  let receiver: Server;
  let target: string;
  let failures = 0;
  let deliveries: Delivery[] = [];

  before(async () => {
    github = await GitHubFixture.start();
    receiver = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        if (failures > 0) {
          failures -= 1;
          response.writeHead(503).end();
          return;
        }
        deliveries.push({ headers: request.headers, body });
        response.end();
      });
    });
    const port = await getPort();
    await once(receiver.listen(port, "127.0.0.1"), "listening");
    target = `http://127.0.0.1:${port}/api/webhook`;
  });
  beforeEach(() => {
    deliveries = [];
  });
  after(async () => {
    await github.stop();
    receiver.closeAllConnections();
    receiver.close();
  });

  async function delivered(event: string): Promise<Delivery> {
    for (let tries = 0; tries < 100; tries += 1) {
      const found = deliveries.find(({ headers }) => headers["x-github-event"] === event);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`no ${event} delivered: ${github.log.join("\n")}`);
  }

  async function hook(repository: string, config: Record<string, unknown>): Promise<string> {
    await github.repository(repository);
    const answer = await github.api("POST", `/repos/example-corp/${repository}/hooks`, {
      body: { name: "web", events: ["push"], active: true, config: { url: target, ...config } },
    });
    assert.equal(answer.status, 201);
    return `/repos/example-corp/${repository}/hooks/${String(field(answer.body, "id"))}`;
  }

  it("are created, read, changed and deleted, and never show their secret", async () => {
    const one = await hook("crud", { content_type: "json", secret });
    const read = await github.api("GET", one);
    assert.equal(field(read.body, "config", "secret"), "********");
    const changed = await github.api("PATCH", one, {
      body: { active: false, add_events: ["tag"] },
    });
    assert.deepEqual(field(changed.body, "events"), ["push", "tag"]);
    const same = await github.api("POST", "/repos/example-corp/crud/hooks", {
      body: { events: ["push"], config: { url: target, content_type: "json" } },
    });
    assert.equal(same.status, 422);
    assert.equal((await github.api("GET", "/repos/example-corp/crud/hooks")).status, 200);
    assert.equal((await github.api("DELETE", one)).status, 204);
    assert.equal((await github.api("GET", one)).status, 404);
    const ping = await delivered("ping");
    assert.doesNotMatch(ping.body, new RegExp(secret));
  });

  it("hear of a push, signed, in GitHub's form", async () => {
    await hook("pushed", { content_type: "json", secret });
    const folder = await github.clone("pushed", "developer");
    await writeFile(path.join(folder, "app.yaml"), "a: 1\n");
    await github.git(folder, "add", ".");
    await github.git(folder, "commit", "--quiet", "-m", "Add the app");
    assert.equal((await github.git(folder, "push", "--quiet")).exitCode, 0);

    const { headers, body } = await delivered("push");
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    assert.equal(headers["x-hub-signature-256"], `sha256=${signature}`);
    assert.equal(headers["content-type"], "application/json");
    assert.match(headers["user-agent"] ?? "", /^GitHub-Hookshot\//);
    const payload: unknown = JSON.parse(body);
    assert.deepEqual(eventFaults("push", payload), []);
    assert.equal(field(payload, "ref"), "refs/heads/main");
    assert.equal(text(payload, "repository", "html_url"), `${github.url}/example-corp/pushed`);
    assert.deepEqual(field(payload, "head_commit", "added"), ["app.yaml"]);
    assert.equal(field(payload, "pusher", "name"), "developer");
  });

  it("hear of a commit through the contents API, also as a form, also at the second try", async () => {
    await hook("written", { content_type: "form", secret });
    await delivered("ping");
    failures = 1;
    await github.write("written", "a.txt", "a\n");
    const { headers, body } = await delivered("push");
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    assert.equal(headers["x-hub-signature-256"], `sha256=${signature}`);
    const payload: unknown = JSON.parse(new URLSearchParams(body).get("payload") ?? "");
    assert.deepEqual(field(payload, "head_commit", "added"), ["a.txt"]);
    assert.doesNotMatch(github.log.join("\n"), new RegExp(secret));
  });
});
