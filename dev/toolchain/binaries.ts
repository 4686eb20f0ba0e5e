/** A CPU architecture in Go's words. */
export type Architecture = "amd64" | "arm64";

/** One `go build` in a module group, a folder below the modules folder with a committed go.mod and go.sum. */
export interface GoBuild {
  readonly binary: string;
  readonly group: string;
  /** The published module that is built, at the version that the group's go.mod pins; absent for sources of our own. */
  readonly module?: { readonly path: string; readonly version: string };
  /** Package to build, `.` for the group's own main package. */
  readonly package: string;
  /** Linker variables: full variable name → value. */
  readonly stamps?: Readonly<Record<string, string>>;
  readonly tags?: string;
  /** Links C code, statically: needs a C compiler. */
  readonly cgo?: true;
}

/** An official release file. It is only taken when its SHA-256 can be verified. */
export interface Download {
  readonly url: string;
  /** The sum itself, or the checksum file that is published beside the release file. */
  readonly sha256: string | { readonly url: string };
  /** For a .tar.gz: binary → its path inside. Absent: the file is the binary. */
  readonly members?: Readonly<Record<string, string>>;
}

/** What is obtained in one go: one binary, or several that must come from the same release. */
export interface Part {
  readonly name: string;
  /** The release that is downloaded or built, without `v`; absent for sources of our own. */
  readonly version?: string;
  /**
   * When a binary on PATH is taken instead: the fitting versions (a semver range), the arguments
   * that make it print its version. The part's other binaries must lie beside it.
   */
  readonly onPath?: { readonly versions: string; readonly arguments: readonly string[] };
  readonly download?: (architecture: Architecture) => Download | undefined;
  readonly builds: readonly [GoBuild, ...GoBuild[]];
  /** Seconds that a cold build took on 2 cores: the estimate until this machine has its own. */
  readonly buildSeconds: number;
}

/** Files copied out of a pinned module. */
export interface Asset {
  readonly name: string;
  readonly version: string;
  readonly group: string;
  readonly module: string;
  /** The folder inside the module. */
  readonly folder: string;
  /** The name of a Helm chart: it is stamped with the asset's version and packed. */
  readonly chart?: string;
}

const kubernetes = "1.36.3";
const kwok = "0.8.0";
const pulumi = "3.259.0";
const argocd = "3.2.11";
const vcluster = "0.36.1";

const kubernetesStamp = "k8s.io/component-base/version";

function kubernetesPart<const Name extends string>(
  name: Name,
  buildSeconds: number,
  onPath?: Part["onPath"],
) {
  return {
    name,
    version: kubernetes,
    ...(onPath && { onPath }),
    // `<name>.sha256` holds the bare sum of `<name>`.
    download: (architecture: Architecture): Download => {
      const url = `https://dl.k8s.io/v${kubernetes}/bin/linux/${architecture}/${name}`;
      return { url, sha256: { url: `${url}.sha256` } };
    },
    builds: [
      {
        binary: name,
        group: "kubernetes",
        module: { path: "k8s.io/kubernetes", version: `v${kubernetes}` },
        package: `k8s.io/kubernetes/cmd/${name}`,
        stamps: {
          [`${kubernetesStamp}.gitVersion`]: `v${kubernetes}`,
          [`${kubernetesStamp}.gitMajor`]: "1",
          [`${kubernetesStamp}.gitMinor`]: "36",
        },
      },
    ],
    buildSeconds,
  } as const;
}

function kwokPart<const Name extends string>(name: Name, amd64: string, buildSeconds: number) {
  return {
    name,
    version: kwok,
    onPath: { versions: kwok, arguments: ["--version"] },
    // kwok publishes no checksum file: the sum of its 0.8.0 release file is pinned here.
    download: (architecture: Architecture): Download | undefined =>
      architecture === "amd64"
        ? {
            url: `https://github.com/kubernetes-sigs/kwok/releases/download/v${kwok}/${name}-linux-amd64`,
            sha256: amd64,
          }
        : undefined,
    builds: [
      {
        binary: name,
        group: "kwok",
        module: { path: "sigs.k8s.io/kwok", version: `v${kwok}` },
        package: `sigs.k8s.io/kwok/cmd/${name}`,
      },
    ],
    buildSeconds,
  } as const;
}

/**
 * A Pulumi provider: always our own, never from PATH, because it must be the release of the SDK
 * that package.json pins. The release has no SHA-256 file: sums are pinned here, by architecture.
 */
