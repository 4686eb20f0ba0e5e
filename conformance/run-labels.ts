/** Labels of everything that a run makes, inside and on the host. */
export const RUN_LABELS = { "app.kubernetes.io/managed-by": "tenantry-conformance" } as const;

/** Labels of what a run makes where other tenants' runs make theirs. */
export function runLabelsOf(tenant: string) {
  return { ...RUN_LABELS, "app.kubernetes.io/instance": tenant };
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
