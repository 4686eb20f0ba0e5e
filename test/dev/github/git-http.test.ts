import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import path from "node:path";
import { field, GitHubFixture } from "./github-fixture.ts";

describe("GitHub stand-in: git over HTTP", function () {
  this.timeout(60_000);
  let github: GitHubFixture;
  before(async () => {
    github = await GitHubFixture.start();
    await github.repository("code");
  });
  after(() => github.stop());

  async function commit(folder: string, file: string, content: string | Buffer): Promise<void> {
    await writeFile(path.join(folder, file), content);
    await github.git(folder, "add", file);
    assert.equal((await github.git(folder, "commit", "--quiet", "-m", `Add ${file}`)).exitCode, 0);
  }

  it("clones, takes a push and gives it to others", async () => {
    const mine = await github.clone("code", "developer");
    const theirs = await github.clone("code", "argocd");
    await commit(mine, "main.ts", "export {};\n");
    const push = await github.git(mine, "push", "--quiet");
    assert.equal(push.exitCode, 0, push.stderr);
    assert.equal((await github.git(theirs, "pull", "--quiet")).exitCode, 0);
    const seen = await github.git(theirs, "log", "-1", "--format=%s");
    assert.equal(seen.stdout, "Add main.ts");
    const contents = await github.api("GET", "/repos/example-corp/code/contents/main.ts");
    assert.equal(contents.status, 200);
  });

  it("takes a push larger than any buffer, and one without .git in the URL", async () => {
    const mine = await github.clone("code", "developer");
    await commit(mine, "large.bin", randomBytes(20 * 1024 * 1024));
    const push = await github.git(
      mine,
      "push",
      "--quiet",
      github.cloneUrl("code", "developer").slice(0, -4),
      "main",
    );
    assert.equal(push.exitCode, 0, push.stderr);
    const bare = await github.git(github.bare("code"), "cat-file", "-s", "main:large.bin");
    assert.equal(bare.stdout, String(20 * 1024 * 1024));
    const shallow = await mkdtemp(path.join(github.directory, "shallow-"));
    const options = ["--quiet", "--depth=1", "--filter=blob:none", "--no-checkout"];
    const url = github.cloneUrl("code", "argocd");
    assert.equal((await github.git(shallow, "clone", ...options, url, ".")).exitCode, 0);
  });

  it("asks who it is, and lets readers only read", async () => {
    const url = `${github.cloneUrl("code")}/info/refs?service=git-upload-pack`;
    const anonymous = await fetch(url);
    assert.equal(anonymous.status, 401);
    assert.equal(anonymous.headers.get("www-authenticate"), `Basic realm="GitHub"`);
    const wrong = await fetch(url, { headers: { authorization: "Basic eDp5" } });
    assert.equal(wrong.status, 401);
    const missing = await github.git(
      github.directory,
      "ls-remote",
      github.cloneUrl("no", "argocd"),
    );
    assert.match(missing.stderr, /Repository not found/);

    const reader = await github.clone("code", "argocd");
    await commit(reader, "x", "x");
    const push = await github.git(reader, "push");
    assert.notEqual(push.exitCode, 0);
    assert.match(push.stderr, /403/);
    assert.match(push.stderr, /denied to argocd/);
  });

  it("lets anybody clone what is public, and nobody push to it", async () => {
    await github.repository("open", { private: false, visibility: "public" });
    const folder = await mkdtemp(path.join(github.directory, "open-"));
    const clone = await github.git(folder, "clone", "--quiet", github.cloneUrl("open"), ".");
    assert.equal(clone.exitCode, 0, clone.stderr);
    await commit(folder, "x", "x");
    assert.notEqual((await github.git(folder, "push")).exitCode, 0);
  });

  it("makes the first branch that is pushed the default one", async () => {
    await github.repository("blank", { auto_init: false });
    const folder = await github.clone("blank", "developer");
    await github.git(folder, "checkout", "--quiet", "-b", "trunk");
    await commit(folder, "x", "x");
    const push = await github.git(folder, "push", "--quiet", "origin", "trunk");
    assert.equal(push.exitCode, 0, push.stderr);
    const repository = await github.api("GET", "/repos/example-corp/blank");
    assert.equal(field(repository.body, "default_branch"), "trunk");
  });

  it("writes no token to the log", () => {
    assert.doesNotMatch(github.log.join("\n"), /token-0123456789|Basic/);
  });
});
