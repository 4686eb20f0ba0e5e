import assert from "node:assert/strict";
import { z } from "zod";
import { field, GitHubFixture, text, tokens } from "./github-fixture.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5Vq3q1z2nV4vFEMnrUj3m8vZ0c9F1a1cX1l1l1l1l1";

describe("GitHub stand-in: the API", function () {
  this.timeout(60_000);
  let github: GitHubFixture;
  before(async () => {
    github = await GitHubFixture.start();
  });
  after(() => github.stop());

  it("answers about itself, accounts and the organization", async () => {
    for (const route of ["/", "/meta", "/rate_limit", "/user", "/orgs/example-corp"]) {
      assert.equal((await github.api("GET", route)).status, 200, route);
    }
    const user = await github.api("GET", "/users/developer", { as: "argocd" });
    assert.equal(field(user.body, "login"), "developer");
    const owner = await github.api("GET", "/users/example-corp");
    assert.equal(field(owner.body, "type"), "Organization");
    assert.equal((await github.api("GET", "/users/nobody")).status, 404);
    assert.equal((await github.api("GET", "/orgs/nobody")).status, 404);
  });

  it("wants a token that it knows", async () => {
    const none = await fetch(`${github.url}/api/v3/user`);
    assert.equal(none.status, 401);
    assert.equal(field(await none.json(), "message"), "Requires authentication");
    const wrong = await github.api("GET", "/user", { headers: { authorization: "token wrong" } });
    assert.equal(wrong.status, 401);
    assert.equal(field(wrong.body, "message"), "Bad credentials");
    const token = tokens[1]?.token ?? "";
    for (const authorization of [
      `Bearer ${token}`,
      `token ${token}`,
      `Basic ${Buffer.from(`anyone:${token}`).toString("base64")}`,
      `Basic ${Buffer.from(`${token}:`).toString("base64")}`,
    ]) {
      const answer = await github.api("GET", "/user", { headers: { authorization } });
      assert.equal(field(answer.body, "login"), "developer");
    }
  });

  it("creates, reads, changes, renames and deletes a repository", async () => {
    const created = await github.api("POST", "/orgs/example-corp/repos", {
      body: { name: "life", description: "", homepage: "", visibility: "private" },
    });
    assert.equal(created.status, 201);
    assert.equal(field(created.body, "private"), true);
    assert.equal(field(created.body, "clone_url"), github.cloneUrl("life"));
    assert.equal((await github.api("GET", "/repos/example-corp/LIFE")).status, 200);

    const again = await github.api("POST", "/orgs/example-corp/repos", { body: { name: "Life" } });
    assert.equal(again.status, 422);
    assert.match(JSON.stringify(again.body), /name already exists on this account/);
    const nameless = await github.api("POST", "/orgs/example-corp/repos", { body: {} });
    assert.match(JSON.stringify(nameless.body), /"field":"name","code":"missing_field"/);

    const edited = await github.api("PATCH", "/repos/example-corp/life", {
      body: { description: "Team life", has_wiki: false, visibility: "public" },
    });
    assert.equal(field(edited.body, "description"), "Team life");
    assert.equal(field(edited.body, "private"), false);
    const topics = await github.api("PUT", "/repos/example-corp/life/topics", {
      body: { names: ["tenant", "dev"] },
    });
    assert.deepEqual(topics.body, { names: ["tenant", "dev"] });
    const bad = { body: { names: ["No Topic"] } };
    assert.equal((await github.api("PUT", "/repos/example-corp/life/topics", bad)).status, 422);

    const alerts = "/repos/example-corp/life/vulnerability-alerts";
    assert.equal((await github.api("GET", alerts)).status, 404);
    assert.equal((await github.api("PUT", alerts)).status, 204);
    assert.equal((await github.api("GET", alerts)).status, 204);

    const renamed = await github.api("PATCH", "/repos/example-corp/life", {
      body: { name: "live" },
    });
    assert.equal(field(renamed.body, "full_name"), "example-corp/live");
    assert.equal((await github.api("GET", "/repos/example-corp/life")).status, 404);
    assert.equal((await github.api("DELETE", "/repos/example-corp/live")).status, 204);
    assert.equal((await github.api("GET", "/repos/example-corp/live")).status, 404);
  });

  it("refuses settings that would have no effect, and bodies that are no JSON", async () => {
    const template = await github.api("POST", "/orgs/example-corp/repos", {
      body: { name: "licensed", license_template: "mit" },
    });
    assert.equal(template.status, 422);
    const broken = await fetch(`${github.url}/api/v3/orgs/example-corp/repos`, {
      method: "POST",
      headers: { authorization: `token ${tokens[0]?.token ?? ""}` },
      body: "{",
    });
    assert.equal(broken.status, 400);
  });

  it("keeps administration from those who may only write or read", async () => {
    await github.repository("guarded");
    const create = { body: { name: "own" }, as: "developer" } as const;
    assert.equal((await github.api("POST", "/orgs/example-corp/repos", create)).status, 403);
    for (const [method, route, expected] of [
      ["DELETE", "/repos/example-corp/guarded", 403],
      ["GET", "/repos/example-corp/guarded/hooks", 404],
      ["POST", "/repos/example-corp/guarded/keys", 404],
      ["POST", "/repos/example-corp/guarded/rulesets", 404],
    ] as const) {
      const answer = await github.api(method, route, { as: "developer" });
      assert.equal(answer.status, expected, route);
    }
    const body = { message: "m", content: "" };
    const write = { body, as: "argocd" } as const;
    const answer = await github.api("PUT", "/repos/example-corp/guarded/contents/x", write);
    assert.equal(answer.status, 403);
  });

  it("lists repositories in pages", async () => {
    for (const name of ["page-1", "page-2", "page-3"]) await github.repository(name);
    const seen: unknown[] = [];
    let route: string | undefined = "/orgs/example-corp/repos?per_page=2&sort=full_name";
    while (route !== undefined) {
      const page = await github.api("GET", route);
      const items = z.array(z.unknown()).parse(page.body);
      assert(items.length <= 2);
      seen.push(...items.map((item) => field(item, "name")));
      const next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
      route = next?.replace(`${github.url}/api/v3`, "");
    }
    assert.deepEqual(seen, ["guarded", "page-1", "page-2", "page-3"]);
  });

  it("answers a conditional request with 304 as long as nothing changed", async () => {
    const first = await github.api("GET", "/repos/example-corp/page-1");
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    const same = await github.api("GET", "/repos/example-corp/page-1", { headers });
    assert.equal(same.status, 304);
    assert.equal(same.body, undefined);
    await github.api("PATCH", "/repos/example-corp/page-1", { body: { description: "new" } });
    assert.equal((await github.api("GET", "/repos/example-corp/page-1", { headers })).status, 200);
  });

  it("reads and moves branches, refs and commits", async () => {
    await github.repository("refs");
    const refs = "/repos/example-corp/refs";
    const main = await github.api("GET", `${refs}/git/ref/heads/main`);
    const first = text(main.body, "object", "sha");
    const second = text((await github.write("refs", "a.txt", "a\n")).body, "commit", "sha");

    const ref = "refs/heads/feature/x";
    const create = { body: { ref, sha: first } };
    assert.equal((await github.api("POST", `${refs}/git/refs`, create)).status, 201);
    assert.equal((await github.api("POST", `${refs}/git/refs`, create)).status, 422);
    assert.equal((await github.api("GET", `${refs}/branches/feature%2Fx`)).status, 200);
    const branches = await github.api("GET", `${refs}/branches`);
    assert.equal(z.array(z.unknown()).parse(branches.body).length, 2);
    const matching = await github.api("GET", `${refs}/git/matching-refs/heads/feat`);
    assert.equal(z.array(z.unknown()).parse(matching.body).length, 1);

    const forward = { body: { sha: second } };
    const back = { body: { sha: first } };
    assert.equal((await github.api("PATCH", `${refs}/git/${ref}`, forward)).status, 200);
    const refused = await github.api("PATCH", `${refs}/git/${ref}`, back);
    assert.equal(refused.status, 422);
    assert.equal(field(refused.body, "message"), "Update is not a fast forward");
    assert.equal((await github.api("DELETE", `${refs}/git/${ref}`)).status, 204);
    assert.equal((await github.api("GET", `${refs}/git/ref/heads/feature/x`)).status, 404);
    assert.equal((await github.api("GET", `${refs}/branches/none`)).status, 404);
    assert.equal((await github.api("GET", `${refs}/branches/main~1`)).status, 404);

    const commit = await github.api("GET", `${refs}/commits/${second}`);
    assert.equal(field(commit.body, "stats", "additions"), 1);
    const list = await github.api("GET", `${refs}/commits?per_page=1`);
    assert.match(list.headers.get("link") ?? "", /rel="next"/);
    assert.equal((await github.api("GET", `${refs}/commits/nothing`)).status, 422);

    const renamed = await github.api("POST", `${refs}/branches/main/rename`, {
      body: { new_name: "trunk" },
    });
    assert.equal(renamed.status, 201);
    const repository = await github.api("GET", refs);
    assert.equal(field(repository.body, "default_branch"), "trunk");
  });

  it("says so where a repository is empty", async () => {
    await github.repository("empty", { auto_init: false });
    const empty = "/repos/example-corp/empty";
    assert.equal((await github.api("GET", `${empty}/commits`)).status, 409);
    assert.deepEqual((await github.api("GET", `${empty}/branches`)).body, []);
    const contents = await github.api("GET", `${empty}/contents/x`);
    assert.equal(field(contents.body, "message"), "This repository is empty.");
  });

  it("keeps deploy keys, each for one repository", async () => {
    await github.repository("keys");
    const keys = "/repos/example-corp/keys/keys";
    const created = await github.api("POST", keys, {
      body: { title: "argocd", key: `${key} someone@somewhere`, read_only: true },
    });
    assert.equal(created.status, 201);
    assert.equal(field(created.body, "key"), key);
    const used = await github.api("POST", keys, { body: { title: "again", key } });
    assert.match(JSON.stringify(used.body), /key is already in use/);
    const wrong = await github.api("POST", keys, { body: { title: "wrong", key: "ssh-rsa x" } });
    assert.equal(wrong.status, 422);
    const one = `${keys}/${String(field(created.body, "id"))}`;
    assert.equal((await github.api("GET", one)).status, 200);
    assert.equal((await github.api("DELETE", one)).status, 204);
    assert.deepEqual((await github.api("GET", keys)).body, []);
  });

  it("says 404 to what it has not got, and logs it without the query", async () => {
    const answer = await github.raw("GET", "/api/v3/gists?access_token=hidden");
    assert.equal(answer.status, 404);
    assert.equal(field(answer.body, "message"), "Not Found");
    assert.equal(field(answer.body, "status"), "404");
    assert(github.log.includes("WARN not implemented: GET /api/v3/gists"));
    assert.doesNotMatch(github.log.join("\n"), /hidden|token-0123456789/);
  });

  it("keeps everything over a restart", async () => {
    await github.repository("kept", { description: "stays" });
    await github.write("kept", "a.txt", "a\n");
    const before = await github.api("GET", "/repos/example-corp/kept");
    await github.restart();
    const after = await github.api("GET", "/repos/example-corp/kept");
    assert.deepEqual(after.body, before.body);
    assert.equal((await github.api("GET", "/repos/example-corp/kept/contents/a.txt")).status, 200);
  });

  it("shows a page to a browser, after asking who it is", async () => {
    await github.repository("page", { description: "<script>alert(1)</script>" });
    const anonymous = await fetch(`${github.url}/example-corp/page`);
    assert.equal(anonymous.status, 401);
    const page = await github.raw("GET", "/example-corp/page", { as: "argocd" });
    assert.equal(page.status, 200);
    assert.match(String(page.body), /README\.md/);
    assert.match(String(page.body), /&lt;script&gt;/);
    assert.doesNotMatch(String(page.body), /<script>/);
  });
});
