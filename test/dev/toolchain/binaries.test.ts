import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Part } from "../../../dev/toolchain/binaries.ts";
import { assets, parts, testParts } from "../../../dev/toolchain/binaries.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const modules = join(root, "dev", "toolchain", "modules");
const goMod = (group: string) => readFileSync(join(modules, group, "go.mod"), "utf8");
const pins = (group: string, path: string, version: string) =>
  goMod(group)
    .split("\n")
    .some((line) => line.replace(/^require |\s*\/\/.*$/g, "").trim() === `${path} ${version}`);

const allParts: readonly Part[] = [...parts, ...testParts];

describe("binaries", () => {
  it("runs each Pulumi provider in the very release of its SDK", () => {
    const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const provider of ["kubernetes", "github"]) {
      const part: Part | undefined = parts.find(
        ({ name }) => name === `pulumi-resource-${provider}`,
      );
      assert.ok(part?.version);
      assert.equal(part.onPath, undefined);
      assert.deepEqual(Object.values(part.builds[0].stamps ?? {}), [part.version]);
      assert.ok(part.download?.("amd64")?.url.includes(`-v${part.version}-`));
      const dependency = new RegExp(
        `"@pulumi/${provider}":"${part.version.replaceAll(".", "\\.")}"`,
      );
      assert.match(JSON.stringify(manifest), dependency);
    }
  });

  for (const part of allParts) {
    for (const build of part.builds) {
      it(`builds ${build.binary} from what its module group pins`, () => {
        assert.ok(existsSync(join(modules, build.group, "go.mod")), "no such module group");
        if (!build.module) return;
        const { path, version } = build.module;
        assert.ok(pins(build.group, path, version), `go.mod does not pin ${path} ${version}`);
        assert.ok(build.package === "." || `${build.package}/`.startsWith(`${path}/`));
      });
    }
  }

  for (const asset of assets) {
    it(`copies ${asset.name} from what its module group pins`, () => {
      assert.ok(pins(asset.group, asset.module, `v${asset.version}`));
      const sums = readFileSync(join(modules, asset.group, "go.sum"), "utf8");
      assert.ok(sums.includes(`${asset.module} v${asset.version} h1:`), "go.sum has no sum of it");
    });
  }

  it("verifies every download", () => {
    for (const part of allParts) {
      for (const architecture of ["amd64", "arm64"] as const) {
        const release = part.download?.(architecture);
        if (release === undefined) continue;
        assert.match(release.url, /^https:\/\//);
        assert.ok(part.version !== undefined && release.url.includes(part.version));
        if (typeof release.sha256 === "string") assert.match(release.sha256, /^[0-9a-f]{64}$/);
        else assert.match(release.sha256.url, /^https:\/\//);
        const binaries = part.builds.map(({ binary }) => binary).sort();
        assert.deepEqual(Object.keys(release.members ?? { [part.name]: "" }).sort(), binaries);
      }
    }
  });
});
