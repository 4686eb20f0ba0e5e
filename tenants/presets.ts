import type { ISOLATION_LEVEL_NAMES, Tenant, TIER_NAMES } from "./schema.ts";

/** Settings in the form of a tenant file, any of them left out. */
export type Preset = { readonly [field: string]: string | number | readonly string[] | Preset };

/** Pods of a virtual cluster's control plane. */
export interface ControlPlanePods {
  /** How many of them run. */
  readonly replicas: number;
  /** How many there are at most at a time: a Deployment makes a new one before the old one goes. */
  readonly pods: number;
  /** Of each: CPU in thousandths of a core, memory in bytes. */
  readonly requests: { readonly cpu: number; readonly memory: number };
  readonly limits: { readonly cpu: number; readonly memory: number };
  /** Size of the volume of each, in bytes; 0 for none. */
  readonly storage: number;
}

/** How a virtual cluster itself runs. It comes on top of the tenant's quota. */
export interface ControlPlane {
  /**
   * Where it keeps its objects. `sqlite`: in the one control-plane pod, enough for some thousand
   * objects. `etcd`: in three members of its own, so that the control plane can have replicas.
   */
  readonly store: "sqlite" | "etcd";
  /** API server, controller manager and syncer in one pod. */
  readonly vcluster: ControlPlanePods;
  readonly etcd?: ControlPlanePods;
  readonly coredns: ControlPlanePods;
}

const Mi = 2 ** 20;
const Gi = 2 ** 30;

const coredns: ControlPlanePods = {
  replicas: 1,
  pods: 2,
  requests: { cpu: 20, memory: 64 * Mi },
  limits: { cpu: 200, memory: 170 * Mi },
  storage: 0,
};

/** What each tier means. A tenant file overrides any single value of `settings`. */
export const TIERS: Readonly<
  Record<
    (typeof TIER_NAMES)[number],
    {
      readonly settings: Preset;
      readonly controlPlane: ControlPlane;
    }
  >
> = {
  // For trying out, and for teams with a few services.
  small: {
    settings: {
      quota: {
        cpu: "2",
        memory: "4Gi",
        storage: "10Gi",
        pods: 20,
        persistentVolumeClaims: 5,
        objects: { services: 30, configMaps: 100, secrets: 100 },
      },
    },
    controlPlane: {
      store: "sqlite",
      vcluster: {
        replicas: 1,
        pods: 1,
        // 540 MB measured when idle.
        requests: { cpu: 200, memory: 640 * Mi },
        limits: { cpu: 2000, memory: 2 * Gi },
        storage: 5 * Gi,
      },
      coredns,
    },
  },
  // For production that may be without its API server, not without its pods, for a minute.
  standard: {
    settings: {
      quota: {
        cpu: "8",
        memory: "16Gi",
        storage: "100Gi",
        pods: 80,
        persistentVolumeClaims: 20,
        objects: { services: 100, configMaps: 400, secrets: 400 },
      },
    },
    controlPlane: {
      store: "sqlite",
      vcluster: {
        replicas: 1,
        pods: 1,
        requests: { cpu: 500, memory: 1 * Gi },
        limits: { cpu: 4000, memory: 4 * Gi },
        storage: 10 * Gi,
      },
      coredns,
    },
  },
  // For production whose API server may not be away: no member of it is the only one.
  critical: {
    settings: {
      quota: {
        cpu: "32",
        memory: "64Gi",
        storage: "500Gi",
        pods: 300,
        persistentVolumeClaims: 60,
        objects: { services: 300, configMaps: 1500, secrets: 1500 },
      },
    },
    controlPlane: {
      store: "etcd",
      vcluster: {
        replicas: 3,
        pods: 4,
        requests: { cpu: 500, memory: 1 * Gi },
        limits: { cpu: 4000, memory: 4 * Gi },
        // Everything is in etcd: without a volume, a pod starts on any node of any zone.
        storage: 0,
      },
      etcd: {
        replicas: 3,
        pods: 3,
        requests: { cpu: 200, memory: 512 * Mi },
        limits: { cpu: 2000, memory: 2 * Gi },
        storage: 10 * Gi,
      },
      coredns: { ...coredns, replicas: 2, pods: 3 },
    },
  },
};

/** What each isolation level means. */
export const ISOLATION_LEVELS: Readonly<
  Record<
    (typeof ISOLATION_LEVEL_NAMES)[number],
    {
      /** The Pod Security Standard that the tenant's namespace enforces. */
      readonly podSecurity: "baseline" | "restricted";
    }
  >
> = {
  baseline: { podSecurity: "baseline" },
  restricted: { podSecurity: "restricted" },
};

/** What holds where neither the file nor its tier says anything. Nothing that costs or opens a door. */
export const DEFAULTS = {
  isolation: "restricted",
  quota: { loadBalancers: 0 },
  containers: {
    requests: { cpu: "50m", memory: "128Mi" },
    limits: { cpu: "500m", memory: "512Mi" },
  },
  nodePool: "shared",
  exposure: {},
  argocd: { mode: "shared", roles: { admin: [], developer: [], viewer: [] }, kinds: [] },
  repository: { visibility: "private", reviewers: [], protectedBranches: [] },
  services: [],
  stages: { maximum: 0, longestTimeToLive: "24h" },
  labels: {},
  imageRegistries: [],
  egress: [],
  vcluster: { values: {} },
} satisfies Preset;

/** How the tenant's virtual cluster itself runs. */
export function controlPlaneOf({ tier }: Tenant): ControlPlane {
  return TIERS[tier].controlPlane;
}