function providerPart<const Name extends string>(
  name: Name,
  version: string,
  sums: Partial<Record<Architecture, string>>,
  build: { module: { path: string; version: string }; stamp: string; seconds: number },
) {
  const binary = `pulumi-resource-${name}` as const;
  return {
    name: binary,
    version,
    download: (architecture: Architecture): Download | undefined => {
      const sha256 = sums[architecture];
      const url = `https://get.pulumi.com/releases/plugins/${binary}-v${version}-linux-${architecture}.tar.gz`;
      return sha256 === undefined ? undefined : { url, sha256, members: { [binary]: binary } };
    },
    builds: [
      {
        binary,
        group: binary,
        module: build.module,
        package: ".",
        stamps: { [build.stamp]: version },
      },
    ],
    buildSeconds: build.seconds,
  } as const;
}

/**
 * Every binary of the dev platform. Those that also run inside a virtual cluster's bare root
 * folder (kube-apiserver, kube-controller-manager, helm, kine, vcluster) must be static, and
 * argocd must contain every component: these never come from PATH.
 */
export const parts = [
  {
    name: "pulumi",
    version: pulumi,
    onPath: { versions: ">=3.215.0 <4", arguments: ["version"] },
    // One line `<sum>  <file>` for each release file.
    download: (architecture: Architecture): Download => {
      const release = `https://github.com/pulumi/pulumi/releases/download/v${pulumi}`;
      const cpu = architecture === "amd64" ? "x64" : "arm64";
      return {
        url: `${release}/pulumi-v${pulumi}-linux-${cpu}.tar.gz`,
        sha256: { url: `${release}/pulumi-${pulumi}-checksums.txt` },
        members: {
          pulumi: "pulumi/pulumi",
          "pulumi-language-nodejs": "pulumi/pulumi-language-nodejs",
        },
      };
    },
    builds: [
      {
        binary: "pulumi",
        group: "pulumi",
        module: { path: "github.com/pulumi/pulumi/pkg/v3", version: `v${pulumi}` },
        package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        stamps: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": `v${pulumi}` },
        tags: "osusergo,grpcnotrace",
      },
      {
        // Its newest published module is older than the CLI; the protocol between them is stable.
        binary: "pulumi-language-nodejs",
        group: "pulumi-language-nodejs",
        module: {
          path: "github.com/pulumi/pulumi/sdk/nodejs/cmd/pulumi-language-nodejs/v3",
          version: "v3.0.0-20250806165243-bee5e4fa4815",
        },
        package: "github.com/pulumi/pulumi/sdk/nodejs/cmd/pulumi-language-nodejs/v3",
      },
    ],
    buildSeconds: 267,
  },
  providerPart(
    "kubernetes",
    "4.25.0",
    {
      amd64: "6ea3d53c16a00c4d1017c4d109928d8f4801fd7cd978965cd43917561f3774b0",
      arm64: "e4260240ed14bff6ed1a5a25a362311380ea1c072544fc262532b8197ea0725c",
    },
    {
      module: {
        path: "github.com/pulumi/pulumi-kubernetes/provider/v4",
        version: "v4.0.0-20260115033456-f47bc2d6f199",
      },
      stamp: "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version",
      seconds: 527,
    },
  ),
  providerPart(
    "github",
    "6.15.0",
    { amd64: "52c99833ab7c5ee567a0ec06731038aee436be4d5dabd0b717aacda1e39bee7f" },
    {
      module: { path: "github.com/integrations/terraform-provider-github/v6", version: "v6.13.0" },
      stamp: "main.Version",
      seconds: 76,
    },
  ),
  kubernetesPart("kube-apiserver", 262),
  kubernetesPart("kube-controller-manager", 66),
  kubernetesPart("kube-scheduler", 5, { versions: kubernetes, arguments: ["--version"] }),
  kubernetesPart("kubectl", 21, {
    versions: ">=1.35.0 <1.38.0-0",
    arguments: ["version", "--client"],
  }),
  {
    name: "etcd",
    version: "3.6.8",
    onPath: { versions: "3.6.8", arguments: ["--version"] },
    // SHA256SUMS: one line `<sum>  <file>` for each release file.
    download: (architecture: Architecture): Download => {
      const release = "https://github.com/etcd-io/etcd/releases/download/v3.6.8";
      const folder = `etcd-v3.6.8-linux-${architecture}`;
      return {
        url: `${release}/${folder}.tar.gz`,
        sha256: { url: `${release}/SHA256SUMS` },
        members: { etcd: `${folder}/etcd` },
      };
    },
    builds: [
      {
        binary: "etcd",
        group: "etcd",
        module: { path: "go.etcd.io/etcd/server/v3", version: "v3.6.8" },
        package: "go.etcd.io/etcd/server/v3",
      },
    ],
    buildSeconds: 29,
  },
  kwokPart("kwok", "f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46", 75),
  kwokPart("kwokctl", "d5743166c657283d6e827c7c4c20cacfd9009fd94830f06718ca7b2c7099461f", 14),
  {
    name: "helm",
    version: "3.18.6",
    // `<file>.sha256sum` holds the line `<sum>  <file>`.
    download: (architecture: Architecture): Download => {
      const url = `https://get.helm.sh/helm-v3.18.6-linux-${architecture}.tar.gz`;
      const members = { helm: `linux-${architecture}/helm` };
      return { url, sha256: { url: `${url}.sha256sum` }, members };
    },
    builds: [
      {
        binary: "helm",
        group: "helm",
        module: { path: "helm.sh/helm/v3", version: "v3.18.6" },
        package: "helm.sh/helm/v3/cmd/helm",
        stamps: { "helm.sh/helm/v3/internal/version.version": "v3.18.6" },
      },
    ],
    buildSeconds: 83,
  },
  {
    name: "argocd",
    version: argocd,
    // cli_checksums.txt: one line `<sum>  <file>` for each CLI of the release.
    download: (architecture: Architecture): Download => {
      const release = `https://github.com/argoproj/argo-cd/releases/download/v${argocd}`;
      return {
        url: `${release}/argocd-linux-${architecture}`,
        sha256: { url: `${release}/cli_checksums.txt` },
      };
    },
    builds: [
      {
        binary: "argocd",
        group: "argocd",
        module: { path: "github.com/argoproj/argo-cd/v3", version: `v${argocd}` },
        package: "github.com/argoproj/argo-cd/v3/cmd",
        stamps: { "github.com/argoproj/argo-cd/v3/common.version": argocd },
      },
    ],
    buildSeconds: 231,
  },
  {
    // The program of the vCluster image, not the CLI of that name: build only. It is not stamped
    // with its version: unstamped, it sends no telemetry.
    name: "vcluster",
    version: vcluster,
    builds: [
      {
        binary: "vcluster",
        group: "vcluster",
        module: { path: "github.com/loft-sh/vcluster", version: `v${vcluster}` },
        package: "github.com/loft-sh/vcluster/cmd/vcluster",
      },
    ],
    buildSeconds: 401,
  },
  {
    name: "kine",
    version: "0.14.4",
    builds: [
      {
        binary: "kine",
        group: "kine",
        module: { path: "github.com/k3s-io/kine", version: "v0.14.4" },
        package: "github.com/k3s-io/kine",
        stamps: { "github.com/k3s-io/kine/pkg/version.Version": "v0.14.4" },
        tags: "sqlite_omit_load_extension,netgo,osusergo",
        cgo: true,
      },
    ],
    buildSeconds: 60,
  },
  {
    name: "redis",
    version: "2.35.0",
    builds: [
      {
        binary: "redis",
        group: "redis",
        module: { path: "github.com/alicebob/miniredis/v2", version: "v2.35.0" },
        package: ".",
      },
    ],
    buildSeconds: 3,
  },
  {
    name: "vcluster-runtime",
    builds: [{ binary: "vcluster-runtime", group: "vcluster-runtime", package: "." }],
    buildSeconds: 60,
  },
] as const satisfies readonly Part[];

