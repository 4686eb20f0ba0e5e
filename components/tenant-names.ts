import type { PlatformSettings } from "../platform/settings.ts";
import { hostnameOf } from "../tenants/rules.ts";
import type { Tenant } from "../tenants/schema.ts";

/** What the parts of a tenant are called, in the clusters and from outside. */
export interface TenantNames {
  /** Namespace of the virtual cluster on the host cluster. */
  readonly namespace: string;
  /** Name by which the gateway knows the virtual cluster, and its certificate answers. */
  readonly hostname: string;
  /** API server of the virtual cluster, from outside, by name. */
  readonly apiUrl: string;
  /** What clients connect to: the same as apiUrl unless the platform sets an address. */
  readonly server: string;
  /** Its API server, from inside the host cluster. */
  readonly serverInHost: string;
  /** The tenant's repository, in a browser. */
  readonly repositoryUrl: string;
  /** What git clones. */
  readonly cloneUrl: string;
  /** The tenant's applications in Argo CD, in a browser. */
  readonly argocdUrl: string;
}

/** A virtual cluster's API server, from inside the host cluster. */
export function serverInHost(name: string, namespace: string): string {
  return `https://${name}.${namespace}:443`;
}

/** Names everything of a tenant that more than one part of the program has to name. */
export function tenantNames(tenant: Tenant, platform: PlatformSettings): TenantNames {
  const { name } = tenant;
  const { port, address } = platform.virtualClusters;
  const namespace = `vc-${name}`;
  const hostname = hostnameOf(tenant, platform);
  const repositoryUrl = `${platform.git.url}/${platform.git.owner}/${name}`;
  return {
    namespace,
    hostname,
    apiUrl: `https://${hostname}${port === 443 ? "" : `:${port}`}`,
    server: `https://${address ?? hostname}:${port}`,
    serverInHost: serverInHost(name, namespace),
    repositoryUrl,
    cloneUrl: `${repositoryUrl}.git`,
    argocdUrl: `${platform.argocd.url}/applications/${platform.argocd.namespace}/${name}`,
  };
}
