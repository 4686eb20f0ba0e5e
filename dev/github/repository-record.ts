import { z } from "zod";
import { rulesetSchema } from "./ruleset.ts";

/** The settings of a repository that a caller can change, named as in the API. */
export const repositorySettingsSchema = z.object({
  description: z.string().nullable(),
  homepage: z.string().nullable(),
  visibility: z.enum(["public", "private", "internal"]),
  archived: z.boolean(),
  is_template: z.boolean(),
  has_issues: z.boolean(),
  has_projects: z.boolean(),
  has_wiki: z.boolean(),
  has_downloads: z.boolean(),
  has_discussions: z.boolean(),
  allow_merge_commit: z.boolean(),
  allow_squash_merge: z.boolean(),
  allow_rebase_merge: z.boolean(),
  allow_auto_merge: z.boolean(),
  allow_update_branch: z.boolean(),
  allow_forking: z.boolean(),
  delete_branch_on_merge: z.boolean(),
  web_commit_signoff_required: z.boolean(),
  merge_commit_title: z.enum(["PR_TITLE", "MERGE_MESSAGE"]),
  merge_commit_message: z.enum(["PR_BODY", "PR_TITLE", "BLANK"]),
  squash_merge_commit_title: z.enum(["PR_TITLE", "COMMIT_OR_PR_TITLE"]),
  squash_merge_commit_message: z.enum(["PR_BODY", "COMMIT_MESSAGES", "BLANK"]),
});
export type RepositorySettings = z.output<typeof repositorySettingsSchema>;

/** What GitHub gives a new repository. */
export const defaultSettings: RepositorySettings = {
  description: null,
  homepage: null,
  visibility: "public",
  archived: false,
  is_template: false,
  has_issues: true,
  has_projects: true,
  has_wiki: true,
  has_downloads: true,
  has_discussions: false,
  allow_merge_commit: true,
  allow_squash_merge: true,
  allow_rebase_merge: true,
  allow_auto_merge: false,
  allow_update_branch: false,
  allow_forking: true,
  delete_branch_on_merge: false,
  web_commit_signoff_required: false,
  merge_commit_title: "MERGE_MESSAGE",
  merge_commit_message: "PR_TITLE",
  squash_merge_commit_title: "COMMIT_OR_PR_TITLE",
  squash_merge_commit_message: "COMMIT_MESSAGES",
};

const webhookSchema = z.object({
  id: z.number(),
  active: z.boolean(),
  events: z.array(z.string()),
  config: z.object({
    url: z.string(),
    content_type: z.enum(["json", "form"]),
    insecure_ssl: z.enum(["0", "1"]),
    secret: z.string().optional(),
  }),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Webhook = z.output<typeof webhookSchema>;

const deployKeySchema = z.object({
  id: z.number(),
  title: z.string(),
  key: z.string(),
  read_only: z.boolean(),
  added_by: z.string(),
  created_at: z.string(),
});
export type DeployKey = z.output<typeof deployKeySchema>;

/** Everything about a repository that is not in git. */
export const repositoryRecordSchema = z.object({
  id: z.number(),
  owner: z.string(),
  name: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  pushed_at: z.string(),
  settings: repositorySettingsSchema,
  topics: z.array(z.string()),
  vulnerability_alerts: z.boolean(),
  rulesets: z.array(rulesetSchema),
  webhooks: z.array(webhookSchema),
  deploy_keys: z.array(deployKeySchema),
});
export type RepositoryRecord = z.output<typeof repositoryRecordSchema>;
