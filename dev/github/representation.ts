import { createHash } from "node:crypto";
import type { Account } from "./access.ts";
import { mayAccess } from "./access.ts";
import type { ChangedFile, Commit, TreeEntry } from "./git-repository.ts";
import type { DeployKey, RepositoryRecord, Webhook } from "./repository-record.ts";
import { bypasses } from "./rule-enforcement.ts";
import type { Ruleset } from "./ruleset.ts";

/** The version of GitHub Enterprise Server whose answers are given. */
export const enterpriseVersion = "3.19.0";

/** No account or organization here has a history: all were made at the same moment. */
const longAgo = "2020-01-01T00:00:00Z";

/** Turns records into the JSON of the API, with URLs under one base. */
export class Representation {
  readonly #web: string;
  readonly #api: string;
  readonly #host: string;
  readonly #owner: string;

  /** `url` is where the server is reached, without a slash at the end. */
  constructor(url: string, owner: string) {
    this.#web = url;
    this.#api = `${url}/api/v3`;
    this.#host = new URL(url).host;
    this.#owner = owner;
  }

  /** `GET /`: where to find what. */
  root() {
    const api = this.#api;
    return {
      current_user_url: `${api}/user`,
      current_user_authorizations_html_url: `${this.#web}/settings/connections/applications{/client_id}`,
      authorizations_url: `${api}/authorizations`,
      code_search_url: `${api}/search/code?q={query}{&page,per_page,sort,order}`,
      commit_search_url: `${api}/search/commits?q={query}{&page,per_page,sort,order}`,
      emails_url: `${api}/user/emails`,
      emojis_url: `${api}/emojis`,
      events_url: `${api}/events`,
      feeds_url: `${api}/feeds`,
      followers_url: `${api}/user/followers`,
      following_url: `${api}/user/following{/target}`,
      gists_url: `${api}/gists{/gist_id}`,
      issue_search_url: `${api}/search/issues?q={query}{&page,per_page,sort,order}`,
      issues_url: `${api}/issues`,
      keys_url: `${api}/user/keys`,
      label_search_url: `${api}/search/labels?q={query}&repository_id={repository_id}{&page,per_page}`,
      notifications_url: `${api}/notifications`,
      organization_url: `${api}/orgs/{org}`,
      organization_repositories_url: `${api}/orgs/{org}/repos{?type,page,per_page,sort}`,
      organization_teams_url: `${api}/orgs/{org}/teams`,
      public_gists_url: `${api}/gists/public`,
      rate_limit_url: `${api}/rate_limit`,
      repository_url: `${api}/repos/{owner}/{repo}`,
      repository_search_url: `${api}/search/repositories?q={query}{&page,per_page,sort,order}`,
      current_user_repositories_url: `${api}/user/repos{?type,page,per_page,sort}`,
      starred_url: `${api}/user/starred{/owner}{/repo}`,
      starred_gists_url: `${api}/gists/starred`,
      user_url: `${api}/users/{user}`,
      user_organizations_url: `${api}/user/orgs`,
      user_repositories_url: `${api}/users/{user}/repos{?type,page,per_page,sort}`,
      user_search_url: `${api}/search/users?q={query}{&page,per_page,sort,order}`,
    };
  }

  /** An account in short, as it appears inside other things. */
  simpleUser(login: string, type: "User" | "Organization" = "User") {
    const url = `${this.#api}/users/${login}`;
    const id = idOf(login);
    return {
      login,
      id,
      node_id: nodeId(type, id),
      avatar_url: `${this.#web}/avatars/u/${id}`,
      gravatar_id: "",
      url,
      html_url: `${this.#web}/${login}`,
      followers_url: `${url}/followers`,
      following_url: `${url}/following{/other_user}`,
      gists_url: `${url}/gists{/gist_id}`,
      starred_url: `${url}/starred{/owner}{/repo}`,
      subscriptions_url: `${url}/subscriptions`,
      organizations_url: `${url}/orgs`,
      repos_url: `${url}/repos`,
      events_url: `${url}/events{/privacy}`,
      received_events_url: `${url}/received_events`,
      type,
      user_view_type: "public",
      site_admin: false,
    };
  }

