import { deepEqual, equal, ok } from "node:assert/strict";

import { planTenantArgoCD } from "../../components/tenant-argocd-plan.ts";
import { planTenantRepo } from "../../components/tenant-repo-plan.ts";
import { platform, tenant } from "./fixtures.ts";

describe("planTenantArgoCD", () => {
  const plan = planTenantArgoCD(tenant, platform);

  it("fences the tenant in: one repository, one cluster, no wildcard", () => {
    const { spec } = plan.project;
    deepEqual(spec.sourceRepos, ["https://github.com/example/acme.git"]);
    deepEqual(spec.destinations, [{ server: "https://acme.vc-acme:443", namespace: "default" }]);
    equal(spec.permitOnlyProjectScopedClusters, true);
    ok(!JSON.stringify(spec).includes("*"));
  });

  it("makes cluster and repository the tenant's own", () => {
    equal(plan.registration.fields["project"], plan.project.metadata.name);
    equal(plan.registration.fields["server"], plan.project.spec.destinations[0]?.server);
    equal(plan.repository.fields["project"], plan.project.metadata.name);
    equal(plan.repository.fields["url"], plan.project.spec.sourceRepos[0]);
  });

  it("makes a root Application within the fence, of a folder that the repository has", () => {
    const { project, source, destination } = plan.rootApplication.spec;
    equal(project, plan.project.metadata.name);
    ok(plan.project.spec.sourceRepos.includes(source.repoURL));
    deepEqual([destination], plan.project.spec.destinations);
    ok("path" in source);
    const files = planTenantRepo(tenant, platform).files.map(({ path }) => path);
    ok(files.some((file) => file.startsWith(`${source.path}/`)));
  });

  it("waits for the root Application to be synced and healthy", () => {
    deepEqual(JSON.parse(plan.rootApplication.metadata.annotations?.["pulumi.com/waitFor"] ?? ""), [
      "jsonpath={.status.sync.status}=Synced",
      "jsonpath={.status.health.status}=Healthy",
    ]);
  });
});

describe("planTenantRepo", () => {
  const { repository, files } = planTenantRepo(tenant, platform);

  it("makes a private repository named like the tenant", () => {
    equal(repository.name, "acme");
    equal(repository.visibility, "private");
  });

  it("leaves its files to the team, but for the owners' list", () => {
    const platforms = files.filter(({ owner }) => owner === "platform");
    deepEqual(
      platforms.map(({ path }) => path),
      [".github/CODEOWNERS"],
    );
    ok(platforms[0]?.content.includes("\n* @example/acme-payments\n"));
  });
});
