import { deepEqual, equal } from "node:assert/strict";

import { completeSettings, effectiveSettings } from "../../tenants/effective-settings.ts";

describe("effectiveSettings", () => {
  const file = {
    name: "acme",
    owner: { team: "Acme" },
    tier: "standard",
    quota: { cpu: 4, memory: null, objects: { secrets: 7 } },
    services: ["cert-manager"],
    labels: { "example.com/area": "payments" },
    vcluster: { values: { sync: { toHost: {} } } },
  };
  const settings = new Map(
    effectiveSettings(file).map(({ path, value, origin }) => [path.join("."), { value, origin }]),
  );

  const expected: [string, unknown, string][] = [
    ["quota.cpu", 4, "file"],
    ["quota.memory", "16Gi", "tier standard"],
    ["quota.loadBalancers", 0, "platform default"],
    ["quota.objects.secrets", 7, "file"],
    ["quota.objects.services", 100, "tier standard"],
    ["isolation", "restricted", "platform default"],
    ["displayName", "Acme", "platform default"],
    ["owner.team", "Acme", "file"],
    ["services", ["cert-manager"], "file"],
    ["egress", [], "platform default"],
    ["exposure", {}, "platform default"],
    ["labels.example.com/area", "payments", "file"],
    // The chart's values are the tenant's as they stand, not settings of ours.
    ["vcluster.values", { sync: { toHost: {} } }, "file"],
  ];
  for (const [path, value, origin] of expected) {
    it(`says of ${path} what it is and that it is the ${origin}'s`, () => {
      deepEqual(settings.get(path), { value, origin });
    });
  }

  it("says every value once, in alphabetical order", () => {
    const paths = effectiveSettings(file).map(({ path }) => path.join("."));
    deepEqual(
      paths,
      [...new Set(paths)].sort((a, b) => a.localeCompare(b)),
    );
  });
});

describe("completeSettings", () => {
  it("replaces lists, merges mappings, and leaves the file as it was", () => {
    const file = { quota: { pods: 3 }, services: ["a"] };
    const complete = completeSettings(file);
    deepEqual(complete["services"], ["a"]);
    deepEqual(file, { quota: { pods: 3 }, services: ["a"] });
    equal(completeSettings({})["tier"], undefined);
  });

  it("takes the smallest tier's values where the tier is none", () => {
    deepEqual(
      completeSettings({ tier: "huge" })["quota"],
      completeSettings({ tier: "small" })["quota"],
    );
  });
});
