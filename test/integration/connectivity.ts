import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList, isIP, isIPv6 } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";

const Labels = z.record(z.string(), z.string()).default({});
const InNamespace = z.object({ name: z.string(), namespace: z.string(), labels: Labels });
// Owners are left behind: the analyser takes pods of one owner for one, and vCluster gives all pods
// of a tenant the same.
const Pod = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Pod"),
  metadata: InNamespace,
  spec: z.object({ containers: z.array(z.object({ ports: z.array(z.unknown()).default([]) })) }),
});
const Peer = z.looseObject({
  ipBlock: z.object({ cidr: z.string(), except: z.array(z.string()).default([]) }).optional(),
});
type Peer = z.infer<typeof Peer>;
const Rules = z
  .array(z.looseObject({ from: z.array(Peer).optional(), to: z.array(Peer).optional() }))
  .default([]);
const NetworkPolicy = z.object({
  apiVersion: z.literal("networking.k8s.io/v1"),
  kind: z.literal("NetworkPolicy"),
  metadata: InNamespace,
  spec: z.looseObject({ ingress: Rules, egress: Rules }),
});
const NetworkObject = z.discriminatedUnion("kind", [
  z.object({
    apiVersion: z.literal("v1"),
    kind: z.literal("Namespace"),
    metadata: z.object({ name: z.string(), labels: Labels }),
  }),
  Pod,
  NetworkPolicy,
]);
const Connections = z.array(z.object({ src: z.string(), dst: z.string(), conn: z.string() }));

export type Pod = z.infer<typeof Pod>;
export type NetworkPolicy = z.infer<typeof NetworkPolicy>;
/** What decides on connections, as far as it does. */
export type NetworkObject = z.infer<typeof NetworkObject>;

/** Everything: any protocol, any port. */
export const ALL = "All Connections";

/** Objects of a host, from `kubectl get namespaces,pods,networkpolicies --all-namespaces -o json`. */
export function networkObjects(list: string): NetworkObject[] {
  return z.object({ items: z.array(NetworkObject).min(1) }).parse(JSON.parse(list)).items;
}

/** A pod that is not on the host, or stands for one. */
export function pod(namespace: string, name: string, labels: Record<string, string>): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { containers: [{ ports: [] }] },
  };
}

/** How a pod is named as an end of a connection. */
export function endOf({ metadata: { namespace, name } }: Pod): string {
  return `${namespace}/${name}`;
}

/**
 * Which connections NetworkPolicies allow between pods, and between pods and addresses, as
 * netpol-analyzer computes it from the objects alone. An end is a pod, `<namespace>/<name>`, or an
 * address. Services are not looked through: it is about the pods behind them.
 */
export class Connectivity {
  private constructor(
    private readonly pods: ReadonlySet<string>,
    private readonly ipv4: readonly Connection[],
    private readonly ipv6: readonly Connection[],
    private readonly standIns: ReadonlyMap<string, string>,
  ) {}

  /** IPv6 addresses have to be known beforehand; any IPv4 address can be asked for. */
  static async compute(
    analyser: string,
    objects: readonly NetworkObject[],
    ipv6: readonly string[] = [],
  ): Promise<Connectivity> {
    // Of the addresses for documentation: no policy speaks of these.
    const standIns = new Map(ipv6.map((address, index) => [address, `192.0.2.${index + 1}`]));
    const pods = objects.filter((object) => object.kind === "Pod").map(endOf);
    return new Connectivity(
      new Set(pods),
      await analyse(analyser, withPeers(objects, onlyIPv4)),
      ipv6.length === 0 ? [] : await analyse(analyser, withPeers(objects, asIPv4(standIns))),
      standIns,
    );
  }

  /** What passes: `TCP 8443`, `TCP 53,UDP 53`, `All Connections`; empty if nothing does. */
  allowed(from: string, to: string): string {
    const [source, destination] = [this.known(from), this.known(to)];
    if (source === destination) throw new Error(`${from} is one end only`);
    const connections = isIPv6(from) || isIPv6(to) ? this.ipv6 : this.ipv4;
    return (
      connections.find(({ src, dst }) => includes(src, source) && includes(dst, destination))
        ?.ports ?? ""
    );
  }

