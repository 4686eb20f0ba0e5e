import { mayAccess, type AccessLevel, type Account } from "./access.ts";
import type { GitRepository, RefUpdate } from "./git-repository.ts";
import type { BypassActor, Rule, Ruleset } from "./ruleset.ts";

/** GitHub's ids of the roles that a bypass actor of type RepositoryRole can name. */
const roleAccess: Partial<Record<number, AccessLevel>> = { 2: "admin", 4: "write", 5: "admin" };

/** The active rulesets that apply to a ref, whoever asks. */
export function rulesetsFor(
  rulesets: readonly Ruleset[],
  ref: string,
  defaultBranch: string,
): Ruleset[] {
  return rulesets.filter(
    (ruleset) => ruleset.enforcement === "active" && targets(ruleset, ref, defaultBranch),
  );
}

/** True if `account` may push past this ruleset. An admin token counts as organization admin. */
export function bypasses(account: Account, ruleset: Ruleset): boolean {
  return ruleset.bypass_actors.some(
    (actor) => actor.bypass_mode === "always" && isActor(account, actor),
  );
}

/**
 * What the rules say against one ref update by `account`, in GitHub's words; nothing if it may
 * happen. `repository` must be able to see the objects that the update brings.
 */
export async function violations(
  repository: GitRepository,
  rulesets: readonly Ruleset[],
  account: Account,
  update: RefUpdate,
): Promise<string[]> {
  const applying = rulesetsFor(rulesets, update.ref, await repository.defaultBranch());
  const rules = applying.filter((ruleset) => !bypasses(account, ruleset)).flatMap((r) => r.rules);
  const found = new Set<string>();
  for (const rule of rules) {
    const message = await violation(repository, rule, update);
    if (message !== undefined) found.add(message);
  }
  return [...found];
}

async function violation(
  repository: GitRepository,
  rule: Rule,
  { ref, before, after }: RefUpdate,
): Promise<string | undefined> {
  const kind = ref.startsWith("refs/tags/") ? "tag" : "branch";
  if (after === undefined) {
    return rule.type === "deletion" ? `Cannot delete this ${kind}` : undefined;
  }
  switch (rule.type) {
    case "deletion":
      return undefined;
    case "creation":
      return before === undefined
        ? "Cannot create ref due to creations being restricted."
        : undefined;
    case "update":
      return before === undefined ? undefined : "Cannot update this protected ref.";
    case "non_fast_forward":
      return before !== undefined && !(await repository.isAncestor(before, after))
        ? `Cannot force-push to this ${kind}`
        : undefined;
    case "required_linear_history":
      return (await repository.bringsCommits(after, { merges: true }))
        ? `This ${kind} must not contain merge commits.`
        : undefined;
    // No signature is ever verified here, so no new commit has one.
    case "required_signatures":
      return (await repository.bringsCommits(after))
        ? "Commits must have verified signatures."
        : undefined;
    // A new ref at a commit that is already here is not a change that needs a review.
    case "pull_request":
      return before !== undefined || (await repository.bringsCommits(after))
        ? "Changes must be made through a pull request."
        : undefined;
    // Nothing reports checks here, so every required check is still expected.
    case "required_status_checks":
      return before === undefined && rule.parameters.do_not_enforce_on_create
        ? undefined
        : expectedChecks(rule.parameters.required_status_checks.map(({ context }) => context));
  }
}

function expectedChecks(contexts: readonly string[]): string {
  const [only] = contexts;
  return contexts.length === 1 && only !== undefined
    ? `Required status check "${only}" is expected.`
    : `${contexts.length} of ${contexts.length} required status checks are expected.`;
}

function isActor(account: Account, actor: BypassActor): boolean {
  switch (actor.actor_type) {
    case "OrganizationAdmin":
      return account.access === "admin";
    case "RepositoryRole": {
      const needed = roleAccess[actor.actor_id ?? 0];
      return needed !== undefined && mayAccess(account, needed);
    }
    // No token of the stand-in is an app, a team, a deploy key or an enterprise owner.
    default:
      return false;
  }
}

function targets(ruleset: Ruleset, ref: string, defaultBranch: string): boolean {
  const prefix = ruleset.target === "branch" ? "refs/heads/" : "refs/tags/";
  if (!ref.startsWith(prefix)) return false;
  const matches = (pattern: string): boolean => {
    if (pattern === "~ALL") return true;
    if (pattern === "~DEFAULT_BRANCH") return ref === `refs/heads/${defaultBranch}`;
    return globExpression(pattern).test(ref);
  };
  const { include = [], exclude = [] } = ruleset.conditions?.ref_name ?? {};
  return include.some(matches) && !exclude.some(matches);
}

/** fnmatch with path names, as GitHub: `*` and `?` stop at a slash, `**` followed by one does not. */
function globExpression(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*+|\?|[.+^${}()|[\]\\]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part.startsWith("*")) return "[^/]*";
    return part === "?" ? "[^/]" : `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}
