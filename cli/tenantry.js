#!/usr/bin/env node
// The one entry of every command: plain JavaScript without dependencies, so
// that it runs on a fresh clone and installs what the rest of it needs.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function fail(message) {
  process.stderr.write(`tenantry: ${message}\n`);
  process.exit(1);
}

/** The packages of a lockfile by folder; undefined when there is none. */
function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** Whether node_modules holds what package-lock.json asks for. npm records in node_modules what it put there. */
function installed() {
  const present = lockedPackages(join(root, "node_modules", ".package-lock.json"));
  const wanted = lockedPackages(join(root, "package-lock.json"));
  if (present === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(
    ([folder, entry]) =>
      folder === "" || entry.optional === true || present[folder]?.version === entry.version,
  );
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer`);
}

if (!installed()) {
  const started = Date.now();
  process.stderr.write("dependencies  installing (about 30 s the first time)\n");
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    // What a command prints belongs to it alone: npm's chatter goes to standard error.
    stdio: ["ignore", 2, 2],
  });
  if (result.error) fail(`npm could not be run (${result.error.message}): install npm 10 or newer`);
  if (result.status !== 0) {
    fail(`"npm ci" in ${root} failed with exit code ${result.status}: see its output above`);
  }
  process.stderr.write(
    `dependencies  installed in ${Math.round((Date.now() - started) / 1000)} s\n`,
  );
}

// Installing is all that "tenantry install" does; the tests start with it.
if (process.argv[2] !== "install") {
  const { register } = await import("tsx/esm/api");
  register();
  await import(pathToFileURL(join(root, "cli", "main.ts")).href);
}