  /** The IPv4 addresses that a pod may connect to, as ranges: `<first>-<last> <what passes>`. */
  addressesFrom(from: string): string[] {
    const source = this.known(from);
    return this.ipv4.flatMap(({ src, dst, ports }) =>
      src === source && typeof dst !== "string" ? [`${dst.text} ${ports}`] : [],
    );
  }

  private known(end: string): string {
    if (isIPv6(end)) {
      const standIn = this.standIns.get(end);
      if (standIn === undefined) throw new Error(`${end} has not been computed`);
      return standIn;
    }
    if (isIP(end) === 0 && !this.pods.has(end)) throw new Error(`there is no pod ${end}`);
    return end;
  }
}

interface AddressRange {
  readonly text: string;
  readonly addresses: BlockList;
}
interface Connection {
  readonly src: string | AddressRange;
  readonly dst: string | AddressRange;
  readonly ports: string;
}

function includes(side: string | AddressRange, end: string): boolean {
  if (typeof side === "string") return side === end;
  return isIP(end) !== 0 && side.addresses.check(end);
}

async function analyse(analyser: string, objects: readonly NetworkObject[]): Promise<Connection[]> {
  const folder = mkdtempSync(join(tmpdir(), "tenantry-network-"));
  try {
    // A pod that has no address yet would be left out; which one it has does not matter.
    const status = { hostIP: "192.0.2.254", podIPs: [{ ip: "192.0.2.255" }] };
    const items = objects.map((object) => (object.kind === "Pod" ? { ...object, status } : object));
    const list = { apiVersion: "v1", kind: "List", items };
    writeFileSync(join(folder, "host.json"), JSON.stringify(list));
    const { stdout, stderr } = await execa(analyser, [
      ...["list", "--dirpath", folder, "--output", "json"],
    ]);
    // It goes on without what it does not understand, and only says so.
    if (stderr !== "") throw new Error(`netpol-analyzer: ${stderr}`);
    return Connections.parse(JSON.parse(stdout)).map(({ src, dst, conn }) => ({
      src: side(src),
      dst: side(dst),
      ports: conn,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `vc-acme/acme-0[Pod]`, or `11.0.0.0-100.63.255.255`. */
function side(text: string): string | AddressRange {
  const pod = /^(.+)\[Pod\]$/.exec(text)?.[1];
  if (pod !== undefined) return pod;
  const addresses = new BlockList();
  const [first = "", last = ""] = text.split("-");
  addresses.addRange(first, last);
  return { text, addresses };
}

/** The objects with other peers in their policies. */
function withPeers(
  objects: readonly NetworkObject[],
  change: (peer: Peer) => Peer[],
): NetworkObject[] {
  // Without a peer left, a rule would be about everybody.
  const changed = (rules: z.infer<typeof Rules>, side: "from" | "to") =>
    rules.flatMap((rule) => {
      const peers = rule[side] ?? [];
      const left = peers.flatMap(change);
      return peers.length > 0 && left.length === 0 ? [] : [{ ...rule, [side]: left }];
    });
  return objects.map((object) => {
    if (object.kind !== "NetworkPolicy") return object;
    const { ingress, egress } = object.spec;
    const spec = {
      ...object.spec,
      ingress: changed(ingress, "from"),
      egress: changed(egress, "to"),
    };
    return { ...object, spec };
  });
}

/** The analyser reads the first four bytes of an IPv6 block as a block of IPv4: `::/0` is everything. */
function onlyIPv4(peer: Peer): Peer[] {
  return peer.ipBlock !== undefined && isIPv6Block(peer.ipBlock.cidr) ? [] : [peer];
}

/** Blocks of IPv6 as the stand-ins of those addresses that are in them; none of IPv4. */
function asIPv4(standIns: ReadonlyMap<string, string>) {
  return (peer: Peer): Peer[] => {
    if (peer.ipBlock === undefined) return [peer];
    if (!isIPv6Block(peer.ipBlock.cidr)) return [];
    const [within, except] = [blocks([peer.ipBlock.cidr]), blocks(peer.ipBlock.except)];
    return [...standIns]
      .filter(([address]) => within.check(address, "ipv6") && !except.check(address, "ipv6"))
      .map(([, standIn]) => ({ ipBlock: { cidr: `${standIn}/32`, except: [] } }));
  };
}

function isIPv6Block(cidr: string): boolean {
  return cidr.includes(":");
}

function blocks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", length] = cidr.split("/");
    list.addSubnet(address, Number(length), "ipv6");
  }
  return list;
}
