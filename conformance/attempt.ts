import type { Ground } from "./ground.ts";

/** What an attempt is about. */
export const AREAS = [
  "escape",
  "other tenants",
  "starvation",
  "impersonation",
  "admission bypass",
  "Argo CD",
  "repository",
  "permitted",
] as const;

/** What can refuse. `nobody`: it was done. `no answer`: it cannot be told. An admission policy is named: `policy images` is tenantry-images on the host. */
export type Layer =
  | "Pod Security"
  | `policy ${string}`
  | "quota"
  | "RBAC"
  | "authentication"
  | "API server"
  | "vCluster"
  | "Argo CD"
  | "Argo CD project"
  | "Argo CD registration"
  | "Git service"
  | "nobody"
  | "no answer";

/** What became of an attempt. */
export interface Answer {
  /** Who refused; `nobody`: it was done. */
  readonly by: Layer;
  /** The answer, word by word, or what was seen. */
  readonly text: string;
}

/** One thing that a tenant, or whoever took over something of a tenant's, may try. */
export interface Attempt {
  /** Short name, unique; it stays the same between releases. */
  readonly id: string;
  readonly area: (typeof AREAS)[number];
  /** What is tried, in words that complete "… tries". */
  readonly what: string;
  /** Who has to refuse it; `nobody`: it has to work. */
  readonly expected: Layer;
  /** What of the platform's own makes that layer refuse; absent where it is no setting of ours. */
  readonly rail?: Rail;
  /** It takes what all attempts share, such as the quota: it runs after the others. */
  readonly last?: true;
  readonly run: (ground: Ground) => Promise<Answer>;
}

/** Who has to refuse an attempt, and by which rail. */
export type Refusal = Pick<Attempt, "expected" | "rail">;

/** The guard rails that can be switched off one by one. */
export const RAILS = [
  "Pod Security of the namespace",
  "ResourceQuota",
  "LimitRange",
  "Role of the virtual cluster",
  "Role of Argo CD inside",
  "policy images",
  "policy host-access",
  "policy services",
  "policy ingresses",
  "policy volume-claims",
  "policy nodes",
  "policy priorities",
  "policy workloads",
  "policy network-policies",
  "policy finalizers",
  "policy rails",
  "policy namespaces",
  "sources of the AppProject",
  "destinations of the AppProject",
  "kinds of the AppProject",
  "namespaces of the registration",
  "ruleset of the repository",
  "visibility of the repository",
] as const;
export type Rail = (typeof RAILS)[number];

/** Which layer of an API server said no, by its words. */
export function refusingLayer(status: number, message: string): Layer {
  const policy = /ValidatingAdmissionPolicy 'tenantry-([^']+)'/.exec(message)?.[1];
  if (policy !== undefined) return `policy ${policy}`;
  if (message.includes("violates PodSecurity")) return "Pod Security";
  if (/(exceeded|failed) quota/.test(message)) return "quota";
  if (/(cannot|is not allowed to) .* (resource|path|group)/.test(message)) return "RBAC";
  if (message.includes("attempting to grant RBAC permissions not currently held")) return "RBAC";
  return status === 401 ? "authentication" : "API server";
}
