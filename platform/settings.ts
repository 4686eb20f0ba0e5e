import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

import { IMAGE_REGISTRY, KUBERNETES_VERSIONS, TIER_NAMES } from "../tenants/schema.ts";
import { exactObject, expected, schemaErrors, type SchemaError } from "./schema-errors.ts";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const text = (what: string) => z.string(expected(what)).min(1, expected(what));
const matching = (pattern: RegExp, what: string) => text(what).regex(pattern, expected(what));
const namespace = (of: string) => matching(DNS_LABEL, `${of} such as argocd`);

/** A base URL: http or https, kept without its trailing slash so that paths can be appended. */
const url = (example: string) =>
  z
    .url({ protocol: /^https?$/, ...expected(`an http or https URL such as ${example}`) })
    .transform((value) => value.replace(/\/+$/, ""));

const PORT = expected("a port between 1 and 65535");
const port = z.int(PORT).min(1, PORT).max(65535, PORT);

/** Where a Helm chart comes from. */
const chart = (repository: string) => ({
  /**
   * Helm repository that serves the chart. A closed network names its mirror here.
   * Fails later, in Argo CD, if the repository does not serve the chart in that version.
   */
  repository: url(repository).default(repository),
  /** Exact version of the chart. Ranges are refused: two runs must render the same. */
  version: matching(/^\d+\.\d+\.\d+(-[\w.]+)?$/, "an exact chart version such as 1.2.3"),
});

const host = exactObject({
  /**
   * Name of the kubeconfig context of the host cluster. The kubeconfig itself is what KUBECONFIG
   * (or ~/.kube/config) says wherever the program runs, and never enters the state.
   * Default: the current context.
   */
  context: text("the name of a kubeconfig context").optional(),
  /**
   * Name that identifies the host cluster for as long as it lives. Changing it tells Pulumi that
   * this is another cluster: everything is then replaced. Everything else about the connection
   * may change freely.
   */
  clusterIdentifier: text("a lasting name for the host cluster"),
  /**
   * Where the host's API server answers: the addresses and the port that
   * `kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes` lists. Control
   * planes may connect to these, and to no other private address. Too narrow: no virtual cluster
   * starts, where the network enforces NetworkPolicies.
   */
  apiServer: exactObject({
    /** CIDR blocks: /32 for one address, or the subnet that a cloud takes them from. */
    addresses: z
      .array(
        z.union([z.cidrv4(), z.cidrv6()], expected("a CIDR block such as 10.0.0.10/32")),
        expected("a list of CIDR blocks"),
      )
      .min(1, expected("at least one CIDR block")),
    /** Default: 443. */
    port: port.default(443),
  }),
});

const argocd = exactObject({
  /** Namespace of the host Argo CD. Default: argocd. */
  namespace: namespace("the namespace of the host Argo CD").default("argocd"),
  /** Where people open the host Argo CD in a browser. */
  url: url("https://argocd.example.com"),
  /**
   * Install Argo CD by its official Helm chart. Absent: the Argo CD that runs in the namespace is
   * adopted, nothing of it is created or changed; without one there, the run fails at the first
   * AppProject.
   */
  install: exactObject(chart("https://argoproj.github.io/argo-helm")).optional(),
});

const virtualClusters = exactObject({
  /** Domain under which every virtual cluster has its name: <tenant>.<domain>. */
  domain: matching(DNS_NAME, "a domain such as k8s.example.com"),
  /** Port where the virtual clusters' API servers answer from outside. Default: 443. */
  port: port.default(443),
  /**
   * Host name or IPv4 address to connect to, for clients that cannot resolve the domain. Then
   * kubeconfigs say `server: https://<address>:<port>` and `tls-server-name: <tenant>.<domain>`,
   * by which the gateway still finds the tenant. Default: clients connect to <tenant>.<domain>.
   */
  address: matching(DNS_NAME, "a host name or IPv4 address such as 127.0.0.1").optional(),
  /**
   * The Gateway (Gateway API) whose TLS-passthrough listener leads to the virtual clusters. It must
   * exist and accept TLSRoutes of the namespaces vc-*; the program makes only the routes.
   */
  gateway: exactObject({
    /** Name of the Gateway. */
    name: matching(DNS_LABEL, "the name of a Gateway"),
    /** Its namespace: pods of this namespace may reach the virtual clusters' API servers. */
    namespace: namespace("the namespace of the Gateway"),
  }),
});

const git = exactObject({
  /** Base URL of the GitHub that holds the tenants' repositories, as Argo CD reaches it. */
  url: url("https://github.com").default("https://github.com"),
  /**
   * Base URL of its REST API. Default: https://api.github.com for github.com, else `url`
   * (GitHub Enterprise Server, where the API lies under <url>/api/v3).
   */
  apiUrl: url("https://api.github.com").optional(),
  /** Organization (or user) that owns the repositories. */
  owner: matching(/^[A-Za-z0-9][-A-Za-z0-9]{0,38}$/, "the name of a GitHub organization"),
});

/** How many times over a resource may be promised: 1 promises what is there, 2 twice as much. */
const ratio = (byDefault: number) => {
  const message = expected("a ratio from 0.1 to 100");
  return z.number(message).min(0.1, message).max(100, message).default(byDefault);
};

const nodePool = exactObject({
  /** Labels that the pool's nodes carry. None: every node whose taints are all among `taints`. */
  labels: z
    .record(z.string(), z.string(), expected("a mapping of node labels to values"))
    .default({}),
  /** Taints of the pool's nodes, which the pods of its tenants tolerate. Default: none. */
  taints: z
    .array(
      exactObject({
        key: text("the key of a taint"),
        value: text("the value of a taint").optional(),
        effect: z.enum(
          ["NoSchedule", "NoExecute"],
          expected("NoSchedule or NoExecute", ["NoSchedule", "NoExecute"]),
        ),
      }),
      expected("a list of taints"),
    )
    .default([]),
});

