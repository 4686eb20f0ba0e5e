import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { admissionRules } from "../../components/admitted-tenants.ts";
import { packagedValuesSchema } from "../../components/vcluster-chart.ts";
import { vclusterValues } from "../../components/vcluster-values.ts";
import { parsePlatformSettings } from "../../platform/settings.ts";
import { readTenantFiles } from "../../tenants/load.ts";
import { TIER_NAMES } from "../../tenants/schema.ts";

const { settings: platform } = parsePlatformSettings({
  host: { clusterIdentifier: "bench", apiServer: { addresses: ["10.9.8.7/32"] } },
  argocd: { url: "https://argocd.example.com" },
  virtualClusters: {
    domain: "k8s.example.com",
    gateway: { name: "tenants", namespace: "gateway-system" },
  },
  git: { owner: "example-corp" },
});
if (platform === undefined) throw new Error("the benchmark's platform settings are not valid");

/** A file with the settings that teams often make, an extra chart value among them. */
function tenantFile(name: string, index: number): string {
  return `name: ${name}
owner:
  team: Team ${index}
  email: team-${index}@example.com
costCentre: CC-${1000 + index}
tier: ${TIER_NAMES[index % TIER_NAMES.length] ?? "small"}
kubernetes: "1.36"
quota:
  cpu: "${4 + (index % 5)}"
  memory: 8Gi
labels:
  example.com/area: payments
vcluster:
  values:
    sync:
      toHost:
        ingresses:
          enabled: true
`;
}

// Prints the seconds in which a number of tenant files are read, held against every rule that needs
// no cluster, the chart's own schema among them, and compiled to the values of the chart.
// Arguments: the number, and the package of the vCluster chart.
const count = Number(process.argv[2]);
const chartPackage = process.argv[3] ?? "";
const folder = mkdtempSync(join(tmpdir(), "tenantry-bench-"));
try {
  for (let index = 0; index < count; index++) {
    const name = `team-${index}`;
    writeFileSync(join(folder, `${name}.yaml`), tenantFile(name, index));
  }
  const started = performance.now();
  const valuesSchema = await packagedValuesSchema(platform.charts.vcluster, chartPackage);
  const { entries, faults } = readTenantFiles(
    folder,
    admissionRules({ platform, valuesSchema, deployed: [] }),
  );
  const values = entries.map(({ tenant }) => vclusterValues(tenant, platform));
  const seconds = (performance.now() - started) / 1000;
  if (faults.length > 0 || values.length !== count) {
    throw new Error(`${values.length} of ${count} compiled: ${JSON.stringify(faults[0])}`);
  }
  console.log(seconds);
} finally {
  rmSync(folder, { recursive: true });
}
