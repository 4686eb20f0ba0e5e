import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";

import type { PlatformSettings } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import { slug } from "./slug.ts";
import { planTenantRepo } from "./tenant-repo-plan.ts";

/** Inputs of TenantRepo. */
export interface TenantRepoArgs {
  readonly tenant: Tenant;
  readonly platform: PlatformSettings;
}

/** A tenant's Git repository, with its first files and the rules for its branch. */
export class TenantRepo extends pulumi.ComponentResource {
  constructor(
    name: string,
    { tenant, platform }: TenantRepoArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("tenantry:index:TenantRepo", name, {}, opts);
    const plan = planTenantRepo(tenant, platform);
    const repository = new github.Repository(`${name}-repository`, plan.repository, {
      parent: this,
    });
    // The repository takes its content along. Deleting a file first would be one more commit, and
    // would fail on a file that the team has changed since.
    const inRepository = { parent: this, deletedWith: repository };

    // One after another: every file is a commit of its own, made on top of the last one.
    let last: pulumi.Resource = repository;
    for (const { path, content, owner } of plan.files) {
      last = new github.RepositoryFile(
        `${name}-file-${slug(path)}`,
        {
          repository: repository.name,
          file: path,
          content,
          overwriteOnCreate: owner === "platform",
        },
        {
          ...inRepository,
          dependsOn: [last],
          ignoreChanges: owner === "team" ? ["content"] : [],
        },
      );
    }
    // After the files, so that no rule judges the platform's first commits.
    new github.RepositoryRuleset(
      `${name}-ruleset`,
      { ...plan.ruleset, repository: repository.name },
      { ...inRepository, dependsOn: [last] },
    );
    this.registerOutputs();
  }
}
