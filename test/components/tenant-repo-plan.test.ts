import { deepEqual, equal, ok } from "node:assert/strict";

import { planTenantRepo } from "../../components/tenant-repo-plan.ts";
import { platform, tenant } from "./fixtures.ts";

describe("planTenantRepo", () => {
  const plan = planTenantRepo(
    {
      ...tenant,
      displayName: "Acme & Söhne",
      repository: {
        visibility: "internal",
        reviewers: ["octocat", "example/platform"],
        protectedBranches: ["release/2"],
      },
    },
    platform,
  );
  const content = (path: string) => plan.files.find((file) => file.path === path)?.content ?? "";

  it("names the team and every reviewer as code owners, as GitHub writes them", () => {
    equal(
      content(".github/CODEOWNERS").split("\n")[1],
      "* @example/acme-payments @octocat @example/platform",
    );
  });

  it("protects the default branch and those that the tenant names", () => {
    deepEqual(plan.ruleset.conditions.refName.includes, [
      "~DEFAULT_BRANCH",
      "refs/heads/release/2",
    ]);
  });

  it("says the display name and the visibility", () => {
    equal(plan.repository.visibility, "internal");
    ok(plan.repository.description.includes("Acme & Söhne"));
    ok(content("README.md").startsWith("# Acme & Söhne\n"));
  });

  it("is private unless the tenant says otherwise", () => {
    equal(planTenantRepo(tenant, platform).repository.visibility, "private");
  });
});
