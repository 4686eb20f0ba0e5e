import assert from "node:assert/strict";
import { z } from "zod";
import { field, GitHubFixture, text } from "./github-fixture.ts";

describe("GitHub stand-in: contents", function () {
  this.timeout(60_000);
  let github: GitHubFixture;
  before(async () => {
    github = await GitHubFixture.start();
    await github.repository("files");
  });
  after(() => github.stop());

  const contents = "/repos/example-corp/files/contents";
  const git = async (...args: string[]) =>
    (await github.git(github.bare("files"), ...args)).stdout.trimEnd();

  it("creates, reads, replaces and removes a file, each time as a commit", async () => {
    const person = { name: "Tenantry", email: "tenantry@example.com" };
    const created = await github.write("files", "apps/a.yaml", "a: 1\n", {
      branch: "main",
      author: person,
      committer: person,
    });
    assert.equal(created.status, 201);
    assert.equal(await git("rev-parse", "main"), text(created.body, "commit", "sha"));
    const line = await git("log", "-1", "--format=%an <%ae> %cn: %s", "main");
    assert.equal(line, "Tenantry <tenantry@example.com> Tenantry: Add apps/a.yaml");
    assert.equal(await git("show", "main:apps/a.yaml"), "a: 1");

    const read = await github.api("GET", `${contents}/apps/a.yaml?ref=main`);
    const sha = text(read.body, "sha");
    assert.equal(Buffer.from(text(read.body, "content"), "base64").toString(), "a: 1\n");
    assert.match(text(read.body, "url"), /\?ref=main$/);
    const raw = await github.raw("GET", `/api/v3${contents}/apps/a.yaml`, {
      headers: { accept: "application/vnd.github.raw+json" },
    });
    assert.equal(raw.body, "a: 1\n");

    const replaced = await github.write("files", "apps/a.yaml", "a: 2\n", { sha });
    assert.equal(replaced.status, 200);
    const stale = await github.write("files", "apps/a.yaml", "a: 3\n", { sha });
    assert.equal(stale.status, 409);
    assert.equal(field(stale.body, "message"), `apps/a.yaml does not match ${sha}`);
    const blind = await github.write("files", "apps/a.yaml", "a: 3\n");
    assert.equal(blind.status, 422);

    const removed = await github.api("DELETE", `${contents}/apps/a.yaml`, {
      body: { message: "Delete it", sha: text(replaced.body, "content", "sha"), branch: "main" },
    });
    assert.equal(removed.status, 200);
    assert.equal(field(removed.body, "content"), null);
    assert.equal(await git("ls-tree", "-r", "--name-only", "main"), "README.md");
    assert.equal((await github.api("GET", `${contents}/apps/a.yaml`)).status, 404);
    const again = await github.api("DELETE", `${contents}/apps/a.yaml`, {
      body: { message: "Delete it", sha },
    });
    assert.equal(again.status, 404);
  });

  it("lists folders, and takes names that need care", async () => {
    for (const name of ["dir/ü b.txt", "dir/100%25.txt", "dir/sub/x", "dir/-n"]) {
      const answer = await github.write("files", encodeURI(name), name);
      assert.equal(answer.status, 201, name);
    }
    const listed = await github.api("GET", `${contents}/dir`);
    const names = z.array(z.object({ name: z.string(), type: z.string() })).parse(listed.body);
    assert.deepEqual(names.map(({ name, type }) => `${type} ${name}`).sort(), [
      "dir sub",
      "file -n",
      "file 100%25.txt",
      "file ü b.txt",
    ]);
    assert.equal((await github.api("GET", `${contents}/`)).status, 200);
  });

  it("refuses paths that could leave the repository or cannot be", async () => {
    for (const name of [".git/config", "a%2F..%2Fb", "a//b", "README.md/x"]) {
      const answer = await github.raw("PUT", `/api/v3${contents}/${name}`, {
        body: { message: "m", content: "" },
      });
      assert([404, 422].includes(answer.status), `${name}: ${answer.status}`);
    }
    assert.equal((await github.write("files", "x", "x", { branch: "none" })).status, 404);
    assert.equal((await github.write("files", "x", "x", { message: "" })).status, 422);
  });

  it("makes the first commit of an empty repository", async () => {
    await github.repository("fresh", { auto_init: false });
    assert.equal((await github.write("fresh", "a.txt", "a\n")).status, 201);
    const log = await github.git(github.bare("fresh"), "log", "--format=%s", "main");
    assert.equal(log.stdout, "Add a.txt");
  });

  it("loses none of many writes at the same time", async () => {
    await github.repository("busy");
    const names = Array.from({ length: 12 }, (_, index) => `file-${index}.txt`);
    const answers = await Promise.all(names.map((name) => github.write("busy", name, name)));
    const landed = names.filter((_, index) => answers[index]?.status === 201);
    assert(answers.every(({ status }) => status === 201 || status === 409));
    const tree = await github.git(github.bare("busy"), "ls-tree", "--name-only", "main");
    const kept = tree.stdout.split("\n").filter((name) => name !== "README.md");
    assert.deepEqual(kept.sort(), landed.sort());
    const count = await github.git(github.bare("busy"), "rev-list", "--count", "main");
    assert.equal(Number(count.stdout), landed.length + 1);
  });

  it("lets one of several replacements of the same file win", async () => {
    const first = await github.write("busy", "same.txt", "0");
    const sha = text(first.body, "content", "sha");
    const answers = await Promise.all(
      ["1", "2", "3", "4"].map((content) => github.write("busy", "same.txt", content, { sha })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
  });

  it("does not write to an archived repository", async () => {
    await github.repository("old");
    await github.api("PATCH", "/repos/example-corp/old", { body: { archived: true } });
    assert.equal((await github.write("old", "x", "x")).status, 403);
  });
});
