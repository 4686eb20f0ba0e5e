import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const Rendered = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  spec: z.unknown().optional(),
});
/** An object that a chart makes. */
export type Rendered = z.infer<typeof Rendered>;

/** What Helm makes of the vCluster chart for a tenant, in the tenant's namespace. */
export async function helmTemplate(
  helm: string,
  chart: string,
  tenant: string,
  values: object,
): Promise<Rendered[]> {
  const scratch = mkdtempSync(join(tmpdir(), "tenantry-test-"));
  try {
    const file = join(scratch, "values.json");
    writeFileSync(file, JSON.stringify(values));
    const { stdout } = await execa(helm, [
      ...["template", tenant, chart, "--namespace", `vc-${tenant}`, "--values", file],
      ...["--kube-version", "1.34"],
    ]);
    return parseAllDocuments(stdout)
      .map((document) => z.unknown().parse(document.toJS()))
      .filter((manifest) => manifest !== null)
      .map((manifest) => Rendered.parse(manifest));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
