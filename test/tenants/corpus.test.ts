import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { z } from "zod";

import { isMapping, type Mapping } from "../../tenants/effective-settings.ts";
import { applyRules, readTenantFiles } from "../../tenants/load.ts";
import { INVALID_CASES, report, rulesFor, VALID } from "./corpus.ts";

// UPDATE_CORPUS=1 writes the expected reports anew: read every line that changes.
describe("The corpus of invalid tenant files", () => {
  const cases = INVALID_CASES.map((folder) => {
    const rules = rulesFor(folder);
    return { folder, rules, ...readTenantFiles(folder, rules) };
  });

  for (const { folder, faults } of cases) {
    it(`is reported as expected: ${basename(folder)}`, () => {
      const file = join(folder, "expected.txt");
      const text = report(folder, faults);
      if (process.env["UPDATE_CORPUS"] === "1") writeFileSync(file, text);
      notEqual(text, "");
      equal(text, readFileSync(file, "utf8"));
    });
  }

  it("has at least 60 cases", () => {
    ok(cases.length >= 60);
  });

  it("is reported at the key that the report names, or at the mapping that lacks it", () => {
    for (const { folder, faults } of cases) {
      // A list's item has no key, and a key with a control character is escaped in the file.
      const named = faults.filter(({ field }) => !/^$|\.\d+$|\p{Cc}/u.test(field));
      for (const fault of named) {
        const { file, line, column, field, message } = fault;
        const text =
          readFileSync(file, "utf8")
            .split("\n")
            [line - 1]?.slice(column - 1) ?? "";
        const keys = field.split(".");
        // A key may have dots itself.
        const namedBy = (path: readonly string[]) =>
          path.some((_, index) =>
            text.replace(/^["']/, "").startsWith(path.slice(index).join(".")),
          );
        const around = keys.slice(0, -1);
        const isAround =
          (around.length === 0 && line === 1 && column === 1) ||
          /^\d+$/.test(around.at(-1) ?? "") ||
          namedBy(around);
        ok(namedBy(keys) || (message.startsWith("missing") && isAround), report(folder, [fault]));
      }
    }
  });

  for (const { id } of rulesFor("")) {
    it(`is reported otherwise without the rule ${id}`, () => {
      ok(
        cases.some(({ folder, rules, entries }) => {
          const without = rules.filter((rule) => rule.id !== id);
          return (
            report(folder, applyRules(without, entries)) !==
            report(folder, applyRules(rules, entries))
          );
        }),
      );
    });
  }
});

describe("The corpus of odd but valid tenant files", () => {
  const { faults, entries } = readTenantFiles(VALID, rulesFor(VALID));
  const tenants = new Map(entries.map(({ tenant }) => [tenant.name, tenant]));
  /** By file, the settings that differ from those of `base`, by their paths. */
  const differences = z
    .record(z.string(), z.record(z.string(), z.json()))
    .parse(JSON.parse(readFileSync(join(VALID, "../valid.json"), "utf8")));
  const names = readdirSync(VALID).map((file) => basename(file, ".yaml"));

  it("has at least 60 files, and no expectation without one", () => {
    ok(names.length >= 60);
    deepEqual(
      Object.keys(differences).filter((name) => !names.includes(name)),
      [],
    );
  });

  it("has no fault", () => {
    equal(report(VALID, faults), "");
  });

  for (const name of names) {
    it(`means what it says: ${name}`, () => {
      const expected = Object.entries(differences[name] ?? {}).reduce<Mapping>(
        (settings, [path, value]) => changed(settings, path.split("."), value),
        { ...base, name },
      );
      deepEqual(tenants.get(name), expected);
    });
  }
});

const Gi = 2 ** 30;

/** What a file says that says no more than it must. */
const base: Mapping = {
  displayName: "Acme Payments",
  owner: { team: "Acme Payments", email: "payments@example.com" },
  costCentre: "CC-1001",
  tier: "small",
  kubernetes: "1.36",
  isolation: "restricted",
  quota: {
    cpu: 2000,
    memory: 4 * Gi,
    storage: 10 * Gi,
    pods: 20,
    persistentVolumeClaims: 5,
    loadBalancers: 0,
    objects: { services: 30, configMaps: 100, secrets: 100 },
  },
  containers: {
    requests: { cpu: 50, memory: Gi / 8 },
    limits: { cpu: 500, memory: Gi / 2 },
  },
  nodePool: "shared",
  exposure: {},
  argocd: { mode: "shared", roles: { admin: [], developer: [], viewer: [] }, kinds: [] },
  repository: { visibility: "private", reviewers: [], protectedBranches: [] },
  services: [],
  stages: { maximum: 0, longestTimeToLive: 86_400 },
  labels: {},
  imageRegistries: [],
  egress: [],
  vcluster: { values: {} },
};

function changed(settings: Mapping, [key = "", ...rest]: readonly string[], to: unknown): Mapping {
  const below = settings[key];
  const value = rest.length === 0 ? to : changed(isMapping(below) ? below : {}, rest, to);
  return { ...settings, [key]: value };
}
