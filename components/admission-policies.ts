import type { PlatformSettings } from "../platform/settings.ts";

/** Label of everything that is a tenant's; on a namespace, what the admission policies bind to. */
export const TENANT_LABEL = "tenantry.dev/tenant";
/** Labels and annotations of a tenant's namespace that the admission policies read. */
export const TIER_LABEL = "tenantry.dev/tier";
export const NODE_POOL_LABEL = "tenantry.dev/node-pool";
/** Registries beside the platform's, separated by commas. */
export const IMAGE_REGISTRIES_ANNOTATION = "tenantry.dev/image-registries";
/** Private addresses that may be reached: `<block> <TCP port>`, separated by commas. */
export const EGRESS_ANNOTATION = "tenantry.dev/egress";
/** The domain whose names below it are the tenant's own. */
export const DOMAIN_ANNOTATION = "tenantry.dev/domain";
/** Pods with this label, and the value `own`, get only what their team's NetworkPolicies allow. */
export const OWN_POLICIES_LABEL = "tenantry.dev/network-policies";
/** What vCluster writes on each object that it makes on the host; tenants cannot change it. */
export const SYNCED_LABEL = "vcluster.loft.sh/managed-by";

/** PriorityClass of the virtual clusters' control planes. */
export const CONTROL_PLANE_PRIORITY = "tenantry-control-plane";

/** Name of the PriorityClass of a tier. */
export function tierPriority(tier: string): string {
  return `tenantry-${tier}`;
}

/**
 * Repositories of the images that a virtual cluster itself runs (chart 0.36.1): its program,
 * Kubernetes, its etcd, and CoreDNS, which it makes from inside like a tenant's pod.
 */
const CONTROL_PLANE_IMAGES = [
  "ghcr.io/loft-sh/vcluster-oss",
  "ghcr.io/loft-sh/kubernetes",
  "registry.k8s.io/etcd",
  "docker.io/coredns/coredns",
];

/**
 * Addresses that are nobody's on the internet: private networks, the host itself, and what answers
 * a cloud's instances, such as their metadata service (IANA special-purpose registries; Oracle's
 * 192.0.0.192 and Alibaba's 100.100.100.200 are in 192.0.0.0/24 and 100.64.0.0/10).
 */
export const PRIVATE_BLOCKS = {
  ipv4: [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
  ],
  // 64:ff9b:…, and 2002::/16 too, lead to IPv4 addresses, private ones among them.
  ipv6: [
    "::/127",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
  ],
} as const;

interface Resources {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly operations?: readonly ("CREATE" | "UPDATE" | "DELETE")[];
}

/** One ValidatingAdmissionPolicy and what binds it. All of them refuse when they cannot decide. */
export interface AdmissionPolicy {
  /** Short name; on the host it is `tenantry-<name>`. */
  readonly name: string;
  readonly resources: readonly Resources[];
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly {
    readonly expression: string;
    /** What is told to who is refused: a CEL expression that gives a text. */
    readonly messageExpression: string;
  }[];
  /** Labels of the namespaces that it binds to. Absent: it is not about objects in namespaces. */
  readonly namespaces?: Readonly<Record<string, string>>;
}

/** A CEL literal: its texts, lists and maps are written as JSON's are. */
const literal = (value: unknown) => JSON.stringify(value);

const pods: Resources = { apiGroups: [""], resources: ["pods"], operations: ["CREATE"] };
const ephemeralContainers: Resources = {
  apiGroups: [""],
  resources: ["pods", "pods/ephemeralcontainers"],
  operations: ["UPDATE"],
};
/** What holds a template of pods. Pod Security only warns of these. */
const templates: readonly Resources[] = [
  { apiGroups: [""], resources: ["podtemplates", "replicationcontrollers"] },
  { apiGroups: ["apps"], resources: ["daemonsets", "deployments", "replicasets", "statefulsets"] },
  { apiGroups: ["batch"], resources: ["cronjobs", "jobs"] },
];

const podSpecOf = (object: string) =>
  `(object.kind == 'Pod' ? ${object}.spec : object.kind == 'CronJob' ? ${object}.spec.jobTemplate.spec.template.spec : object.kind == 'PodTemplate' ? ${object}.template.spec : ${object}.spec.template.spec)`;
const podSpec = { name: "podSpec", expression: podSpecOf("object") };
const containersOf = (spec: string) =>
  `(${spec}.containers + ${spec}.?initContainers.orValue([]) + ${spec}.?ephemeralContainers.orValue([]))`;