const overcommit = exactObject({
  /** Of the CPU that pods request. Default: 1. */
  cpu: ratio(1),
  /** Of the memory that pods request. More than 1 risks that pods are killed. Default: 1. */
  memory: ratio(1),
  /** Of the pods that nodes take. Default: 1. */
  pods: ratio(1),
});

/** What tenants can choose. A platform that cannot run something leaves it out. */
const offers = exactObject({
  /** Tiers. Default: all. */
  tiers: z
    .array(z.enum(TIER_NAMES, expected(`one of ${TIER_NAMES.join(", ")}`, TIER_NAMES)))
    .min(1, expected("at least one tier"))
    .default([...TIER_NAMES]),
  /** Kubernetes versions, in quotes. Default: all that the vCluster chart supports. */
  kubernetes: z
    .array(
      z.enum(
        KUBERNETES_VERSIONS,
        expected(`one of ${KUBERNETES_VERSIONS.join(", ")}, in quotes`, KUBERNETES_VERSIONS),
      ),
    )
    .min(1, expected("at least one version"))
    .default([...KUBERNETES_VERSIONS]),
});

const NODE_POOL = "the name of a node pool, a DNS label";
const SERVICE = "the name of a service, a DNS label";
const vclusterChart = chart("https://charts.loft.sh");
const charts = exactObject({
  /** The vCluster chart. Default version: 0.36.1, the one whose values this program writes. */
  vcluster: exactObject({
    ...vclusterChart,
    version: vclusterChart.version
      .regex(/^0\.36\./, expected("a version 0.36.*, whose values this program writes"))
      .default("0.36.1"),
  }).prefault({}),
});

const schema = z.object({
  host,
  argocd,
  charts: charts.prefault({}),
  virtualClusters,
  git,
  /** What tenants can choose from. Default: everything. */
  offers: offers.prefault({}),
  /** Node pools that tenants can ask for, by name. Default: `shared`, all nodes. */
  nodePools: z
    .record(matching(DNS_LABEL, NODE_POOL), nodePool, expected("a mapping of names to node pools"))
    .default({ shared: { labels: {}, taints: [] } }),
  /**
   * Image registries, or paths in them, that pods of every tenant may use: registry.example.com,
   * docker.io/library. Without a registry in its name, an image is of docker.io. Default: none, so
   * that only images of the registries that a tenant's file names can run.
   */
  imageRegistries: z
    .array(
      matching(IMAGE_REGISTRY, "a registry, with a path where one is meant: docker.io/library"),
      expected("a list of registries"),
    )
    .default([]),
  /** How far what is promised to tenants may exceed what the nodes have. Default: not at all. */
  overcommit: overcommit.prefault({}),
  /** Services of the catalog that tenants can ask for, by name. Default: none. */
  services: z.array(matching(DNS_LABEL, SERVICE), expected("a list of services")).default([]),
  /** Groups of the identity provider that tenants can name. Default: none. */
  groups: z.array(text("the name of a group"), expected("a list of groups")).default([]),
});

/** What the platform engineer decided in the stack's configuration, with defaults filled in. */
export type PlatformSettings = z.output<typeof schema>;

/** The settings of the running stack, with its secrets. */
export interface Platform extends PlatformSettings {
  /**
   * Token with read access to the tenants' repositories (`tenantry:gitArgocdToken`, a Pulumi
   * secret). It goes into Argo CD's repository Secrets and nowhere else. The token by which the
   * program itself writes to GitHub is the environment's GITHUB_TOKEN.
   */
  readonly gitArgocdToken: pulumi.Output<string>;
}

/** Thrown when the stack's configuration is not valid; the message lists every fault. */
export class PlatformSettingsError extends pulumi.RunError {
  readonly faults: readonly SchemaError[];

  constructor(faults: readonly SchemaError[]) {
    super(
      `the platform settings of this stack are not valid:\n  ${faults.map(describe).join("\n  ")}`,
    );
    this.name = "PlatformSettingsError";
    this.faults = faults;
  }
}

/** Keys of the configuration that hold the structured settings. */
const KEYS = schema.keyof().options;
const TOKEN_KEY = "gitArgocdToken";

/** Checks settings that were read from anywhere, key by key without their namespace. */
export function parsePlatformSettings(
  values: Readonly<Record<string, unknown>>,
):
  | { readonly settings: PlatformSettings; readonly faults: readonly [] }
  | { readonly settings?: never; readonly faults: readonly SchemaError[] } {
  const result = schema.safeParse(values);
  return result.success
    ? { settings: result.data, faults: [] }
    : { faults: schemaErrors(result.error) };
}

/** Reads the stack's configuration. Throws a PlatformSettingsError that lists every fault. */
export function loadPlatform(config: pulumi.Config): Platform {
  const { settings, faults } = parsePlatformSettings(
    Object.fromEntries(KEYS.map((key) => [key, config.getObject<unknown>(key)])),
  );
  const gitArgocdToken = config.getSecret(TOKEN_KEY);
  if (settings === undefined || gitArgocdToken === undefined) {
    const secret = `a secret: pulumi config set --secret tenantry:${TOKEN_KEY}`;
    throw new PlatformSettingsError(
      gitArgocdToken === undefined
        ? [...faults, { path: [TOKEN_KEY], message: `missing: expected ${secret}` }]
        : faults,
    );
  }
  return { ...settings, gitArgocdToken };
}

function describe({ path, message }: SchemaError): string {
  return `tenantry:${path.join(".")}: ${message}`;
}
