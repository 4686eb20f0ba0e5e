import { deepEqual, equal, match, ok } from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { stringify } from "yaml";
import { z } from "zod";

import { LICENCES, LICENSED_VALUES, READ_AT } from "../../components/vcluster-licensed-values.ts";
import { GUARDED_VALUES, TENANT_VALUES, vclusterRules } from "../../components/vcluster-rules.ts";
import { platformValues, vclusterValues } from "../../components/vcluster-values.ts";
import { isMapping, type Mapping } from "../../tenants/effective-settings.ts";
import type { TenantFault } from "../../tenants/faults.ts";
import { readTenantFiles } from "../../tenants/load.ts";
import type { Rule } from "../../tenants/rules.ts";
import { TIER_NAMES } from "../../tenants/schema.ts";
import {
  chartFolder,
  chartSchema,
  pooledPlatform,
  tenant,
  tenantFiles,
  tenantOf,
} from "./fixtures.ts";

describe("the rules of the vCluster chart's values", function () {
  this.timeout(120_000); // the first time, the chart is downloaded
  let schema: Mapping;
  let rules: readonly Rule[];
  let folder: string;
  before(() => {
    schema = chartSchema();
    rules = vclusterRules(pooledPlatform, schema);
    folder = mkdtempSync(join(tmpdir(), "tenantry-test-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** What is wrong with a tenant file. */
  function faultsOf(file: Mapping, against = rules): readonly TenantFault[] {
    writeFileSync(join(folder, "acme.yaml"), stringify({ ...file, name: "acme" }));
    return readTenantFiles(folder, against).faults;
  }
  /** What is wrong with extra values, by a rule. */
  function faults(rule: string, values: Mapping): TenantFault[] {
    return faultsOf({ ...FILE, vcluster: { values } }).filter((fault) => fault.rule === rule);
  }
  const fields = (found: readonly TenantFault[]) =>
    found.map(({ field }) => field.replace("vcluster.values.", ""));

  it("let through what a tenant may set, and what the platform says by itself", () => {
    fc.assert(
      fc.property(tenantFiles, (file) => {
        deepEqual(faultsOf(file), []);
      }),
      { numRuns: 50 },
    );
  });

  describe("vcluster-licence", () => {
    const rule = "vcluster-licence";

    it("refuses every licensed value by name, with what it needs and the free way", () => {
      for (const { path, needs, freeWay } of LICENSED_VALUES) {
        const used = path.replaceAll("*", "services");
        const [fault, ...others] = faults(rule, nested(used, "used"));
        deepEqual([fault?.field, others], [`vcluster.values.${used}`, []]);
        ok(fault !== undefined && fault.message.includes(LICENCES[needs]));
        ok(fault.message.includes(freeWay ?? "no free way"));
      }
    });

    it("lets a value be that is switched off or empty", () => {
      const values = {
        integrations: {
          certManager: { enabled: false, sync: { toHost: { issuers: { enabled: true } } } },
        },
        networking: { resolveDNS: [] },
        privateNodes: { enabled: false },
        sleep: {},
      };
      deepEqual(faults(rule, values), []);
    });

    it("knows what the chart's schema marks", () => {
      const marked = [...chartPaths(schema)].filter(({ node }) => node["pro"] === true);
      ok(marked.length > 5);
      for (const { path } of marked) ok(isLicensed(path), path);
    });

    it("knows what vCluster itself asks for a licence for", () => {
      const source = readFileSync(join(chartFolder(), "..", "config", "config.go"), "utf8");
      const [body] = /func \(c \*Config\) IsProFeatureEnabled[^]*?\n}/.exec(source) ?? [];
      const asked = [...(body ?? "").matchAll(/\bc\.([A-Z][\w.]+)/g)].map(([, path]) =>
        (path ?? "").replace(/\.(Enabled|Central|ValidatingWebhooks|MutatingWebhooks)$/, ""),
      );
      ok(asked.length > 15);
      for (const path of asked) ok(isLicensed(path), path);
    });

    it("was read at the version of the chart in use", () => {
      match(chartFolder(), new RegExp(`@v${READ_AT.replaceAll(".", "\\.")}/chart$`));
      equal(pooledPlatform.charts.vcluster.version, READ_AT);
    });

    const isLicensed = (path: string) =>
      LICENSED_VALUES.some((value) =>
        `${path}.`
          .toLowerCase()
          .startsWith(`${value.path.replaceAll("*", "services")}.`.toLowerCase()),
      );
  });

  describe("vcluster-guard-rail", () => {
    const rule = "vcluster-guard-rail";
    const tenants = TIER_NAMES.map((tier) => ({ ...tenant, tier, nodePool: "dedicated" }) as const);

    it("refuses another value for anything that the platform sets", () => {
      for (const each of tenants) {
        const { tier, nodePool } = each;
        for (const [path] of leaves(platformValues(each, pooledPlatform))) {
          const vcluster = { values: nested(path, "another") };
          const found = faultsOf({ ...FILE, tier, nodePool, vcluster });
          deepEqual(fields(found.filter((fault) => fault.rule === rule)), [path]);
        }
      }
    });

    it("lets the platform's own value be said again", () => {
      const values = platformValues(tenant, pooledPlatform);
      deepEqual(faultsOf({ ...FILE, vcluster: { values } }), []);
    });

    for (const [door, value] of [
      ["controlPlane.statefulSet.image.repository", "loft-sh/vcluster-pro"],
      ["controlPlane.statefulSet.image.tag", "latest"],
      ["controlPlane.statefulSet.security.containerSecurityContext.privileged", true],
      ["controlPlane.statefulSet.security", null],
      ["controlPlane.statefulSet.persistence.addVolumes", [{ hostPath: { path: "/" } }]],
      ["controlPlane.statefulSet.sidecarContainers", [{ image: "x" }]],
      ["controlPlane.advanced.serviceAccount.name", "argocd-manager"],
      ["controlPlane.service.spec.type", "LoadBalancer"],
      ["controlPlane.ingress.enabled", true],
      ["controlPlane.distro.k8s.apiServer.extraArgs", ["--anonymous-auth"]],
      ["rbac.clusterRole.extraRules", [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]],
      ["rbac.role.enabled", false],
      ["policies.networkPolicy.enabled", true],
      ["policies.podSecurityStandard", "privileged"],
      ["exportKubeConfig.secret.namespace", "argocd"],
      ["sync.fromHost.nodes.selector.all", true],
      ["sync.fromHost.secrets.mappings.byName", { "argocd/*": "stolen/*" }],
      ["sync.toHost.pods.priorityClassName", "system-node-critical"],
      ["networking.replicateServices.fromHost", [{ from: "argocd/argocd-redis", to: "a/b" }]],
      ["experimental.deploy.host.manifests", "kind: ClusterRoleBinding"],
      ["plugins.mine.image", "evil"],
      ["telemetry.enabled", true],
      // The chart writes it into the StatefulSet without quotes.
      ["logging.encoding", "console\n          - name: PATH"],
    ] as const) {
      it(`refuses ${door}`, () => {
        deepEqual(fields(faults(rule, nested(door, value))), [
          isMapping(value) ? `${door}.${Object.keys(value)[0] ?? ""}` : door,
        ]);
      });
    }

    it("knows of every value of the chart whether a tenant may set it", () => {
      const known = [
        ...LICENSED_VALUES.map(({ path }) => path.replace("*", "services")),
        ...GUARDED_VALUES.map(({ path }) => path),
        ...TENANT_VALUES,
      ];
      const unknown = [...chartPaths(schema)]
        .map(({ path }) => path)
        .filter((path) => !known.some((each) => `${path}.`.startsWith(`${each}.`)))
        // On the way to values that are known.
        .filter((path) => !known.some((each) => each.startsWith(`${path}.`)));
      deepEqual(unknown, []);
    });

    it("knows only values that the chart has", () => {
      const paths = new Set([...chartPaths(schema)].map(({ path }) => path));
      for (const { path } of GUARDED_VALUES) ok(paths.has(path), path);
      for (const path of TENANT_VALUES) ok(paths.has(path), path);
      for (const { path } of LICENSED_VALUES) {
        ok(
          paths.has(
            path.replace(
              "*",
              path.includes("gatewayApi")
                ? "gateways"
                : path.startsWith("sync.fromHost")
                  ? "nodes"
                  : "services",
            ),
          ) || path === "sleepMode",
          path,
        );
      }
    });
  });

  describe("vcluster-values", () => {
    const rule = "vcluster-values";

    it("names the nearest spelling of a key that the chart does not know, at its line", () => {
      const text = `${stringify({ ...FILE, name: "acme" })}vcluster:
  values:
    sync:
      toHost:
        ingreses:
          enabled: true
    exportKubeconfig: {}
`;
      writeFileSync(join(folder, "acme.yaml"), text);
      const found = readTenantFiles(folder, rules).faults;
      const lines = text.split("\n");
      for (const [key, meant] of [
        ["ingreses", "ingresses"],
        ["exportKubeconfig", "exportKubeConfig"],
      ] as const) {
        const fault = found.find((each) => each.rule === rule && each.field.endsWith(key));
        match(fault?.message ?? "", new RegExp(`did you mean ${meant}\\?`));
        match(lines[(fault?.line ?? 0) - 1] ?? "", new RegExp(`^ *${key}:`));
      }
    });

    it("says which kind of value the chart expects", () => {
      const [fault] = faults(rule, { sync: { toHost: { ingresses: { enabled: "yes" } } } });
      equal(fault?.field, "vcluster.values.sync.toHost.ingresses.enabled");
      equal(fault.message, 'expected true or false, got "yes"');
      const [union] = faults(rule, { rbac: { clusterRole: { enabled: 1 } } });
      equal(union?.message, "expected a text or true or false, got 1");
    });

    it("reports a value of the platform's own that the chart does not take, once a file", () => {
      const chart = {
        ...schema,
        properties: {
          ...z.looseObject({}).parse(schema["properties"]),
          telemetry: { type: "string" },
        },
      };
      const found = faultsOf(FILE, vclusterRules(pooledPlatform, chart));
      deepEqual(
        found.map(({ line, field }) => ({ line, field })),
        [{ line: 1, field: "" }],
      );
      match(found[0]?.message ?? "", /value telemetry that the platform sets.*0\.36\.1.*a text/);
    });

    it("judges as another validator does", () => {
      const validate = new Ajv2020({ strict: false }).compile(schema);
      // Where there is an anyOf, zod does not look at what stands beside it: that is so of these two
      // only, and no tenant may set them.
      const paths = [...chartPaths(schema)]
        .map(({ path }) => path)
        .filter((path) => !/^plugins?(\.|$)/.test(path));
      const json = fc.oneof(
        fc.constantFrom(true, false, null, "", "auto", 1, 1.5, [], {}, [1], [{}], { a: "b" }),
        fc.jsonValue({ maxDepth: 2 }).filter(isOrdinary),
      );
      const verdicts = { valid: 0, invalid: 0 };
      fc.assert(
        fc.property(fc.constantFrom(...paths), json, (path, value) => {
          const values = nested(path, value);
          const { vcluster } = tenantOf({ ...FILE, vcluster: { values } });
          const judged = validate(vclusterValues({ ...tenant, vcluster }, pooledPlatform));
          verdicts[judged ? "valid" : "invalid"]++;
          equal(faults(rule, values).length === 0, judged);
        }),
        { numRuns: 500 },
      );
      ok(verdicts.valid > 0 && verdicts.invalid > 0);
    });
  });
});

/**
 * Whether no integer is beyond what a number holds exactly, which the rule refuses and ajv does not,
 * and no key is __proto__, which zod does not see.
 */
function isOrdinary(value: unknown): boolean {
  return typeof value === "object" && value !== null
    ? Object.entries(value).every(([key, child]) => key !== "__proto__" && isOrdinary(child))
    : !Number.isInteger(value) || Number.isSafeInteger(value);
}

const FILE = {
  name: "acme",
  owner: { team: "Acme", email: "acme@example.com" },
  costCentre: "CC-1001",
  tier: "small",
  kubernetes: "1.36",
};

/** A mapping with one value, at a dotted path. */
function nested(path: string, value: unknown): Mapping {
  const [key = "", ...rest] = path.split(".");
  return { [key]: rest.length === 0 ? value : nested(rest.join("."), value) };
}

/** Dotted paths of the values that are no mappings. */
function leaves(value: unknown, path = ""): [path: string, value: unknown][] {
  return isMapping(value)
    ? Object.entries(value).flatMap(([key, child]) =>
        leaves(child, path === "" ? key : `${path}.${key}`),
      )
    : [[path, value]];
}

/** Every path that a schema describes by properties, and its description. */
function* chartPaths(
  root: Mapping,
  node: Mapping = root,
  path = "",
): Generator<{ readonly path: string; readonly node: Mapping }> {
  const reference = node["$ref"];
  const definitions = z.record(z.string(), z.looseObject({})).parse(root["$defs"]);
  const target =
    typeof reference === "string" ? (definitions[reference.split("/").at(-1) ?? ""] ?? {}) : node;
  for (const [key, child] of Object.entries(
    z.record(z.string(), z.looseObject({})).catch({}).parse(target["properties"]),
  )) {
    const here = path === "" ? key : `${path}.${key}`;
    yield { path: here, node: child };
    yield* chartPaths(root, child, here);
  }
}