const containers = { name: "containers", expression: containersOf("variables.podSpec") };
/** Of containers, and of volumes that are images. */
const imagesOf = (spec: string) =>
  `(${containersOf(spec)}.filter(c, has(c.image)).map(c, c.image) + ${spec}.?volumes.orValue([]).filter(v, has(v.image) && has(v.image.reference)).map(v, v.image.reference))`;

/** Labels of an object, or none. */
const labelsOf = (object: string) => `${object}.metadata.?labels.orValue({})`;
const tenantOf = `namespaceObject.metadata.labels['${TENANT_LABEL}']`;

/** Who may change the admission policies is the platform: no name has to be known. */
const byPlatform = {
  name: "byPlatform",
  expression:
    "authorizer.group('admissionregistration.k8s.io').resource('validatingadmissionpolicies').name('tenantry-namespaces').check('update').allowed()",
};
/** Asked by a virtual cluster, or by whoever has taken over what runs in a tenant's namespace. */
const byTenant = {
  name: "by-tenant",
  expression:
    "request.userInfo.groups.exists(g, g == 'system:serviceaccounts:' + request.namespace)",
};

/** Objects in a tenant's namespace that vCluster may make. */
const syncedResources: readonly Resources[] = [
  {
    apiGroups: [""],
    resources: ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "secrets", "services"],
  },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"] },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses", "networkpolicies"] },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"] },
];

/** Objects in a tenant's namespace by which the platform holds the tenant. */
const railResources: readonly Resources[] = [
  { apiGroups: [""], resources: ["limitranges", "resourcequotas", "serviceaccounts"] },
];

/**
 * What the host's API server refuses in the namespaces of tenants, whoever asks and whatever the
 * virtual clusters let pass. Pod Security, quotas and RBAC hold beside these.
 */
export function planAdmissionPolicies(platform: PlatformSettings): readonly AdmissionPolicy[] {
  return [
    images(platform),
    hostAccess,
    services,
    ingresses,
    volumeClaims,
    ...Object.entries(platform.nodePools).map(([name, pool]) => nodes(name, pool)),
    priorities,
    workloads,
    networkPolicies,
    finalizers,
    rails,
    namespaces,
  ];
}

function images({ imageRegistries }: PlatformSettings): AdmissionPolicy {
  return {
    name: "images",
    resources: [pods, ephemeralContainers, ...templates],
    variables: [
      podSpec,
      {
        name: "allowed",
        expression: `${literal([...CONTROL_PLANE_IMAGES, ...imageRegistries])} + namespaceObject.metadata.?annotations[?'${IMAGE_REGISTRIES_ANNOTATION}'].orValue('').split(',').filter(r, r != '')`,
      },
      {
        // What runs already goes on, also when the lists grow shorter.
        name: "before",
        expression: `request.operation == 'UPDATE' && object.kind == 'Pod' ? ${imagesOf("oldObject.spec")} : []`,
      },
      {
        // As a container runtime reads a name: nginx is docker.io/library/nginx.
        name: "names",
        expression: `${imagesOf("variables.podSpec")}.filter(i, !(i in variables.before)).map(i, !i.contains('/') ? 'docker.io/library/' + i : i.split('/')[0].contains('.') || i.split('/')[0].contains(':') || i.split('/')[0] == 'localhost' ? i : 'docker.io/' + i)`,
      },
      {
        // An entry is a registry, or a path in one, or a repository: then a tag or digest may follow.
        name: "foreign",
        expression:
          "variables.names.filter(i, !variables.allowed.exists(r, i.startsWith(r + '/') || (r.contains('/') && (i == r || i.startsWith(r + ':') || i.startsWith(r + '@')))))",
      },
    ],
    validations: [
      {
        expression: "variables.foreign.size() == 0",
        messageExpression: `'image ' + variables.foreign.join(', ') + ' is from a registry that is neither the platform\\'s nor the tenant\\'s: it allows ' + variables.allowed.join(', ') + ', and more by imageRegistries in the tenant\\'s file'`,
      },
    ],
    namespaces: {},
  };
}

const says = (text: string) => literal(text);