/** What only tests run: obtained where it is asked for by name, never for the platform itself. */
export const testParts = [
  {
    // Computes from manifests which connections network policies allow.
    name: "netpol-analyzer",
    version: "1.3.1",
    builds: [
      {
        binary: "netpol-analyzer",
        group: "netpol-analyzer",
        module: { path: "github.com/np-guard/netpol-analyzer", version: "v1.3.1" },
        package: "github.com/np-guard/netpol-analyzer/cmd/netpolicy",
      },
    ],
    buildSeconds: 80,
  },
] as const satisfies readonly Part[];

/** Manifests and charts that the dev platform serves or applies. */
export const assets = [
  {
    name: "vclusterChart",
    version: vcluster,
    group: "vcluster",
    module: "github.com/loft-sh/vcluster",
    folder: "chart",
    chart: "vcluster",
  },
  {
    name: "argocdCrds",
    version: argocd,
    group: "argocd",
    module: "github.com/argoproj/argo-cd/v3",
    folder: "manifests/crds",
  },
  {
    name: "gatewayApiCrds",
    version: "1.5.1",
    group: "vcluster",
    module: "sigs.k8s.io/gateway-api",
    folder: "config/crd/standard",
  },
] as const satisfies readonly Asset[];

/** The name of a binary: the file name in the toolchain's `bin` folder. */
export type BinaryName = (typeof parts)[number]["builds"][number]["binary"];

/** The name of a binary that only tests run. */
export type TestBinaryName = (typeof testParts)[number]["builds"][number]["binary"];

/** The name of an asset: of its folder; a chart's is the packed file. */
export type AssetName = (typeof assets)[number]["name"];
