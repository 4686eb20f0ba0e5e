import { isMapping, type Mapping } from "../tenants/effective-settings.ts";

const READ = ["get", "list", "watch"];
const ALL = [...READ, "create", "delete", "patch", "update"];

/** A rule of a Role. */
interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * What a virtual cluster may do in its namespace on the host, instead of what chart 0.36.1 gives it
 * (templates/role.yaml): it changes no Deployment, ReplicaSet or StatefulSet but its own, which it
 * restarts when its certificates change (pkg/certs/watcher.go); it opens no tunnel to pods by any
 * verb but those that open one; and what is not synced it cannot make.
 */
export function vclusterRole(name: string, { sync }: Mapping, replicas: number): PolicyRule[] {
  const synced = (kind: string) => {
    const toHost = isMapping(sync) ? sync["toHost"] : undefined;
    const setting = isMapping(toHost) ? toHost[kind] : undefined;
    return isMapping(setting) && setting["enabled"] === true;
  };
  const rule = (group: string, resources: readonly string[], verbs: readonly string[]) => ({
    apiGroups: [group],
    resources,
    verbs,
  });
  return [
    rule(
      "",
      ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "secrets", "services"],
      ALL,
    ),
    rule("", ["pods/attach", "pods/exec", "pods/portforward"], ["create", "get"]),
    rule("", ["pods/ephemeralcontainers", "pods/resize", "pods/status"], ["patch", "update"]),
    rule("", ["pods/log"], ["get"]),
    rule("", ["events"], ["create", ...READ]),
    rule("events.k8s.io", ["events"], ["create", ...READ]),
    rule("apps", ["deployments", "replicasets", "statefulsets"], READ),
    { ...rule("apps", ["deployments", "statefulsets"], ["patch"]), resourceNames: [name] },
    rule("discovery.k8s.io", ["endpointslices"], ALL),
    rule(
      "networking.k8s.io",
      ["networkpolicies", ...(synced("ingresses") ? ["ingresses"] : [])],
      ALL,
    ),
    ...(synced("podDisruptionBudgets") ? [rule("policy", ["poddisruptionbudgets"], ALL)] : []),
    // Its replicas agree on a leader.
    ...(replicas > 1 ? [rule("coordination.k8s.io", ["leases"], ALL)] : []),
  ];
}
