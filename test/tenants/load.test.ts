import { deepEqual, equal, throws } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TenantFilesError } from "../../tenants/faults.ts";
import { loadTenants, readTenantFiles } from "../../tenants/load.ts";
import { eachTenant } from "../../tenants/rules.ts";

const acme = `name: acme
owner:
  team: Acme Payments
  email: payments@example.com
costCentre: CC-1001
tier: small
kubernetes: "1.36"
`;
const globex = acme.replace("acme", "globex");

/** Something to be against: nobody may have a pool of their own. */
const shared = eachTenant("shared-only", function* ({ nodePool }) {
  if (nodePool !== "shared") yield [["nodePool"], `expected shared, got ${nodePool}`];
});

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
  const names = (selection?: readonly string[]) =>
    loadTenants(folder, [shared], selection).map(({ name }) => name);
  /** That the tenants are refused, with these faults. */
  const refused = (expected: readonly string[], selection?: readonly string[]) => {
    throws(
      () => loadTenants(folder, [shared], selection),
      (error: unknown) => {
        if (!(error instanceof TenantFilesError)) return false;
        deepEqual(error.message.replaceAll(`${folder}/`, "").split("\n"), expected);
        equal(error.faults.length, expected.length);
        return true;
      },
    );
  };

  it("returns the tenants in the order of their names, and reads nothing but *.yaml", () => {
    write({ "globex.yaml": globex, "acme.yaml": acme, "schema.ts": "{", "notes.md": "{" });
    deepEqual(names(), ["acme", "globex"]);
  });

  it("is content with an empty folder", () => {
    deepEqual(names(), []);
  });

  it("reports every fault of every file at once, in the order in which people read", () => {
    write({
      "acme.yaml": `${acme}nodePool: gpu\n`,
      "globex.yaml": globex.replace("costCentre", "costCenter"),
      "hooli.yaml": "name: [hooli\n",
      "initech.yml": "",
    });
    refused([
      "acme.yaml:8:1 nodePool: expected shared, got gpu",
      "globex.yaml:1:1 costCentre: missing: expected a cost centre such as CC-1001",
      "globex.yaml:5:1 costCenter: unknown key, did you mean costCentre?",
      "hooli.yaml:2:1 Flow sequence in block collection must be sufficiently indented and end with a ]",
      "initech.yml:1:1 expected a name that ends in .yaml, initech.yaml: other files are not read",
    ]);
  });

  describe("with a selection", () => {
    it("returns the selected tenants only", () => {
      write({ "acme.yaml": acme, "globex.yaml": globex });
      deepEqual(names(["globex"]), ["globex"]);
      deepEqual(names([]), []);
    });

    it("checks the others all the same", () => {
      write({ "acme.yaml": `${acme}nodePool: gpu\n`, "globex.yaml": globex });
      refused(["acme.yaml:8:1 nodePool: expected shared, got gpu"], ["globex"]);
    });

    it("names a selected tenant that there is not, and the one that was probably meant", () => {
      write({ "acme.yaml": acme, "globex.yaml": globex });
      refused(
        [
          "glboex.yaml:1:1 selected, but there is no such tenant, did you mean globex?",
          "initech.yaml:1:1 selected, but there is no such tenant",
        ],
        ["acme", "initech", "glboex"],
      );
    });

    it("says of a selected tenant with a faulty file what is wrong with the file", () => {
      write({ "acme.yaml": acme.replace("small", "tiny") });
      refused(
        ['acme.yaml:6:1 tier: expected one of small, standard, critical, got "tiny"'],
        ["acme"],
      );
    });
  });
});

describe("readTenantFiles", () => {
  it("throws where there is no folder", () => {
    throws(() => readTenantFiles("no/such/folder", []), /ENOENT/);
  });
});
