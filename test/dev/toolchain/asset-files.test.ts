import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { extract } from "tar";
import { parse } from "yaml";

import { copyFiles, packChart } from "../../../dev/toolchain/asset-files.ts";

describe("asset files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tenantry-assets-"));
    await mkdir(join(folder, "chart", "templates"), { recursive: true });
    const chart = "apiVersion: v2\nname: sample\n\nversion: 0.0.1 # replaced on release\n";
    await writeFile(join(folder, "chart", "Chart.yaml"), chart);
    await writeFile(join(folder, "chart", "templates", "a.yaml"), "kind: A\n");
    await chmod(join(folder, "chart", "templates", "a.yaml"), 0o444);
    await writeFile(join(folder, "chart", "kustomization.yaml"), "resources: []\n");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("copies manifests as ordinary files, without a kustomization", async () => {
    await copyFiles(join(folder, "chart"), join(folder, "copy"));
    assert.deepEqual((await readdir(join(folder, "copy"))).sort(), ["Chart.yaml", "templates"]);
    const { mode } = await stat(join(folder, "copy", "templates", "a.yaml"));
    assert.equal(mode & 0o200, 0o200);
  });

  it("packs a chart stamped with its release, always to the same bytes", async () => {
    const archives: Buffer[] = [];
    for (const name of ["one", "two"]) {
      await copyFiles(join(folder, "chart"), join(folder, name, "sample"));
      await packChart(join(folder, name), "sample", "1.2.3", join(folder, `${name}.tgz`));
      archives.push(await readFile(join(folder, `${name}.tgz`)));
    }
    assert.deepEqual(archives[0], archives[1]);
    await extract({ file: join(folder, "one.tgz"), cwd: folder });
    const chart: unknown = parse(await readFile(join(folder, "sample", "Chart.yaml"), "utf8"));
    const expected = { apiVersion: "v2", name: "sample", version: "1.2.3", appVersion: "1.2.3" };
    assert.deepEqual(chart, expected);
    assert.equal(
      await readFile(join(folder, "sample", "templates", "a.yaml"), "utf8"),
      "kind: A\n",
    );
  });
});
