import { deepEqual, equal, fail, ok } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadTenants, TenantFilesError } from "../../tenants/load.ts";

const acme = `name: acme
owner:
  team: Acme Payments
  email: payments@example.com
costCentre: CC-1001
kubernetes: "1.36"
quota:
  cpu: "4"
  memory: 8Gi
  storage: 20Gi
  pods: 40
`;

describe("loadTenants", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tenants-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const write = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  const messages = (files: Record<string, string>, selection?: string[]): string[] => {
    write(files);
    try {
      loadTenants(folder, selection);
    } catch (error) {
      ok(error instanceof TenantFilesError);
      return error.message.split("\n").map((line) => line.replaceAll(`${folder}/`, ""));
    }
    return fail("no fault was found");
  };
  /** The fault of acme.yaml with one line replaced. */
  const message = (line: string, by: string) => {
    ok(acme.includes(line));
    return messages({ "acme.yaml": acme.replace(line, by) }).join("\n");
  };

  it("counts quotas in millicores and bytes, and reads nothing but *.yaml", () => {
    write({ "acme.yaml": acme, "schema.ts": "export {};" });
    deepEqual(loadTenants(folder), [
      {
        name: "acme",
        owner: { team: "Acme Payments", email: "payments@example.com" },
        costCentre: "CC-1001",
        kubernetes: "1.36",
        quota: { cpu: 4000, memory: 8 * 2 ** 30, storage: 20 * 2 ** 30, pods: 40 },
      },
    ]);
  });

  it("accepts a whole quantity without quotes", () => {
    write({ "acme.yaml": acme.replace('"4"', "4") });
    equal(loadTenants(folder)[0]?.quota.cpu, 4000);
  });

  it("returns the selected tenants, and checks the others all the same", () => {
    const globex = acme.replace("acme", "globex");
    write({ "acme.yaml": acme, "globex.yaml": globex });
    deepEqual(
      loadTenants(folder, ["globex"]).map(({ name }) => name),
      ["globex"],
    );
    deepEqual(messages({ "acme.yaml": acme.replace("pods: 40", "pods: 0") }, ["globex"]), [
      "acme.yaml:11:3 quota.pods: expected a whole number of pods, at least 1, got 0",
    ]);
  });

  it("reports every fault of every file at once, each at its place", () => {
    deepEqual(
      messages({
        "acme.yaml": acme
          .replace("memory: 8Gi", "memory: 8 gigs")
          .replace("costCentre: CC-1001", "costCenter: CC-1001"),
        "globex.yaml": acme.replace("  email: payments@example.com\n", ""),
        "hooli.yaml": "name: [hooli\n",
      }),
      [
        "acme.yaml:1:1 costCentre: missing: expected a cost centre such as CC-1001",
        "acme.yaml:5:1 costCenter: unknown key, did you mean costCentre?",
        'acme.yaml:9:3 quota.memory: expected a Kubernetes quantity such as 8Gi, got "8 gigs"',
        "globex.yaml:1:1 name: the name acme is taken by acme.yaml",
        "globex.yaml:2:1 owner.email: missing: expected an e-mail address",
        "hooli.yaml:2:1 Flow sequence in block collection must be sufficiently indented and end with a ]",
      ],
    );
  });

  it("tells all that an empty file lacks", () => {
    equal(messages({ "acme.yaml": "" }).length, 5);
  });

  const refused: [string, string, string, RegExp][] = [
    ["upper case", "name: acme", "name: Acme", /1:1 name: expected a DNS label/],
    ["a digit in front", "name: acme", "name: 1acme", /expected a DNS label/],
    ["33 characters", "name: acme", `name: ${"a".repeat(33)}`, /at most 32/],
    ["a reserved name", "name: acme", "name: in-cluster", /not reserved/],
    ["a reserved prefix", "name: acme", "name: vc-globex", /not reserved.*got "vc-globex"/],
    ["another file's name", "name: acme", "name: globex", /belongs into a file named globex.yaml/],
    ["a name given twice", "name: acme", "name: acme\nname: acme", /Map keys must be unique/],
    ["an unquoted version", '"1.36"', "1.30", /"1.34", "1.35", "1.36", in quotes, got 1.3$/],
    ["an unsupported version", '"1.36"', '"1.29"', /got "1.29"/],
    [
      "a quota in milli-bytes",
      "8Gi",
      "8192m",
      /quota.memory: expected at least 512Mi, got "8192m"/,
    ],
    ["too little CPU", '"4"', "100m", /quota.cpu: expected at least 500m/],
    ["a negative quota", "20Gi", "-1Gi", /quota.storage: expected a Kubernetes quantity/],
    ["half a pod", "pods: 40", "pods: 1.5", /a whole number of pods/],
    ["no address", "payments@example.com", "payments", /owner.email: expected an e-mail address/],
    ["a label it cannot be", "CC-1001", "CC/1001", /costCentre: expected a cost centre/],
    ["a team without a letter", "Acme Payments", '"--"', /owner.team: expected the team's name/],
    [
      "a list for a mapping",
      "owner:\n  team: Acme Payments\n  email: payments@example.com",
      "owner: []",
      /owner: expected a mapping with team, email, got a list/,
    ],
    [
      "a key of another kind",
      "  pods: 40",
      "  pods: 40\n  gpus: 1",
      /12:3 quota.gpus: unknown key, expected one of cpu, memory, storage, pods/,
    ],
  ];
  for (const [what, line, by, pattern] of refused) {
    it(`refuses ${what}`, () => {
      const text = message(line, by);
      ok(pattern.test(text), text);
    });
  }

  it("names a selected tenant that has no file", () => {
    deepEqual(messages({ "acme.yaml": acme }, ["globex"]), [
      "globex.yaml:1:1 selected, but there is no such file",
    ]);
  });
});
