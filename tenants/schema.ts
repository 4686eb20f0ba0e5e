import { z } from "zod";

import { exactObject, expected } from "../platform/schema-errors.ts";
import { parseDuration } from "./duration.ts";
import { nearestBytes, parseBytes, parseMillicores } from "./quantity.ts";

/**
 * The Kubernetes versions that a tenant can ask for: those of vCluster 0.36's list of supported
 * versions (config/default_extra_values.go) that upstream Kubernetes still maintains.
 */
export const KUBERNETES_VERSIONS = ["1.34", "1.35", "1.36"] as const;

/** Tag of the image ghcr.io/loft-sh/kubernetes that each version means. */
export const KUBERNETES_IMAGE_TAGS: Readonly<Record<(typeof KUBERNETES_VERSIONS)[number], string>> =
  { "1.34": "v1.34.0", "1.35": "v1.35.3", "1.36": "v1.36.3" };

/** Sizes of virtual clusters, from small to critical: what each means stands in presets.ts. */
export const TIER_NAMES = ["small", "standard", "critical"] as const;

/** Pod Security Standards that a tenant can be held to: what each means stands in presets.ts. */
export const ISOLATION_LEVEL_NAMES = ["baseline", "restricted"] as const;

const DAYS = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;

/**
 * What the field means to the people who write tenant files. The editors' JSON Schema and the
 * reference page are made of it, so it is the only place that says it.
 */
interface FieldNote {
  /** What it is for, what happens with it, and what fails. Sentences. */
  readonly meaning: string;
  /** What a number or a quantity counts. */
  readonly unit?: string;
  /** A value as it stands in a file. */
  readonly example: unknown;
  /** The default in words, where it depends on other settings. Constants stand in presets.ts. */
  readonly defaultNote?: string;
  /** Checked and kept, but nothing acts on it yet. `tenantry check` says so. */
  readonly withoutEffect?: true;
}

/** The notes of the fields, by schema. */
export const fieldNotes = z.registry<FieldNote>();

function field<Schema extends z.ZodType>(schema: Schema, note: FieldNote): Schema {
  fieldNotes.add(schema, note);
  return schema;
}

/**
 * Longest tenant name. Names derived from it must stay legal (a StatefulSet's pods carry it with a
 * hash in a 63-character label) and leave room for a stage's suffix.
 */
export const NAME_LENGTH = 32;

