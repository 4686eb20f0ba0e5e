import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { field, GitHubFixture, text } from "./github-fixture.ts";

const adminBypass = { actor_id: 1, actor_type: "OrganizationAdmin", bypass_mode: "always" };
const review = {
  type: "pull_request",
  parameters: {
    dismiss_stale_reviews_on_push: false,
    require_code_owner_review: true,
    require_last_push_approval: false,
    required_approving_review_count: 1,
    required_review_thread_resolution: false,
  },
};

describe("GitHub stand-in: rulesets", function () {
  this.timeout(60_000);
  let github: GitHubFixture;
  let name: string;
  let count = 0;
  before(async () => {
    github = await GitHubFixture.start();
  });
  beforeEach(async () => {
    name = `ruled-${(count += 1)}`;
    await github.repository(name);
  });
  after(() => github.stop());

  function rule(rules: unknown[], more: Record<string, unknown> = {}) {
    return github.api("POST", `/repos/example-corp/${name}/rulesets`, {
      body: {
        name: "main",
        target: "branch",
        enforcement: "active",
        bypass_actors: [],
        conditions: { ref_name: { include: ["~DEFAULT_BRANCH"], exclude: [] } },
        rules,
        ...more,
      },
    });
  }

  async function commit(folder: string, file = "x"): Promise<void> {
    await writeFile(path.join(folder, file), String(Math.random()));
    await github.git(folder, "add", ".");
    await github.git(folder, "commit", "--quiet", "-m", `Change ${file}`);
  }

  async function push(folder: string, ...args: string[]) {
    const { exitCode, stderr } = await github.git(folder, "push", ...args);
    return { ok: exitCode === 0, stderr };
  }

  it("are created, read, replaced and deleted", async () => {
    const created = await rule([{ type: "deletion" }, review], { bypass_actors: [adminBypass] });
    assert.equal(created.status, 201);
    const rulesets = `/repos/example-corp/${name}/rulesets`;
    const one = `${rulesets}/${String(field(created.body, "id"))}`;
    const read = await github.api("GET", `${one}?includes_parents=false`);
    assert.deepEqual(read.body, created.body);
    assert.equal(field(read.body, "current_user_can_bypass"), "always");
    const seen = await github.api("GET", one, { as: "developer" });
    assert.equal(field(seen.body, "current_user_can_bypass"), "never");
    assert.equal(field(seen.body, "bypass_actors"), undefined);
    assert.equal((await github.api("GET", rulesets)).status, 200);
    assert.equal((await rule([])).status, 422);

    const replaced = await github.api("PUT", one, { body: { enforcement: "disabled" } });
    assert.equal(field(replaced.body, "enforcement"), "disabled");
    assert.equal(field(replaced.body, "name"), "main");
    assert.equal((await github.api("DELETE", one)).status, 204);
    assert.equal((await github.api("GET", one)).status, 404);
  });

  it("of a kind that is not enforced are refused", async () => {
    for (const type of ["merge_queue", "file_path_restriction", "workflows", "made_up"]) {
      assert.equal((await rule([{ type, parameters: {} }])).status, 422, type);
    }
    assert.equal((await rule([], { target: "push" })).status, 422);
  });

  it("stop force-pushes and deletions, also through the API", async () => {
    await rule([{ type: "deletion" }, { type: "non_fast_forward" }]);
    const branch = `/repos/example-corp/${name}/git/refs/heads/main`;
    const folder = await github.clone(name, "developer");
    await commit(folder);
    assert((await push(folder)).ok);
    await github.git(folder, "commit", "--quiet", "--amend", "-m", "Rewritten");
    const forced = await push(folder, "--force");
    assert(!forced.ok);
    assert.match(forced.stderr, /GH013: Repository rule violations found for refs\/heads\/main/);
    assert.match(forced.stderr, /- Cannot force-push to this branch/);
    const first = text(
      (await github.api("GET", `/repos/example-corp/${name}/commits/main`)).body,
      "sha",
    );
    const parent = await github.git(github.bare(name), "rev-parse", "main^");
    const back = await github.api("PATCH", branch, { body: { sha: parent.stdout, force: true } });
    assert.equal(back.status, 422);
    assert.match(text(back.body, "message"), /Cannot force-push to this branch/);

    // The default branch could not be deleted anyway, so the rule is tried on another one.
    await rule([{ type: "deletion" }], {
      name: "releases",
      conditions: { ref_name: { include: ["refs/heads/release/*"], exclude: [] } },
    });
    assert((await push(folder, "origin", `${first}:refs/heads/release/1`)).ok);
    assert(
      (await push(folder, "origin", `${first}:refs/heads/release/1/hotfix`.replace("1/", "x/"))).ok,
    );
    const deleted = await push(folder, "origin", ":refs/heads/release/1");
    assert.match(deleted.stderr, /- Cannot delete this branch/);
    assert((await push(folder, "origin", ":refs/heads/release/x/hotfix")).ok, "* stops at a slash");
  });

  it("want a pull request where they say so, but not from those who may pass", async () => {
    await rule([review], { bypass_actors: [adminBypass] });
    const folder = await github.clone(name, "developer");
    await commit(folder);
    const direct = await push(folder);
    assert.match(direct.stderr, /- Changes must be made through a pull request\./);
    assert((await push(folder, "origin", "main:topic")).ok);

    const write = { message: "m", content: "" };
    const route = `/repos/example-corp/${name}/contents/y`;
    const refused = await github.api("PUT", route, { body: write, as: "developer" });
    assert.equal(refused.status, 409);
    assert.match(
      text(refused.body, "message"),
      /^Repository rule violations found\n\nChanges must/,
    );
    assert.equal((await github.api("PUT", route, { body: write })).status, 201);
    const admin = await github.clone(name, "platform");
    await commit(admin);
    assert((await push(admin)).ok);

    const branch = await github.api("GET", `/repos/example-corp/${name}/branches/main`);
    assert.equal(field(branch.body, "protected"), true);
    assert.equal(
      (await github.api("GET", `/repos/example-corp/${name}/rules/branches/main`)).status,
      200,
    );
  });

  it("bind administrators too if nobody may pass them", async () => {
    await rule([{ type: "update" }], {
      bypass_actors: [{ actor_id: 7, actor_type: "Integration", bypass_mode: "always" }],
    });
    const answer = await github.write(name, "x", "x");
    assert.equal(answer.status, 409);
    assert.match(text(answer.body, "message"), /Cannot update this protected ref/);
  });

  it("let a role pass if they name it", async () => {
    await rule([{ type: "update" }], {
      bypass_actors: [{ actor_id: 4, actor_type: "RepositoryRole", bypass_mode: "always" }],
    });
    const folder = await github.clone(name, "developer");
    await commit(folder);
    assert((await push(folder)).ok);
  });

  it("hold for everything that is pushed: creation, merges, signatures, checks, tags", async () => {
    const folder = await github.clone(name, "developer");
    const cases: [string, unknown, RegExp][] = [
      ["made", { type: "creation" }, /creations being restricted/],
      ["signed", { type: "required_signatures" }, /must have verified signatures/],
      [
        "checked",
        {
          type: "required_status_checks",
          parameters: {
            required_status_checks: [{ context: "ci" }],
            strict_required_status_checks_policy: false,
          },
        },
        /Required status check "ci" is expected/,
      ],
      ["linear", { type: "required_linear_history" }, /must not contain merge commits/],
    ];
    for (const [branch, each] of cases) {
      const include = [`refs/heads/${branch}`];
      const answer = await rule([each], { name: branch, conditions: { ref_name: { include } } });
      assert.equal(answer.status, 201, JSON.stringify(answer.body));
    }
    await commit(folder);
    await github.git(folder, "checkout", "--quiet", "-b", "side", "HEAD^");
    await commit(folder, "y");
    await github.git(folder, "checkout", "--quiet", "main");
    const merge = await github.git(folder, "merge", "--quiet", "--no-ff", "-m", "Merge", "side");
    assert.equal(merge.exitCode, 0, merge.stderr);
    for (const [branch, , message] of cases) {
      const result = await push(folder, "origin", `main:${branch}`);
      assert(!result.ok, branch);
      assert.match(result.stderr, message);
    }
    await rule([{ type: "creation" }], {
      name: "tags",
      target: "tag",
      conditions: { ref_name: { include: ["~ALL"], exclude: ["refs/tags/nightly"] } },
    });
    assert(!(await push(folder, "origin", "main:refs/tags/v1")).ok);
    assert((await push(folder, "origin", "main:refs/tags/nightly")).ok);
    assert((await push(folder)).ok, "main itself has no rules");
  });

  it("do nothing while they are disabled or only evaluated", async () => {
    await rule([{ type: "update" }], { enforcement: "disabled" });
    await rule([{ type: "update" }], { name: "tried", enforcement: "evaluate" });
    assert.equal((await github.write(name, "x", "x")).status, 201);
  });

  it("hold after a restart", async () => {
    await rule([{ type: "update" }]);
    await github.restart();
    assert.equal((await github.write(name, "x", "x")).status, 409);
  });
});
