import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { format } from "prettier";

import { tenantJsonSchema, tenantReference } from "./reference.ts";

/** What is made of the schema, by its path in the repository: `npm run generate` writes it. */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  return {
    "tenants/tenant.schema.json": await format(JSON.stringify(tenantJsonSchema()), {
      parser: "json",
      printWidth: 100,
    }),
    "docs/tenant-file.md": await format(tenantReference(), { parser: "markdown", printWidth: 100 }),
  };
}

if (process.argv[1] === import.meta.filename) {
  const root = join(import.meta.dirname, "..");
  mkdirSync(join(root, "docs"), { recursive: true });
  for (const [path, content] of Object.entries(await generatedFiles())) {
    writeFileSync(join(root, path), content);
  }
}
