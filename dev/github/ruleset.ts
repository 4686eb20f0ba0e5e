import { z } from "zod";

const pullRequestParameters = z.object({
  allowed_merge_methods: z
    .array(z.enum(["merge", "squash", "rebase"]))
    .min(1)
    .default(["merge", "squash", "rebase"]),
  dismiss_stale_reviews_on_push: z.boolean(),
  require_code_owner_review: z.boolean(),
  require_last_push_approval: z.boolean(),
  required_approving_review_count: z.int().min(0).max(10),
  required_review_thread_resolution: z.boolean(),
  required_reviewers: z.array(z.looseObject({})).default([]),
});

const statusCheckParameters = z.object({
  do_not_enforce_on_create: z.boolean().default(false),
  required_status_checks: z
    .array(z.object({ context: z.string().min(1), integration_id: z.int().optional() }))
    .min(1),
  strict_required_status_checks_policy: z.boolean(),
});

/** The rules that the stand-in enforces. Any other type is refused, never ignored. */
export const ruleSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("creation") }),
  z.object({
    type: z.literal("update"),
    parameters: z.object({ update_allows_fetch_and_merge: z.boolean() }).optional(),
  }),
  z.object({ type: z.literal("deletion") }),
  z.object({ type: z.literal("required_linear_history") }),
  z.object({ type: z.literal("required_signatures") }),
  z.object({ type: z.literal("non_fast_forward") }),
  z.object({ type: z.literal("pull_request"), parameters: pullRequestParameters }),
  z.object({ type: z.literal("required_status_checks"), parameters: statusCheckParameters }),
]);
export type Rule = z.output<typeof ruleSchema>;

const refPattern = z
  .string()
  .regex(/^(?:~ALL|~DEFAULT_BRANCH|refs\/(?:heads|tags)\/.+)$/, "not a ref pattern");

const bypassActorSchema = z.object({
  actor_id: z.int().nullable().optional(),
  actor_type: z.enum([
    "Integration",
    "OrganizationAdmin",
    "RepositoryRole",
    "Team",
    "DeployKey",
    "EnterpriseOwner",
  ]),
  bypass_mode: z.enum(["always", "pull_request"]).default("always"),
});
export type BypassActor = z.output<typeof bypassActorSchema>;

/** What a caller sends to create or replace a ruleset. */
export const rulesetRequestSchema = z.object({
  name: z.string().min(1),
  target: z.enum(["branch", "tag"]).default("branch"),
  enforcement: z.enum(["disabled", "active", "evaluate"]),
  bypass_actors: z.array(bypassActorSchema).default([]),
  conditions: z
    .strictObject({
      ref_name: z.object({
        include: z.array(refPattern).default([]),
        exclude: z.array(refPattern).default([]),
      }),
    })
    .optional(),
  rules: z.array(ruleSchema).default([]),
});

/** A ruleset as it is kept. */
export const rulesetSchema = rulesetRequestSchema.extend({
  id: z.number(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Ruleset = z.output<typeof rulesetSchema>;