const hostAccess: AdmissionPolicy = {
  name: "host-access",
  resources: [pods, ephemeralContainers, ...templates],
  variables: [podSpec, containers],
  validations: [
    ...["hostNetwork", "hostPID", "hostIPC"].map((field) => ({
      expression: `!variables.podSpec.?${field}.orValue(false)`,
      messageExpression: says(`${field} joins a pod with its node`),
    })),
    {
      expression: "!variables.podSpec.?volumes.orValue([]).exists(v, has(v.hostPath))",
      messageExpression: says("a hostPath volume reaches the files of the node"),
    },
    {
      expression:
        "!variables.containers.exists(c, c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0))",
      messageExpression: says("a hostPort is a port of the node"),
    },
    {
      expression: "!variables.containers.exists(c, c.?securityContext.?privileged.orValue(false))",
      messageExpression: says("a privileged container is root on the node"),
    },
  ],
  namespaces: {},
};

const services: AdmissionPolicy = {
  name: "services",
  resources: [{ apiGroups: [""], resources: ["services"] }],
  validations: [
    {
      expression: "object.spec.?type.orValue('ClusterIP') in ['ClusterIP', 'LoadBalancer']",
      messageExpression:
        "'a Service of type ' + object.spec.type + ' is not allowed: NodePort opens a port of every node, past the gateway, and ExternalName leads ingress controllers to Services of others'",
    },
    {
      expression: "object.spec.?ports.orValue([]).all(p, p.?nodePort.orValue(0) == 0)",
      messageExpression: says(
        "a nodePort opens a port of every node: a LoadBalancer does without one by allocateLoadBalancerNodePorts: false",
      ),
    },
    {
      expression: "object.spec.?externalIPs.orValue([]).size() == 0",
      messageExpression: says("externalIPs take over traffic that is meant for others"),
    },
  ],
  namespaces: {},
};

/** Host names on a shared ingress controller are whose Ingress comes first. */
const ingresses: AdmissionPolicy = {
  name: "ingresses",
  resources: [{ apiGroups: ["networking.k8s.io"], resources: ["ingresses"] }],
  variables: [
    {
      name: "domain",
      expression: `namespaceObject.metadata.?annotations[?'${DOMAIN_ANNOTATION}'].orValue('')`,
    },
  ],
  validations: [
    {
      expression:
        "variables.domain != '' && object.spec.?rules.orValue([]).all(r, r.?host.orValue('').endsWith('.' + variables.domain)) && object.spec.?tls.orValue([]).all(t, t.?hosts.orValue([]).all(h, h.endsWith('.' + variables.domain)))",
      messageExpression:
        "'the host names of an Ingress must be below ' + variables.domain + ', the tenant\\'s own domain'",
    },
    {
      expression: "!has(object.spec.defaultBackend)",
      messageExpression: says("a default backend takes what is meant for others"),
    },
  ],
  namespaces: {},
};

/** A volume that is there already can be anybody's. */
const volumeClaims: AdmissionPolicy = {
  name: "volume-claims",
  resources: [{ apiGroups: [""], resources: ["persistentvolumeclaims"], operations: ["CREATE"] }],
  matchConditions: [byTenant],
  validations: [
    {
      expression: "object.spec.?volumeName.orValue('') == '' && !has(object.spec.selector)",
      messageExpression: says(
        "a claim is answered by a new volume: it cannot choose one by volumeName or selector",
      ),
    },
  ],
  namespaces: {},
};

function nodes(pool: string, { labels, taints }: PlatformSettings["nodePools"][string]) {
  const known = taints.map(({ key, value = "", effect }) => ({ key, value, effect }));
  return {
    name: `nodes-${pool}`,
    resources: [pods, ephemeralContainers, ...templates],
    variables: [
      podSpec,
      {
        name: "before",
        expression:
          "request.operation == 'UPDATE' && object.kind == 'Pod' ? oldObject.spec.?tolerations.orValue([]) : []",
      },
      {
        // Kubernetes itself adds tolerations of node.kubernetes.io: of a node that is going away.
        name: "foreign",
        expression: `variables.podSpec.?tolerations.orValue([]).filter(t, !(t in variables.before) && !t.?key.orValue('').startsWith('node.kubernetes.io/') && !${literal(known)}.exists(taint, t.?key.orValue('') == taint.key && t.?effect.orValue(taint.effect) == taint.effect && (t.?operator.orValue('Equal') == 'Equal' ? t.?value.orValue('') == taint.value : taint.value == '')))`,
      },
    ],
    validations: [
      {
        expression: "variables.foreign.size() == 0",
        messageExpression: `'a toleration of ' + variables.foreign.map(t, t.?key.orValue('every taint')).join(', ') + ' is for nodes outside of the node pool ${pool}'`,
      },
      {
        expression:
          "(object.kind == 'Pod' && request.operation == 'UPDATE') || variables.podSpec.?nodeName.orValue('') == ''",
        messageExpression: says("nodeName goes past the scheduler, to any node"),
      },
      ...(Object.keys(labels).length === 0
        ? []
        : [
            {
              // Older pods stay where they are when a tenant moves to another pool.
              expression: `(object.kind == 'Pod' && request.operation == 'UPDATE') || ${literal(labels)}.all(k, variables.podSpec.?nodeSelector[?k].orValue('') == ${literal(labels)}[k])`,
              messageExpression: says(
                `a pod must select the nodes of its node pool ${pool} by ${Object.entries(labels)
                  .map(([key, value]) => `${key}=${value}`)
                  .join(", ")}`,
              ),
            },
          ]),
    ],
    namespaces: { [NODE_POOL_LABEL]: pool },
  } satisfies AdmissionPolicy;
}

