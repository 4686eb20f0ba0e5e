import assert from "node:assert/strict";
import { ensureToolchain } from "../../dev/toolchain/ensure-toolchain.ts";
import {
  ALL,
  Connectivity,
  endOf,
  networkObjects,
  pod,
  type NetworkObject,
} from "./connectivity.ts";

const minutes = 60_000;

function policy(name: string, spec: object): NetworkObject[] {
  return networkObjects(
    JSON.stringify({
      items: [
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name, namespace: "shop" },
          spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"], ...spec },
        },
      ],
    }),
  );
}

describe("connectivity", function () {
  this.timeout(30 * minutes);
  let analyser: string;
  const [web, db, elsewhere] = [
    pod("shop", "web-0", { app: "web" }),
    pod("shop", "db-0", { app: "db" }),
    pod("other", "other-0", { app: "web" }),
  ];
  const [webEnd, dbEnd, otherEnd] = [endOf(web), endOf(db), endOf(elsewhere)];

  before(async () => {
    const toolchain = await ensureToolchain({ names: ["netpol-analyzer"] });
    analyser = toolchain.binaries["netpol-analyzer"].path;
  });

  async function compute(...policies: NetworkObject[][]): Promise<Connectivity> {
    return await Connectivity.compute(
      analyser,
      [web, db, elsewhere, ...policies.flat()],
      ["2606:2800:21f:cb07::1", "fd12:3456::1", "fd00:ec2::254"],
    );
  }

  const ofNobody = policy("nobody", { podSelector: { matchLabels: { app: "none" } } });

  it("is everything where no policy is", async () => {
    const connectivity = await compute(ofNobody);
    for (const [from, to] of [
      [webEnd, dbEnd],
      [otherEnd, dbEnd],
      [webEnd, "10.0.0.1"],
      ["93.184.216.34", dbEnd],
      [webEnd, "fd12:3456::1"],
      ["fd12:3456::1", webEnd],
    ] as const) {
      assert.equal(connectivity.allowed(from, to), ALL, `${from} to ${to}`);
    }
  });

  it("is what the policies of both ends add up to", async () => {
    const ingress = [
      {
        from: [{ podSelector: { matchLabels: { app: "web" } } }],
        ports: [{ protocol: "TCP", port: 5432 }],
      },
    ];
    const egress = [{ to: [{ podSelector: { matchLabels: { app: "db" } } }] }];
    const connectivity = await compute(
      policy("deny", {}),
      policy("db", { podSelector: { matchLabels: { app: "db" } }, ingress }),
      policy("web", { podSelector: { matchLabels: { app: "web" } }, egress }),
      policy("dns", { egress: [{ ports: [{ protocol: "UDP", port: 53 }] }] }),
    );
    assert.equal(connectivity.allowed(webEnd, dbEnd), "TCP 5432");
    assert.equal(connectivity.allowed(dbEnd, webEnd), "");
    assert.equal(connectivity.allowed(otherEnd, dbEnd), "", "the selector means its own namespace");
    assert.equal(connectivity.allowed(webEnd, otherEnd), "UDP 53");
    assert.equal(connectivity.allowed(webEnd, "10.0.0.1"), "UDP 53");
    assert.equal(connectivity.allowed(webEnd, "fd12:3456::1"), "UDP 53");
    assert.deepEqual(connectivity.addressesFrom(dbEnd), ["0.0.0.0-255.255.255.255 UDP 53"]);
  });

  it("keeps IPv6 apart from IPv4", async () => {
    const block = (cidr: string, ...except: string[]) =>
      policy(cidr, { egress: [{ to: [{ ipBlock: { cidr, except } }] }] });
    const one = await compute(block("::/0", "fc00::/7"));
    assert.deepEqual(one.addressesFrom(webEnd), []);
    assert.equal(one.allowed(webEnd, "2606:2800:21f:cb07::1"), ALL);
    assert.equal(one.allowed(webEnd, "fd12:3456::1"), "");
    assert.equal(one.allowed(webEnd, "fd00:ec2::254"), "");
    const other = await compute(block("0.0.0.0/0", "10.0.0.0/8"));
    assert.deepEqual(other.addressesFrom(webEnd), [
      `0.0.0.0-9.255.255.255 ${ALL}`,
      `11.0.0.0-255.255.255.255 ${ALL}`,
    ]);
    assert.equal(other.allowed(webEnd, "2606:2800:21f:cb07::1"), "");
  });

  it("tells pods of one owner apart", async () => {
    const ownerReferences = [{ apiVersion: "v1", kind: "Service", name: "owner", uid: "1" }];
    const owned = [web, db].map((object) => ({
      ...object,
      metadata: { ...object.metadata, ownerReferences },
    }));
    const objects = [
      ...networkObjects(JSON.stringify({ items: owned })),
      ...policy("db", { podSelector: { matchLabels: { app: "db" } } }),
    ];
    const connectivity = await Connectivity.compute(analyser, objects);
    assert.equal(connectivity.allowed(webEnd, dbEnd), "");
    assert.equal(connectivity.allowed(webEnd, "10.0.0.1"), ALL);
  });

  it("has an answer only about what it knows", async () => {
    await assert.rejects(compute(), /no relevant Kubernetes network policy/);
    const connectivity = await compute(ofNobody);
    assert.throws(() => connectivity.allowed("shop/web-1", dbEnd), /there is no pod shop\/web-1/);
    assert.throws(() => connectivity.allowed(webEnd, "fd00::1"), /fd00::1 has not been computed/);
    const named = policy("named", { ingress: [{ ports: [{ port: "nothing" }] }] });
    await assert.rejects(compute(named), /"nothing" has no match/);
  });
});
