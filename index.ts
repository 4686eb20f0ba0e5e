import * as pulumi from "@pulumi/pulumi";

import { admittedTenants } from "./components/admitted-tenants.ts";
import { deployedTenants, tenantRecord } from "./components/deployed-tenants.ts";
import { githubProvider } from "./components/github-provider.ts";
import { HostCluster } from "./components/host-cluster.ts";
import { Tenant } from "./components/tenant.ts";
import { chartValuesSchema } from "./components/vcluster-chart.ts";
import { loadPlatform, type PlatformSettings } from "./platform/settings.ts";

/** What Pulumi runs. */
export default async function tenantry() {
  const platform = loadPlatform(new pulumi.Config());
  const files = await admitted(platform);

  const host = new HostCluster("host", { platform });
  const github = githubProvider("github", platform);
  const options = { providers: [host.provider, github] };
  const tenants = files.map(
    (tenant) => new Tenant(tenant.name, { tenant, platform, host }, options),
  );

  return {
    /** By tenant: apiUrl, argocdUrl, repositoryUrl and namespace. */
    tenants: Object.fromEntries(tenants.map(({ name, addresses }) => [name, addresses])),
    /** By tenant: a working kubeconfig. Secrets. */
    kubeconfigs: Object.fromEntries(tenants.map(({ name, kubeconfig }) => [name, kubeconfig])),
    /** By tenant: what the next update compares its file with. */
    records: Object.fromEntries(files.map((tenant) => [tenant.name, tenantRecord(tenant)])),
  };
}

/** The tenants of the folder. Nothing is registered before all of them are known to be good. */
async function admitted(platform: PlatformSettings) {
  const [deployed, valuesSchema] = await Promise.all([
    deployedTenants(),
    chartValuesSchema(platform.charts.vcluster),
  ]).catch(asRunError);
  return await admittedTenants("tenants", { platform, valuesSchema, deployed }, async () => {
    // Loading the client takes as long as all the rest: most updates do without.
    const { hostOf } = await import("./components/host-nodes.ts");
    return await hostOf(platform);
  }).catch(asRunError);
}

/** Of a RunError, Pulumi prints the message and no stack trace. */
function asRunError(error: unknown): never {
  throw error instanceof Error ? new pulumi.RunError(error.message) : error;
}