const priorities: AdmissionPolicy = {
  name: "priorities",
  resources: [pods, ...templates],
  variables: [
    podSpec,
    {
      name: "offered",
      expression: `['${tierPriority("")}' + ${labelsOf("namespaceObject")}[?'${TIER_LABEL}'].orValue('')] + (request.userInfo.groups.exists(g, g == 'system:serviceaccounts:' + request.namespace) ? [] : ['${CONTROL_PLANE_PRIORITY}'])`,
    },
    {
      // A virtual cluster restarts its control plane by a change of the template, for one.
      name: "before",
      expression: `request.operation == 'UPDATE' ? [${podSpecOf("oldObject")}.?priorityClassName.orValue('')] : []`,
    },
  ],
  validations: [
    {
      expression:
        "variables.podSpec.?priorityClassName.orValue('') in variables.offered + variables.before + (object.kind == 'Pod' ? [] : [''])",
      messageExpression:
        "'priorityClassName \"' + variables.podSpec.?priorityClassName.orValue('') + '\" is not offered here: ' + variables.offered.join(', ')",
    },
  ],
  namespaces: {},
};

/** What is asked by a virtual cluster: its tenant's pods, and no more control planes. */
const workloads: AdmissionPolicy = {
  name: "workloads",
  resources: [pods],
  matchConditions: [byTenant],
  validations: [
    {
      expression: `${labelsOf("object")}[?'${SYNCED_LABEL}'].orValue('') == ${tenantOf}`,
      messageExpression: says(
        `a virtual cluster makes pods of its own tenant only, and says so by the label ${SYNCED_LABEL}`,
      ),
    },
    {
      expression: `object.spec.?serviceAccountName.orValue('') == 'vc-workload-' + ${tenantOf}`,
      messageExpression: `'a tenant\\'s pods run as the service account vc-workload-' + ${tenantOf} + ', which may do nothing'`,
    },
    {
      expression:
        "!object.spec.?automountServiceAccountToken.orValue(true) && !object.spec.?volumes.orValue([]).exists(v, v.?projected.?sources.orValue([]).exists(s, has(s.serviceAccountToken)))",
      messageExpression: says("a tenant's pods get no token of the host cluster"),
    },
  ],
  namespaces: {},
};

/**
 * Policies add up: one that a team writes must not open what the platform's leave closed. Within
 * the virtual cluster, and to callers from outside, a team opens what it likes.
 */