  /** An account in full. */
  user(login: string, type: "User" | "Organization" = "User") {
    return {
      ...this.simpleUser(login, type),
      name: login,
      company: null,
      blog: "",
      location: null,
      email: null,
      hireable: null,
      bio: null,
      public_repos: 0,
      public_gists: 0,
      followers: 0,
      following: 0,
      created_at: longAgo,
      updated_at: longAgo,
    };
  }

  /** The organization in short. */
  simpleOrganization() {
    const id = idOf(this.#owner);
    const url = `${this.#api}/orgs/${this.#owner}`;
    return {
      login: this.#owner,
      id,
      node_id: nodeId("Organization", id),
      url,
      repos_url: `${url}/repos`,
      events_url: `${url}/events`,
      hooks_url: `${url}/hooks`,
      issues_url: `${url}/issues`,
      members_url: `${url}/members{/member}`,
      public_members_url: `${url}/public_members{/member}`,
      avatar_url: `${this.#web}/avatars/u/${id}`,
      description: null,
    };
  }

  /** The organization in full. */
  organization(repositories: readonly RepositoryRecord[]) {
    const open = repositories.filter(({ settings }) => settings.visibility === "public").length;
    return {
      ...this.simpleOrganization(),
      name: this.#owner,
      has_organization_projects: true,
      has_repository_projects: true,
      public_repos: open,
      total_private_repos: repositories.length - open,
      owned_private_repos: repositories.length - open,
      public_gists: 0,
      followers: 0,
      following: 0,
      html_url: `${this.#web}/${this.#owner}`,
      type: "Organization",
      default_repository_permission: "read",
      members_can_create_repositories: false,
      created_at: longAgo,
      updated_at: longAgo,
      archived_at: null,
    };
  }

  /** A repository as lists and webhooks show it. */
  repository(record: RepositoryRecord, defaultBranch: string, account: Account) {
    const { name, settings } = record;
    const url = this.#repositoryUrl(record);
    const html = this.repositoryPage(record);
    return {
      id: record.id,
      node_id: nodeId("Repository", record.id),
      name,
      full_name: `${record.owner}/${name}`,
      private: settings.visibility !== "public",
      owner: this.simpleUser(record.owner, "Organization"),
      html_url: html,
      description: settings.description,
      fork: false,
      url,
      forks_url: `${url}/forks`,
      keys_url: `${url}/keys{/key_id}`,
      collaborators_url: `${url}/collaborators{/collaborator}`,
      teams_url: `${url}/teams`,
      hooks_url: `${url}/hooks`,
      issue_events_url: `${url}/issues/events{/number}`,
      events_url: `${url}/events`,
      assignees_url: `${url}/assignees{/user}`,
      branches_url: `${url}/branches{/branch}`,
      tags_url: `${url}/tags`,
      blobs_url: `${url}/git/blobs{/sha}`,
      git_tags_url: `${url}/git/tags{/sha}`,
      git_refs_url: `${url}/git/refs{/sha}`,
      trees_url: `${url}/git/trees{/sha}`,
      statuses_url: `${url}/statuses/{sha}`,
      languages_url: `${url}/languages`,
      stargazers_url: `${url}/stargazers`,
      contributors_url: `${url}/contributors`,
      subscribers_url: `${url}/subscribers`,
      subscription_url: `${url}/subscription`,
      commits_url: `${url}/commits{/sha}`,
      git_commits_url: `${url}/git/commits{/sha}`,
      comments_url: `${url}/comments{/number}`,
      issue_comment_url: `${url}/issues/comments{/number}`,
      contents_url: `${url}/contents/{+path}`,
      compare_url: `${url}/compare/{base}...{head}`,
      merges_url: `${url}/merges`,
      archive_url: `${url}/{archive_format}{/ref}`,
      downloads_url: `${url}/downloads`,
      issues_url: `${url}/issues{/number}`,
      pulls_url: `${url}/pulls{/number}`,
      milestones_url: `${url}/milestones{/number}`,
      notifications_url: `${url}/notifications{?since,all,participating}`,
      labels_url: `${url}/labels{/name}`,
      releases_url: `${url}/releases{/id}`,
      deployments_url: `${url}/deployments`,
      created_at: record.created_at,
      updated_at: record.updated_at,
      pushed_at: record.pushed_at,
      git_url: `git://${this.#host}/${record.owner}/${name}.git`,
      ssh_url: `git@${this.#host}:${record.owner}/${name}.git`,
      clone_url: `${html}.git`,
      svn_url: html,
      homepage: settings.homepage,
      size: 0,
      stargazers_count: 0,
      watchers_count: 0,
      language: null,
      has_issues: settings.has_issues,
      has_projects: settings.has_projects,
      has_downloads: settings.has_downloads,
      has_wiki: settings.has_wiki,
      has_pages: false,
      has_discussions: settings.has_discussions,
      forks_count: 0,
      mirror_url: null,
      archived: settings.archived,
      disabled: false,
      open_issues_count: 0,
      license: null,
      allow_forking: settings.allow_forking,
      is_template: settings.is_template,
      web_commit_signoff_required: settings.web_commit_signoff_required,
      topics: record.topics,
      visibility: settings.visibility,
      forks: 0,
      open_issues: 0,
      watchers: 0,
      default_branch: defaultBranch,
      permissions: {
        admin: mayAccess(account, "admin"),
        maintain: mayAccess(account, "admin"),
        push: mayAccess(account, "write"),
        triage: mayAccess(account, "write"),
        pull: true,
      },
    };
  }

  /** A repository in full: what `GET /repos/{owner}/{repo}` and changes answer. */
  fullRepository(record: RepositoryRecord, defaultBranch: string, account: Account) {
    const { settings } = record;
    return {
      ...this.repository(record, defaultBranch, account),
      allow_merge_commit: settings.allow_merge_commit,
      allow_squash_merge: settings.allow_squash_merge,
      allow_rebase_merge: settings.allow_rebase_merge,
      allow_auto_merge: settings.allow_auto_merge,
      allow_update_branch: settings.allow_update_branch,
      delete_branch_on_merge: settings.delete_branch_on_merge,
      use_squash_pr_title_as_default: settings.squash_merge_commit_title === "PR_TITLE",
      merge_commit_title: settings.merge_commit_title,
      merge_commit_message: settings.merge_commit_message,
      squash_merge_commit_title: settings.squash_merge_commit_title,
      squash_merge_commit_message: settings.squash_merge_commit_message,
      organization: this.simpleUser(record.owner, "Organization"),
      network_count: 0,
      subscribers_count: 0,
    };
  }

  /** The page of a repository for people. */
  repositoryPage(record: RepositoryRecord): string {
    return `${this.#web}/${record.owner}/${record.name}`;
  }

  /** A commit, with its statistics if `files` are given. */
  commit(record: RepositoryRecord, commit: Commit, files?: readonly ChangedFile[]) {
    const url = `${this.#repositoryUrl(record)}/commits/${commit.sha}`;
    const { author, committer, message, tree, verification } = this.gitCommit(record, commit);
    return {
      url,
      sha: commit.sha,
      node_id: nodeId("Commit", commit.sha),
      html_url: `${this.repositoryPage(record)}/commit/${commit.sha}`,
      comments_url: `${url}/comments`,
      commit: {
        url: `${this.#repositoryUrl(record)}/git/commits/${commit.sha}`,
        author,
        committer,
        message,
        tree,
        comment_count: 0,
        verification,
      },
      // Addresses are not matched with accounts.
      author: null,
      committer: null,
      parents: this.#parents(record, commit, "commits"),
      ...(files === undefined ? {} : this.#changes(record, commit, files)),
    };
  }

  /** A commit as the contents API shows it. */
  gitCommit(record: RepositoryRecord, commit: Commit) {
    const url = this.#repositoryUrl(record);
    return {
      sha: commit.sha,
      node_id: nodeId("Commit", commit.sha),
      url: `${url}/git/commits/${commit.sha}`,
      html_url: `${this.repositoryPage(record)}/commit/${commit.sha}`,
      author: commit.author,
      committer: commit.committer,
      message: commit.message,
      tree: { sha: commit.tree, url: `${url}/git/trees/${commit.tree}` },
      parents: this.#parents(record, commit, "git/commits"),
      verification: {
        verified: false,
        reason: "unsigned",
        signature: null,
        payload: null,
        verified_at: null,
      },
    };
  }

  /** A file or folder of a commit, without its content; `ref` is what the caller asked for. */
  content(record: RepositoryRecord, entry: TreeEntry, ref: string) {
    const types = { blob: "file", tree: "dir", commit: "submodule" } as const;
    const type = entry.mode === "120000" ? "symlink" : types[entry.type];
    const escaped = entry.path.split("/").map(encodeURIComponent).join("/");
    const repository = this.#repositoryUrl(record);
    const url = `${repository}/contents/${escaped}?ref=${encodeURIComponent(ref)}`;
    const page = type === "dir" ? "tree" : "blob";
    const html = `${this.repositoryPage(record)}/${page}/${ref}/${escaped}`;
    const git = `${repository}/git/${type === "dir" ? "trees" : "blobs"}/${entry.sha}`;
    return {
      name: entry.name,
      path: entry.path,
      sha: entry.sha,
      size: entry.size,
      url,
      html_url: html,
      git_url: git,
      download_url: type === "dir" ? null : `${this.repositoryPage(record)}/raw/${ref}/${escaped}`,
      type,
      _links: { self: url, git, html },
    };
  }

  /** A branch in a list. */
  shortBranch(record: RepositoryRecord, name: string, sha: string, isProtected: boolean) {
    const url = this.#repositoryUrl(record);
    return {
      name,
      commit: { sha, url: `${url}/commits/${sha}` },
      protected: isProtected,
      ...this.#protection(record, name),
    };
  }

  /** A branch in full. */
  branch(record: RepositoryRecord, name: string, commit: Commit, isProtected: boolean) {
    return {
      name,
      commit: this.commit(record, commit),
      _links: {
        self: `${this.#repositoryUrl(record)}/branches/${encodeURIComponent(name)}`,
        html: `${this.repositoryPage(record)}/tree/${name}`,
      },
      protected: isProtected,
      ...this.#protection(record, name),
    };
  }

  /** A ref of git. */
  ref(record: RepositoryRecord, ref: string, sha: string, type = "commit") {
    const url = this.#repositoryUrl(record);
    return {
      ref,
      node_id: nodeId("Ref", `${record.id}:${ref}`),
      url: `${url}/git/${ref}`,
      object: { sha, type, url: `${url}/git/${type}s/${sha}` },
    };
  }

  /** A ruleset in a list. */
  shortRuleset(record: RepositoryRecord, ruleset: Ruleset) {
    return {
      id: ruleset.id,
      name: ruleset.name,
      target: ruleset.target,
      source_type: "Repository",
      source: `${record.owner}/${record.name}`,
      enforcement: ruleset.enforcement,
      node_id: nodeId("RepositoryRuleset", ruleset.id),
      created_at: ruleset.created_at,
      updated_at: ruleset.updated_at,
      _links: {
        self: { href: `${this.#repositoryUrl(record)}/rulesets/${ruleset.id}` },
        html: { href: `${this.repositoryPage(record)}/rules/${ruleset.id}` },
      },
    };
  }

  /** A ruleset in full; who bypasses it is told only to those who may change it. */
  ruleset(record: RepositoryRecord, ruleset: Ruleset, account: Account) {
    return {
      ...this.shortRuleset(record, ruleset),
      conditions: ruleset.conditions ?? { ref_name: { include: [], exclude: [] } },
      rules: ruleset.rules,
      ...(mayAccess(account, "admin") ? { bypass_actors: ruleset.bypass_actors } : {}),
      current_user_can_bypass: bypasses(account, ruleset) ? "always" : "never",
    };
  }

  /** A webhook. Its secret is never shown. */
  webhook(record: RepositoryRecord, hook: Webhook) {
    const url = `${this.#repositoryUrl(record)}/hooks/${hook.id}`;
    const { secret, ...config } = hook.config;
    return {
      type: "Repository",
      id: hook.id,
      name: "web",
      active: hook.active,
      events: hook.events,
      config: { ...config, ...(secret === undefined ? {} : { secret: "********" }) },
      updated_at: hook.updated_at,
      created_at: hook.created_at,
      url,
      test_url: `${url}/test`,
      ping_url: `${url}/pings`,
      deliveries_url: `${url}/deliveries`,
      last_response: { code: null, status: "unused", message: null },
    };
  }

  /** A deploy key. */
  deployKey(record: RepositoryRecord, key: DeployKey) {
    return {
      id: key.id,
      key: key.key,
      url: `${this.#repositoryUrl(record)}/keys/${key.id}`,
      title: key.title,
      verified: true,
      created_at: key.created_at,
      read_only: key.read_only,
      added_by: key.added_by,
      last_used: null,
      enabled: true,
    };
  }

  #repositoryUrl(record: RepositoryRecord): string {
    return `${this.#api}/repos/${record.owner}/${record.name}`;
  }

  #parents(record: RepositoryRecord, commit: Commit, path: string) {
    return commit.parents.map((sha) => ({
      sha,
      url: `${this.#repositoryUrl(record)}/${path}/${sha}`,
      html_url: `${this.repositoryPage(record)}/commit/${sha}`,
    }));
  }

