/** Labels of everything that a run on a tenant makes, inside and on the host. */
export function runLabelsOf(tenant: string) {
  return {
    "app.kubernetes.io/managed-by": "tenantry-conformance",
    "app.kubernetes.io/instance": tenant,
  };
}

/** Names of namespaces and branches that runs make. */
export const RUN_PREFIX = "conformance-";

/** The query that selects what has labels. */
export function labelQuery(labels: Readonly<Record<string, string>>): string {
  const selector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  return `labelSelector=${encodeURIComponent(selector)}`;
}