const networkPolicies: AdmissionPolicy = {
  name: "network-policies",
  resources: [{ apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"] }],
  matchConditions: [byTenant],
  variables: [
    {
      name: "allowances",
      expression: `namespaceObject.metadata.?annotations[?'${EGRESS_ANNOTATION}'].orValue('').split(',').filter(a, a != '').map(a, a.split(' '))`,
    },
    {
      name: "private",
      expression: literal([...PRIVATE_BLOCKS.ipv4, ...PRIVATE_BLOCKS.ipv6]),
    },
  ],
  validations: [
    {
      expression: `object.spec.?podSelector.?matchLabels[?'${SYNCED_LABEL}'].orValue('') == ${tenantOf}`,
      messageExpression: says("a team's policy is about its own pods, not about its control plane"),
    },
    {
      expression:
        "object.spec.?egress.orValue([]).all(rule, rule.?to.orValue([]).size() > 0 && rule.to.all(peer, !has(peer.namespaceSelector)))",
      messageExpression: says(
        "egress to everything, or to other namespaces of the host, is not a team's to allow",
      ),
    },
    {
      // A block and a private one overlap where one contains the other.
      expression:
        "object.spec.?egress.orValue([]).all(rule, rule.?to.orValue([]).all(peer, !has(peer.ipBlock) || variables.private.all(p, !(cidr(p).containsCIDR(peer.ipBlock.cidr) || cidr(peer.ipBlock.cidr).containsCIDR(p)) || p in peer.ipBlock.?except.orValue([])) || (rule.?ports.orValue([]).size() > 0 && rule.ports.all(port, port.?protocol.orValue('TCP') == 'TCP' && !has(port.endPort) && has(port.port) && variables.allowances.exists(a, cidr(a[0]).containsCIDR(peer.ipBlock.cidr) && a[1] == string(port.port))))))",
      messageExpression: `'egress to private addresses is for the tenant\\'s file to allow (egress): ' + variables.private.join(', ') + ' must be among the except of a wider block'`,
    },
  ],
  namespaces: {},
};

/** A finalizer that nobody takes away would keep the namespace, and all that it costs, for ever. */
const finalizers: AdmissionPolicy = {
  name: "finalizers",
  resources: syncedResources,
  matchConditions: [byTenant],
  variables: [
    {
      name: "before",
      expression: "request.operation == 'UPDATE' ? oldObject.metadata.?finalizers.orValue([]) : []",
    },
  ],
  validations: [
    {
      // Kubernetes puts this one on every claim, in the very request.
      expression:
        "object.metadata.?finalizers.orValue([]).all(f, f in variables.before || f == 'kubernetes.io/pvc-protection')",
      messageExpression: says("a virtual cluster puts no finalizers on what it makes on the host"),
    },
  ],
  namespaces: {},
};

/** What holds a tenant is the platform's to make, to change and to remove. */
const rails: AdmissionPolicy = {
  name: "rails",
  resources: [...syncedResources, ...railResources].map((resources) => ({
    ...resources,
    operations: ["CREATE", "UPDATE", "DELETE"] as const,
  })),
  matchConditions: [
    {
      name: "is-platforms",
      expression: ["object", "oldObject"]
        .map(
          (object) =>
            `(${object} != null && ${labelsOf(object)}.exists(k, k.startsWith('tenantry.dev/') && k != '${OWN_POLICIES_LABEL}'))`,
        )
        .join(" || "),
    },
  ],
  variables: [byPlatform],
  validations: [
    {
      // A namespace that goes takes everything along.
      expression: "variables.byPlatform || has(namespaceObject.metadata.deletionTimestamp)",
      messageExpression: says(
        "labels tenantry.dev/* are the platform's, and so is every object in a tenant's namespace that has one",
      ),
    },
  ],
  namespaces: {},
};

const guarded = (key: string) =>
  `(${key}.startsWith('tenantry.dev/') || ${key}.startsWith('pod-security.kubernetes.io/'))`;
const kept = (field: "labels" | "annotations") => {
  const [now, before] = ["object", "oldObject"].map(
    (object) => `${object}.metadata.?${field}.orValue({})`,
  );
  return `${now}.all(k, !${guarded("k")} || ${before}[?k].orValue('') == ${now}[k]) && ${before}.all(k, !${guarded("k")} || k in ${now})`;
};

/** The labels of a tenant's namespace decide what holds in it. */
const namespaces: AdmissionPolicy = {
  name: "namespaces",
  resources: [
    { apiGroups: [""], resources: ["namespaces"], operations: ["CREATE", "UPDATE", "DELETE"] },
  ],
  matchConditions: [
    {
      // Not by the binding: it would look at the labels after the change only.
      name: "is-tenants",
      expression: `request.name.startsWith('vc-') || ${["object", "oldObject"]
        .map((object) => `(${object} != null && '${TENANT_LABEL}' in ${labelsOf(object)})`)
        .join(" || ")}`,
    },
  ],
  variables: [byPlatform],
  validations: [
    {
      expression: `variables.byPlatform || (request.operation == 'UPDATE' && ${kept("labels")} && ${kept("annotations")})`,
      messageExpression: says(
        "a tenant's namespace, its labels and annotations tenantry.dev/* and its Pod Security are the platform's",
      ),
    },
  ],
};
