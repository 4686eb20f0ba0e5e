import * as pulumi from "@pulumi/pulumi";

import { githubProvider } from "./components/github-provider.ts";
import { HostCluster } from "./components/host-cluster.ts";
import { Tenant } from "./components/tenant.ts";
import { loadPlatform } from "./platform/settings.ts";
import { loadTenants, TenantFilesError } from "./tenants/load.ts";

const platform = loadPlatform(new pulumi.Config());
const files = readTenants();

const host = new HostCluster("host", { platform });
const github = githubProvider("github", platform);
const options = { providers: [host.provider, github] };
const all = files.map((tenant) => new Tenant(tenant.name, { tenant, platform, host }, options));

/** By tenant: apiUrl, argocdUrl, repositoryUrl and namespace. */
export const tenants = byName(({ addresses }) => addresses);

/** By tenant: a working kubeconfig. Secrets. */
export const kubeconfigs = byName(({ kubeconfig }) => kubeconfig);

function byName<T>(output: (tenant: Tenant) => T): Record<string, T> {
  return Object.fromEntries(all.map((tenant) => [tenant.name, output(tenant)]));
}

function readTenants() {
  try {
    return loadTenants("tenants");
  } catch (error) {
    // Of a RunError, Pulumi prints the message and no stack trace.
    throw error instanceof TenantFilesError ? new pulumi.RunError(error.message) : error;
  }
}
