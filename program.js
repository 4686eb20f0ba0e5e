// What Pulumi runs: index.ts, bundled. Compiling while loading (ts-node, tsx) takes longer, and
// tsx's loader does not work without stack traces.
import { buildSync } from "esbuild";
import { mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const folder = join(import.meta.dirname, "node_modules", ".cache", "tenantry");
const bundle = join(folder, "program.cjs");
const own = join(folder, `program.${process.pid}.cjs`);

mkdirSync(folder, { recursive: true });
buildSync({
  entryPoints: [join(import.meta.dirname, "index.ts")],
  outfile: own,
  bundle: true,
  platform: "node",
  format: "cjs",
  packages: "external",
});
// Renamed, because another run may be reading the file at this moment.
renameSync(own, bundle);

export default createRequire(import.meta.url)(bundle).default;