  #changes(record: RepositoryRecord, commit: Commit, files: readonly ChangedFile[]) {
    const sum = (of: (file: ChangedFile) => number) =>
      files.reduce((all, file) => all + of(file), 0);
    const additions = sum((file) => file.additions);
    const deletions = sum((file) => file.deletions);
    return {
      stats: { additions, deletions, total: additions + deletions },
      files: files.map((file) => {
        const escaped = file.path.split("/").map(encodeURIComponent).join("/");
        const page = this.repositoryPage(record);
        return {
          sha: file.sha,
          filename: file.path,
          status: file.status,
          additions: file.additions,
          deletions: file.deletions,
          changes: file.additions + file.deletions,
          blob_url: `${page}/blob/${commit.sha}/${escaped}`,
          raw_url: `${page}/raw/${commit.sha}/${escaped}`,
          contents_url: `${this.#repositoryUrl(record)}/contents/${escaped}?ref=${commit.sha}`,
        };
      }),
    };
  }

  #protection(record: RepositoryRecord, name: string) {
    return {
      // Branch protection as it was before rulesets; nothing here has any.
      protection: {
        enabled: false,
        required_status_checks: { enforcement_level: "off", contexts: [], checks: [] },
      },
      protection_url: `${this.#repositoryUrl(record)}/branches/${encodeURIComponent(name)}/protection`,
    };
  }
}

/** A stable id for an account that has none of its own. */
export function idOf(login: string): number {
  return createHash("sha256").update(login.toLowerCase()).digest().readUInt32BE() % 100_000_000;
}

function nodeId(kind: string, id: number | string): string {
  return Buffer.from(`0${kind.length}:${kind}${id}`).toString("base64");
}
