import type { PlatformSettings } from "../platform/settings.ts";
import type { Tenant } from "../tenants/schema.ts";
import { slug } from "./slug.ts";
import { APPS_FOLDER, BRANCH } from "./tenant-argocd-plan.ts";
import { tenantNames } from "./tenant-names.ts";

/** A file that a tenant's repository starts with. */
export interface RepositoryFile {
  readonly path: string;
  readonly content: string;
  /**
   * Who has the say over the content afterwards: the platform's files are kept as the program says,
   * the team's are written once and never again.
   */
  readonly owner: "platform" | "team";
}

/** The tenant's repository and what is in it on the first day. */
export function planTenantRepo(tenant: Tenant, platform: PlatformSettings) {
  return {
    repository: {
      name: tenant.name,
      description: `Applications of ${tenant.displayName}: Argo CD applies the folder ${APPS_FOLDER}`,
      visibility: tenant.repository.visibility,
      hasIssues: true,
      deleteBranchOnMerge: true,
      // An archived repository would keep the name, and the tenant could not be made again.
      archiveOnDestroy: false,
    },
    files: files(tenant, platform),
    ruleset: {
      name: "tenantry",
      target: "branch",
      enforcement: "active",
      conditions: {
        refName: {
          includes: [
            "~DEFAULT_BRANCH",
            ...tenant.repository.protectedBranches.map((branch) => `refs/heads/${branch}`),
          ],
          excludes: [],
        },
      },
      // Argo CD follows this branch: it can neither go nor lose history. The platform's own writes
      // are ordinary commits, which these rules let pass, so nobody needs to bypass them.
      rules: { deletion: true, nonFastForward: true },
    },
  };
}

function files(tenant: Tenant, platform: PlatformSettings): readonly RepositoryFile[] {
  const names = tenantNames(tenant, platform);
  return [
    {
      path: "README.md",
      owner: "team",
      content: `# ${tenant.displayName}

What is in the folder \`${APPS_FOLDER}\` on the branch \`${BRANCH}\` runs in your own Kubernetes, the
virtual cluster \`${tenant.name}\`: a few moments after each push, Argo CD has applied it.

| | |
|---|---|
| Applications | ${names.argocdUrl} |
| Kubernetes API | ${names.apiUrl} |

This file is yours. \`.github/CODEOWNERS\` is kept by the platform.
`,
    },
    {
      path: ".github/CODEOWNERS",
      owner: "platform",
      content: `# Kept by the platform: changes made here are overwritten.
* ${[`${platform.git.owner}/${slug(tenant.owner.team)}`, ...tenant.repository.reviewers].map((reviewer) => `@${reviewer}`).join(" ")}
`,
    },
    {
      // Git keeps no empty folder, and Argo CD needs the folder to be there.
      path: `${APPS_FOLDER}/README.md`,
      owner: "team",
      content: `# Applications

Every Kubernetes manifest (\`*.yaml\`, \`*.yml\`, \`*.json\`) in this folder and below is applied to the
namespace \`default\` of the virtual cluster. What you delete here is deleted there.
`,
    },
  ];
}
