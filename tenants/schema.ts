import { z } from "zod";

import { exactObject, expected } from "../platform/schema-errors.ts";
import { parseBytes, parseMillicores } from "./quantity.ts";

/**
 * The Kubernetes versions that a tenant can ask for: those of vCluster 0.36's list of supported
 * versions (config/default_extra_values.go) that upstream Kubernetes still maintains.
 */
export const KUBERNETES_VERSIONS = ["1.34", "1.35", "1.36"] as const;

/** Tag of the image ghcr.io/loft-sh/kubernetes that each version means. */
export const KUBERNETES_IMAGE_TAGS: Readonly<Record<(typeof KUBERNETES_VERSIONS)[number], string>> =
  { "1.34": "v1.34.0", "1.35": "v1.35.3", "1.36": "v1.36.3" };

/**
 * Longest tenant name. Names derived from it must stay legal (a StatefulSet's pods carry it with a
 * hash in a 63-character label) and leave room for a stage's suffix.
 */
const NAME_LENGTH = 32;

/** Names that would collide with those of Kubernetes, Argo CD or the platform itself. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "argocd",
  "default",
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

const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

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

/** A quantity of at least `minimum`, counted in whole units by `count`. */
function quantity(count: (text: string) => number | undefined, minimum: string, example: string) {
  const what = expected(`a Kubernetes quantity such as ${example}`);
  const least = count(minimum) ?? 0;
  // A bare number is good YAML for a whole one: cpu: 4.
  return z.union([z.string(), z.number()], what).transform((value, context) => {
    const units = count(String(value));
    if (units === undefined || units < least) {
      context.issues.push({
        code: "custom",
        input: value,
        message: (units === undefined ? what : expected(`at least ${minimum}`)).error({
          input: value,
        }),
      });
      return z.NEVER;
    }
    return units;
  });
}

const OWNER_TEAM = "the team's name, 1 to 63 characters";
const VERSIONS = `one of ${KUBERNETES_VERSIONS.map((version) => `"${version}"`).join(", ")}, in quotes`;
const PODS = "a whole number of pods, at least 1";

/** One tenant file: `tenants/<name>.yaml`. Every key is required unless it says otherwise. */
export const tenantSchema = exactObject({
  /**
   * Name of the tenant and of its virtual cluster, and the file's own name. Fails if it is no
   * DNS label of at most 32 characters, if it is reserved, or if another file has it. Renaming a
   * tenant deletes the old one and makes a new one.
   */
  name,
  /** Who answers for the tenant. */
  owner: exactObject({
    /** The team's name, as people write it. Its GitHub team is the same in lower case, hyphened. */
    team: z
      .string(expected(OWNER_TEAM))
      .max(63, expected(OWNER_TEAM))
      .regex(/[A-Za-z0-9]/, expected(OWNER_TEAM)),
    /** Mailbox that the platform writes to. */
    email: z.email(expected("an e-mail address")),
  }),
  /** Cost centre that pays, kept as a label: at most 63 letters, digits, `-`, `_` and `.`. */
  costCentre: z
    .string(expected("a cost centre such as CC-1001"))
    .regex(LABEL_VALUE, expected("a cost centre such as CC-1001")),
  /**
   * Kubernetes version of the virtual cluster, major and minor, in quotes (else YAML reads 1.30 as
   * 1.3). vCluster upgrades one minor version at a time.
   */
  kubernetes: z.enum(KUBERNETES_VERSIONS, expected(VERSIONS)),
  /**
   * The most that everything in the virtual cluster takes together; its control plane comes on
   * top, at the platform's expense. Lowering it evicts nothing that runs.
   */
  quota: exactObject({
    /** CPU that pods may request, and be limited to. In thousandths of a core. At least 500m. */
    cpu: quantity(parseMillicores, "500m", "4 or 500m"),
    /** Memory that pods may request, and be limited to. In bytes. At least 512Mi. */
    memory: quantity(parseBytes, "512Mi", "8Gi"),
    /** Size of all volumes together. In bytes. 0 allows none. */
    storage: quantity(parseBytes, "0", "20Gi"),
    /** Number of pods that have not finished. At least 1. */
    pods: z.int(expected(PODS)).min(1, expected(PODS)),
  }),
});

/** A tenant, as its file says: CPU in thousandths of a core, memory and storage in bytes. */
export type Tenant = z.output<typeof tenantSchema>;
