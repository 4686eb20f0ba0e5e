import { deepEqual, equal, ok } from "node:assert/strict";

import { planTenantArgoCD } from "../../components/tenant-argocd-plan.ts";
import { tenantNames } from "../../components/tenant-names.ts";
import { planTenantRepo } from "../../components/tenant-repo-plan.ts";
import { planTenantVCluster } from "../../components/tenant-vcluster-plan.ts";
import { isMapping } from "../../tenants/effective-settings.ts";
import { TIER_NAMES, type Tenant } from "../../tenants/schema.ts";
import { TenantFile } from "../../tenants/tenant-file.ts";
import { platform, tenant } from "../components/fixtures.ts";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Everything that is a mapping in a plan, however deep. */
function mappings(value: unknown): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) return value.flatMap(mappings);
  return isMapping(value) ? [value, ...Object.values(value).flatMap(mappings)] : [];
}

/** Names in the plans that are longer than Kubernetes, Helm or GitHub take, or otherwise no names. */
function illegalNames(of: Tenant): string[] {
  const plans = [
    planTenantVCluster(of, platform),
    planTenantArgoCD(of, platform),
    planTenantRepo(of, platform),
  ].flatMap(mappings);
  const named = (key: string, pattern: RegExp) =>
    plans
      .flatMap((mapping) => (typeof mapping[key] === "string" ? [mapping[key]] : []))
      .filter((name) => !pattern.test(name));
  const labels = ["labels", "matchLabels"].flatMap((key) =>
    plans.flatMap((mapping) => (isMapping(mapping[key]) ? Object.values(mapping[key]) : [])),
  );
  const { namespace, hostname } = tenantNames(of, platform);
  return [
    ...named("name", DNS_NAME),
    ...named("namespace", DNS_LABEL),
    ...named("project", DNS_NAME),
    ...named("releaseName", /^(?=.{1,53}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
    ...labels.filter((value) => !LABEL_VALUE.test(String(value))).map(String),
    ...[namespace].filter((name) => !DNS_LABEL.test(name)),
    ...hostname.split(".").filter((part) => !DNS_LABEL.test(part)),
  ];
}

/**
 * Whether the labels that are made of a release's name, in the vCluster chart and by Kubernetes,
 * stay within 63 characters.
 */
function fitsChart(release: string, store: "sqlite" | "etcd"): boolean {
  const statefulSets = store === "etcd" ? [release, `${release}-etcd`] : [release];
  return statefulSets
    .flatMap((statefulSet) => [
      `${statefulSet}-headless`, // a Service
      // The label controller-revision-hash of its pods: a hash of 32 bits, in decimal figures.
      `${statefulSet}-4294967295`,
    ])
    .every((label) => label.length <= 63);
}

const longest = "l".repeat(32);

describe("The longest name", () => {
  it("is 32 characters", () => {
    const file = (name: string) =>
      new TenantFile(
        `${name}.yaml`,
        `{name: ${name}, owner: {team: A, email: a@example.com}, costCentre: C, tier: small, kubernetes: "1.36"}`,
      );
    equal(file(longest).tenant?.name, longest);
    equal(file(`${longest}l`).tenant, undefined);
  });

  for (const tier of TIER_NAMES) {
    it(`leaves room for every derived name, also of a stage: ${tier}`, () => {
      deepEqual(illegalNames({ ...tenant, tier, name: longest }), []);
      deepEqual(illegalNames({ ...tenant, tier, name: `${longest}-${"s".repeat(20)}` }), []);
    });
  }

  it("leaves room for what the chart and Kubernetes append, with 14 to 19 characters of a stage", () => {
    const room = (store: "sqlite" | "etcd") => {
      let suffix = "";
      while (fitsChart(`${longest}-s${suffix}`, store)) suffix += "s";
      return suffix.length;
    };
    ok(fitsChart(longest, "sqlite") && fitsChart(longest, "etcd"));
    deepEqual({ sqlite: room("sqlite"), etcd: room("etcd") }, { sqlite: 19, etcd: 14 });
  });

  it("finds a name that is too long", () => {
    ok(illegalNames({ ...tenant, name: "l".repeat(61) }).length > 0);
  });
});
