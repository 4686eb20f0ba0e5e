import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { Clone } from "./clone.ts";

const repository = join(import.meta.dirname, "..", "..");

/** A tenant file; `lines` are added to it. */
export function tenantFile(name: string, team: string, ...lines: string[]): string {
  return [
    `name: ${name}`,
    `owner: { team: ${team}, email: mail@example.com }`,
    "costCentre: CC-1001",
    "tier: small",
    'kubernetes: "1.36"',
    ...lines,
    "",
  ].join("\n");
}

/** The tenants that the clone has. */
export const acme = tenantFile(
  "acme",
  "Acme",
  "quota: { cpu: 4, memory: 8Gi, storage: 20Gi, pods: 40 }",
);
export const globex = tenantFile("globex", "Globex");

/** A clone with two tenants in which the dependencies are there: a copy is quicker than to install them. */
export async function tenantsClone(): Promise<Clone> {
  const clone = await Clone.make();
  await execa("cp", ["-a", join(repository, "node_modules"), clone.folder]);
  for (const file of (await clone.succeed("ls", ["tenants"])).split("\n")) {
    if (file.endsWith(".yaml")) clone.delete(`tenants/${file}`);
  }
  clone.write("tenants/acme.yaml", acme);
  clone.write("tenants/globex.yaml", globex);
  return clone;
}

/** Does something while files of a clone are others; undefined for one that is not there. */
export async function withFiles<Result>(
  clone: Clone,
  files: ReadonlyMap<string, string | undefined>,
  work: () => Promise<Result>,
): Promise<Result> {
  const put = (path: string, content: string | undefined) => {
    if (content === undefined) clone.delete(path);
    else clone.write(path, content);
  };
  const kept = [...files.keys()].map((path) => {
    const content = existsSync(join(clone.folder, path)) ? clone.read(path) : undefined;
    return { path, content };
  });
  for (const [path, content] of files) put(path, content);
  try {
    return await work();
  } finally {
    for (const { path, content } of kept) put(path, content);
  }
}