/** Names that would collide with those of Kubernetes, Argo CD or the platform itself. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "argocd",
  "default", // Argo CD's AppProject that allows everything
  "host",
  "in-cluster", // what Argo CD calls the host cluster
  "kubernetes",
  "platform",
  "tenantry",
  "tenantry-platform", // the AppProject of the virtual clusters
  "vcluster",
]);
/** `vc-<tenant>` names the Application of a tenant's virtual cluster. */
const RESERVED_PREFIXES = ["kube-", "vc-"];

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** What a certificate and a TLSRoute can name: no IP address. */
const DNS_NAME =
  /^(?=.{1,253}$)(?!.*\.[0-9]+$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$/;
const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
/** A registry's host, with a port and a path where there is one. No tag, no wildcard. */
export const IMAGE_REGISTRY =
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;
const CLOCK = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;
const GITHUB_NAME = /^[A-Za-z0-9][-A-Za-z0-9]{0,38}(\/[-A-Za-z0-9_.]{1,100})?$/;

/** Label keys whose domain belongs to somebody: a tenant may not speak in their name. */
const RESERVED_LABEL_DOMAINS = [
  "kubernetes.io",
  "k8s.io",
  "tenantry.dev",
  "loft.sh",
  "argoproj.io",
];
const LABEL_KEY =
  /^((?=[^/]{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const NAME = `a DNS label of at most ${NAME_LENGTH} lower-case letters, digits and hyphens that starts with a letter`;
const name = z
  .string(expected(NAME))
  .max(NAME_LENGTH, expected(NAME))
  .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/, expected(NAME))
  .refine(
    (value) =>
      !RESERVED_NAMES.has(value) && !RESERVED_PREFIXES.some((prefix) => value.startsWith(prefix)),
    expected(
      `a name that is not reserved (${[...RESERVED_NAMES, ...RESERVED_PREFIXES.map((prefix) => `${prefix}*`)].join(", ")})`,
    ),
  );

/** Text that has something to read in it. */
function text(what: string, length: number) {
  return z
    .string(expected(what))
    .max(length, expected(what))
    .regex(/[\p{L}\p{N}]/u, expected(what))
    .regex(/^[^\p{Cc}]*$/u, expected(`${what}, on one line`));
}

function matching(pattern: RegExp, what: string) {
  return z.string(expected(what)).regex(pattern, expected(what));
}

/** One of a few words. The message of another word names the nearest. */
function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, expected(`one of ${words.join(", ")}`, words));
}

/** A whole number within bounds. */
function whole(what: string, minimum: number, maximum: number) {
  const message = expected(`${what}, a whole number from ${minimum} to ${maximum}`);
  return z.int(message).min(minimum, message).max(maximum, message);
}

/** For editors, in their JSON Schema; the loader itself parses the text. */
const QUANTITY_HINT = { pattern: "^[0-9.]+([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?$" };
const DURATION_HINT = { pattern: "^[0-9]+[mhd]$" };

/** Text that `count` turns into a number of units, at least `minimum` of them; `meantBy` guesses what other text was to say. */
function counted(
  count: (text: string) => number | undefined,
  kind: string,
  minimum: string,
  example: string,
  meantBy: (text: string) => string | undefined = () => undefined,
) {
  const what = expected(`${kind} such as ${example}`);
  const least = count(minimum) ?? 0;
  return (value: string | number, context: z.RefinementCtx): number => {
    const units = count(String(value));
    if (units !== undefined && units >= least) return units;
    const said = (units === undefined ? what : expected(`at least ${minimum}`)).error({
      input: value,
    });
    const meant = units === undefined ? meantBy(String(value)) : undefined;
    const message = meant === undefined ? said : `${said}, did you mean ${meant}?`;
    context.issues.push({ code: "custom", input: value, message });
    return z.NEVER;
  };
}

/** A Kubernetes quantity. A bare number is good YAML for a whole one: cpu: 4. */
function quantity(
  count: (text: string) => number | undefined,
  minimum: string,
  example: string,
  meantBy?: (text: string) => string | undefined,
) {
  const kind = "a Kubernetes quantity";
  return z
    .union([z.string().meta(QUANTITY_HINT), z.number()], expected(`${kind} such as ${example}`))
    .transform(counted(count, kind, minimum, example, meantBy));
}
const cpu = (minimum: string) => quantity(parseMillicores, minimum, "4 or 500m");
const memory = (minimum: string) => quantity(parseBytes, minimum, "8Gi", nearestBytes);

function duration(minimum: string, example: string) {
  const kind = "a duration in minutes, hours or days";
  return z
    .string(expected(`${kind} such as ${example}`))
    .meta(DURATION_HINT)
    .transform(counted(parseDuration, kind, minimum, example));
}

/** A list in which nothing stands twice. */
function list<Item extends z.ZodType>(item: Item, what: string) {
  return z
    .array(item, expected(`a list of ${what}`))
    .superRefine((items, context) => {
      const seen = new Set<string>();
      items.forEach((entry, index) => {
        const key = JSON.stringify(entry);
        if (seen.has(key)) {
          const message = `stands in the list twice: ${key}`;
          context.addIssue({ code: "custom", path: [index], message });
        }
        seen.add(key);
      });
    })
    .meta({ uniqueItems: true });
}

const groupName = text("the name of an identity-provider group", 128);
const serviceName = matching(DNS_LABEL, "the name of a service of the platform's catalog");
const COST_CENTRE = "a cost centre such as CC-1001";

const computeResources = (example: { cpu: string; memory: string }, what: string) => ({
  cpu: field(cpu("1m"), {
    meaning: `CPU ${what}.`,
    unit: "cores",
    example: example.cpu,
  }),
  memory: field(memory("1Mi"), {
    meaning: `Memory ${what}.`,
    unit: "bytes",
    example: example.memory,
  }),
});

const json = z.json();
/** What Helm can be given: YAML has more, such as .nan. */
const chartValue = z.custom<z.output<typeof json>>(
  (value) => json.safeParse(value).success,
  expected("text, a finite number, true, false, null, a list or a mapping"),
);

/** A CIDR block that is not so wide that it names nobody. */
const cidr = z
  .union(
    [z.cidrv4(), z.cidrv6()],
    expected("an IPv4 or IPv6 block in CIDR notation such as 10.20.0.0/16"),
  )
  .refine(
    (value) => Number(value.split("/")[1]) >= 8,
    expected("a block that names somebody: /8 or narrower"),
  )
  .refine(
    (value) => !/^(169\.254\.|fe[89ab]|fd00:0?ec2:)/i.test(value),
    expected("a block outside of 169.254.0.0/16 and the like: a cloud's metadata service is there"),
  );

/**
 * All settings of a tenant, in the form that files and presets are written in. A tenant file says
 * some of them, presets.ts the others.
 */
export const tenantSchema = exactObject({
  name: field(name, {
    meaning:
      "Name of the tenant and of its virtual cluster, and of the file itself. At most 32 lower-case letters, digits and hyphens, starting with a letter, in one file only, and none of the reserved names. A tenant cannot be renamed.",
    example: "acme",
  }),
  displayName: field(text("a name of 1 to 63 characters", 63), {
    meaning: "What people call the tenant, in descriptions and in its repository.",
    example: "Acme Payments",
    defaultNote: "owner.team",
  }),
  owner: field(
    exactObject({
      team: field(
        text("the team's name, 1 to 63 characters", 63).regex(
          /[A-Za-z0-9]/,
          expected(
            "a team's name with a Latin letter or a digit in it: its GitHub team is named after it",
          ),
        ),
        {
          meaning:
            "The team's name, as people write it. Its GitHub team is the same in lower case, hyphened.",
          example: "Acme Payments",
        },
      ),
      email: field(z.email(expected("an e-mail address")), {
        meaning: "Mailbox that the platform writes to.",
        example: "payments@example.com",
      }),
      group: field(groupName.optional(), {
        meaning:
          "The team's group at the identity provider: one of the platform's `groups`. Nobody signs in by group without one.",
        example: "acme-payments",
        defaultNote: "none",
        withoutEffect: true,
      }),
    }),
    { meaning: "Who answers for the tenant.", example: { team: "Acme", email: "a@example.com" } },
  ),
  costCentre: field(matching(LABEL_VALUE, COST_CENTRE), {
    meaning: "Cost centre that pays, kept as a label: at most 63 letters, digits, `-`, `_`, `.`.",
    example: "CC-1001",
  }),
  tier: field(oneOf(TIER_NAMES), {
    meaning:
      "Size of the virtual cluster: quota, control plane and its database. Every value of a tier can be set by itself. Never implicit, because it costs money. `critical` keeps its objects in another database, so that a tenant cannot change from or to it.",
    example: "standard",
  }),
  isolation: field(oneOf(ISOLATION_LEVEL_NAMES), {
    meaning:
      "Pod Security Standard that every pod of the tenant is held to. `baseline` lets containers run as root.",
    example: "restricted",
  }),
  kubernetes: field(
    z.enum(
      KUBERNETES_VERSIONS,
      expected(
        `one of ${KUBERNETES_VERSIONS.map((version) => `"${version}"`).join(", ")}, in quotes`,
      ),
    ),
    {
      meaning:
        "Kubernetes version of the virtual cluster, major and minor, in quotes (YAML reads 1.30 as 1.3). It is raised one minor version at a time and never lowered.",
      example: "1.36",
    },
  ),
  quota: field(
    exactObject({
      cpu: field(cpu("500m"), {
        meaning: "CPU that pods may request, and be limited to, in all.",
        unit: "cores",
        example: "4",
      }),
      memory: field(memory("512Mi"), {
        meaning: "Memory that pods may request, and be limited to, in all.",
        unit: "bytes",
        example: "8Gi",
      }),
      storage: field(memory("0"), {
        meaning: "Size of all volumes together.",
        unit: "bytes",
        example: "20Gi",
      }),
      pods: field(whole("the pods", 1, 10_000), {
        meaning: "Pods that have not finished.",
        unit: "pods",
        example: 40,
      }),
      persistentVolumeClaims: field(whole("the volume claims", 0, 10_000), {
        meaning: "Volume claims.",
        unit: "claims",
        example: 10,
      }),
      loadBalancers: field(whole("the load balancers", 0, 100), {
        meaning:
          "Services of type LoadBalancer. Each costs an address: none unless a file says so. They must set `allocateLoadBalancerNodePorts: false`, since ports on the host's nodes are nobody's.",
        unit: "Services",
        example: 1,
      }),
      objects: field(
        exactObject({
          services: field(whole("the Services", 1, 10_000), {
            meaning: "Services, in all namespaces of the virtual cluster together.",
            unit: "Services",
            example: 50,
          }),
          configMaps: field(whole("the ConfigMaps", 1, 100_000), {
            meaning: "ConfigMaps that pods use.",
            unit: "ConfigMaps",
            example: 200,
          }),
          secrets: field(whole("the Secrets", 1, 100_000), {
            meaning: "Secrets that pods use.",
            unit: "Secrets",
            example: 200,
          }),
        }),
        {
          meaning: "The most objects of a kind that the virtual cluster may have on the host.",
          example: { services: 50 },
        },
      ),
    }),
    {
      meaning:
        "The most that everything in the virtual cluster takes together; its control plane comes on top, at the platform's expense. Lowering it evicts nothing that runs.",
      example: { cpu: "4", memory: "8Gi" },
    },
  ),
  containers: field(
    exactObject({
      requests: field(
        exactObject(
          computeResources(
            { cpu: "50m", memory: "128Mi" },
            "requested where a container says nothing",
          ),
        ),
        { meaning: "Default requests.", example: { cpu: "50m" } },
      ),
      limits: field(
        exactObject(
          computeResources(
            { cpu: "500m", memory: "512Mi" },
            "that is the limit where a container says nothing",
          ),
        ),
        {
          meaning: "Default limits. No lower than the default requests.",
          example: { cpu: "500m" },
        },
      ),
    }),
    {
      meaning: "What a container gets that does not say what it needs.",
      example: { limits: { memory: "1Gi" } },
    },
  ),
  nodePool: field(matching(DNS_LABEL, "the name of a node pool of the platform"), {
    meaning:
      "Node pool of the host that the tenant's pods run on, its control plane too: one of the platform's `nodePools`.",
    example: "shared",
  }),
  exposure: field(
    exactObject({
      domain: field(matching(DNS_NAME, "a domain such as acme.k8s.example.com").optional(), {
        meaning:
          "Host name of the virtual cluster's API server. It must lead to the platform's Gateway and be nobody else's. Host names below it are the tenant's for Ingresses.",
        example: "kubernetes.acme.example.com",
        defaultNote: "<name>.<domain of the platform's virtualClusters>",
      }),
    }),
    {
      meaning: "How the virtual cluster is reached from outside.",
      example: { domain: "a.example.com" },
    },
  ),
  argocd: field(
    exactObject({
      mode: field(oneOf(["shared", "dedicated"]), {
        meaning:
          "`shared`: a fenced project on the host's Argo CD. `dedicated`: an Argo CD in the virtual cluster; not available yet, and refused.",
        example: "shared",
      }),
      roles: field(
        exactObject({
          admin: field(list(groupName, "groups"), {
            meaning: "Groups that administer the tenant's applications.",
            example: ["acme-leads"],
            withoutEffect: true,
          }),
          developer: field(list(groupName, "groups"), {
            meaning: "Groups that may also sync.",
            example: ["acme-payments"],
            withoutEffect: true,
          }),
          viewer: field(list(groupName, "groups"), {
            meaning: "Groups that may look.",
            example: ["auditors"],
            withoutEffect: true,
          }),
        }),
        {
          meaning: "Who may do what in Argo CD, by groups out of the platform's `groups`.",
          example: { viewer: ["auditors"] },
        },
      ),
      kinds: field(
        list(
          matching(
            /^(?=.{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+\/[A-Z][A-Za-z0-9]{0,62}$/,
            "a kind with its API group, such as cert-manager.io/Certificate",
          ),
          "kinds",
        ),
        {
          meaning:
            "Kinds of custom resources that the shared Argo CD may deploy from the repository, each with its API group. Kubernetes' own kinds for namespaces and CustomResourceDefinitions need not be named.",
          example: ["cert-manager.io/Certificate"],
        },
      ),
    }),
    { meaning: "The tenant's Argo CD.", example: { mode: "shared" } },
  ),
  repository: field(
    exactObject({
      visibility: field(oneOf(["private", "internal", "public"]), {
        meaning: "Who may read the repository. `internal` needs a GitHub Enterprise.",
        example: "private",
      }),
      template: field(
        matching(
          /^[A-Za-z0-9][-A-Za-z0-9]{0,38}\/[-A-Za-z0-9_.]{1,100}$/,
          "a repository as owner/name",
        ).optional(),
        {
          meaning: "Template repository that the tenant's repository is made from, once.",
          example: "example-corp/team-template",
          defaultNote: "none",
          withoutEffect: true,
        },
      ),
      reviewers: field(
        list(matching(GITHUB_NAME, "a GitHub user, or a team as owner/team"), "users and teams"),
        {
          meaning: "Code owners of the whole repository beside the owner's team.",
          example: ["octocat", "example-corp/platform"],
        },
      ),
      protectedBranches: field(
        list(
          z
            .string(expected("the name of a branch"))
            .max(100, expected("the name of a branch"))
            .regex(
              // git-check-ref-format(1), and without what a pattern of a ruleset would read.
              /^(?![/.-])(?!.*(?:\/\/|\.\.|\/\.|@\{|\.lock(?:\/|$)))[^\s~^:?*[\]\\\p{Cc}]+(?<![/.])$/u,
              expected("the name of a branch, without wildcards"),
            ),
          "branches",
        ),
        {
          meaning: "Branches that cannot be deleted nor lose history, beside the default branch.",
          example: ["release"],
        },
      ),
    }),
    { meaning: "The tenant's Git repository.", example: { visibility: "internal" } },
  ),
  services: field(list(serviceName, "services"), {
    meaning:
      "Services out of the platform's catalog (`services`) that the platform runs in the virtual cluster.",
    example: ["cert-manager"],
    withoutEffect: true,
  }),
  stages: field(
    exactObject({
      maximum: field(whole("the stages", 0, 100), {
        meaning:
          "Stages that may exist at a time. Each takes from the host: none unless a file says so.",
        unit: "stages",
        example: 5,
        withoutEffect: true,
      }),
      longestTimeToLive: field(duration("10m", "8h"), {
        meaning: "After this time a stage is destroyed, whatever it was asked for.",
        unit: "minutes (m), hours (h), days (d)",
        example: "72h",
        withoutEffect: true,
      }),
    }),
    { meaning: "Short-lived virtual clusters of the tenant.", example: { maximum: 5 } },
  ),
  backup: field(
    exactObject({
      every: field(duration("1h", "24h"), {
        meaning: "Time from one backup to the next.",
        unit: "minutes (m), hours (h), days (d)",
        example: "24h",
        withoutEffect: true,
      }),
      keep: field(duration("1h", "14d"), {
        meaning: "Time after which a backup is deleted. No shorter than `every`.",
        unit: "minutes (m), hours (h), days (d)",
        example: "14d",
        withoutEffect: true,
      }),
    }).optional(),
    {
      meaning: "Backups of the virtual cluster. Both values are needed.",
      example: { every: "24h", keep: "14d" },
      defaultNote: "none: backups cost money",
    },
  ),
  sleep: field(
    exactObject({
      timeZone: field(
        z
          .string(expected("a time zone such as Europe/Berlin"))
          .refine(isTimeZone, expected("a time zone of the IANA database such as Europe/Berlin")),
        {
          meaning: "Time zone of the hours, by its IANA name.",
          example: "Europe/Berlin",
          withoutEffect: true,
        },
      ),
      awake: field(
        exactObject({
          days: field(list(oneOf(DAYS), "weekdays").min(1, expected("at least one weekday")), {
            meaning: "Days on which the virtual cluster is awake.",
            example: ["monday", "friday"],
            withoutEffect: true,
          }),
          from: field(matching(CLOCK, "a time such as 07:00, in quotes"), {
            meaning: "It wakes at this time, in quotes (YAML may read 07:00 as a number).",
            unit: "hours:minutes",
            example: "07:00",
            withoutEffect: true,
          }),
          to: field(matching(CLOCK, "a time such as 19:00, in quotes"), {
            meaning: "It falls asleep at this time, later on the same day.",
            unit: "hours:minutes",
            example: "19:00",
            withoutEffect: true,
          }),
        }),
        {
          meaning: "Working hours. Outside of them the virtual cluster sleeps.",
          example: { days: ["monday"], from: "07:00", to: "19:00" },
        },
      ),
    }).optional(),
    {
      meaning: "Hours in which the virtual cluster has no pods, so that it costs nothing.",
      example: {
        timeZone: "Europe/Berlin",
        awake: { days: ["monday"], from: "07:00", to: "19:00" },
      },
      defaultNote: "never asleep",
    },
  ),
  labels: field(
    z.record(
      matching(LABEL_KEY, "a label key such as example.com/area").refine(
        (key) =>
          !RESERVED_LABEL_DOMAINS.some((domain) =>
            (key.split("/").at(-2) ?? "").match(
              new RegExp(`(^|\\.)${domain.replaceAll(".", "\\.")}$`),
            ),
          ),
        expected(`a label key outside of the domains ${RESERVED_LABEL_DOMAINS.join(", ")}`),
      ),
      matching(
        /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/,
        "a label value: at most 63 letters, digits, -, _ and ., in quotes if it looks like a number",
      ),
      expected("a mapping of label keys to values"),
    ),
    {
      meaning: "More labels on the tenant's namespace, for your own tools.",
      example: { "example.com/area": "payments" },
    },
  ),
  imageRegistries: field(
    list(
      matching(
        IMAGE_REGISTRY,
        "a registry, with a path where one is meant: registry.example.com/acme",
      ),
      "registries",
    ),
    {
      meaning: "Image registries that the tenant's pods may use beside those of the platform.",
      example: ["registry.example.com/acme"],
    },
  ),
  egress: field(
    list(
      exactObject({
        to: field(cidr, {
          meaning: "Addresses, as a CIDR block of /8 or narrower.",
          example: "10.20.0.0/16",
        }),
        ports: field(
          list(whole("a port", 1, 65_535), "ports").min(1, expected("at least one port")),
          { meaning: "TCP ports.", example: [5432] },
        ),
      }),
      "allowances, each with to and ports",
    ),
    {
      meaning: "Private addresses that the tenant's pods may reach. The internet is open to them.",
      example: [{ to: "10.20.0.0/16", ports: [5432] }],
    },
  ),
  vcluster: field(
    exactObject({
      values: field(z.record(z.string(), chartValue, expected("a mapping of chart values")), {
        meaning:
          "More values of the vCluster chart. They are checked against the chart's own schema, need no licence, and may not undo what the platform sets.",
        example: { sync: { toHost: { ingresses: { enabled: true } } } },
      }),
    }),
    { meaning: "Settings of vCluster itself.", example: { values: {} } },
  ),
});

/**
 * A tenant with everything settled: CPU in thousandths of a core, memory and storage in bytes,
 * durations in seconds.
 */
export type Tenant = z.output<typeof tenantSchema>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    // An offset such as +01:00 would be taken too, and knows no daylight saving time.
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}
