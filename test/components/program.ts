import { equal, ok } from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { z } from "zod";

import { tenantRecord } from "../../components/deployed-tenants.ts";
import { cachedSchemaFile } from "../../components/vcluster-chart.ts";
import { parsePlatformSettings } from "../../platform/settings.ts";
import { isMapping } from "../../tenants/effective-settings.ts";
import { loadTenants } from "../../tenants/load.ts";
import { chartSchema } from "./fixtures.ts";

/** A resource as the program registers it. */
export interface Registration {
  readonly type: string;
  readonly name: string;
  /** Inputs, with "[secret]" for each property that is a secret or holds one. */
  readonly inputs: unknown;
  /** Name of the provider resource, for what a provider makes. */
  readonly provider?: string;
  readonly parent?: string;
  readonly dependsOn?: readonly string[];
  readonly deletedWith?: string;
  readonly ignoreChanges?: readonly string[];
}

const Program = z.object({
  default: z.custom<() => Promise<unknown>>((value) => typeof value === "function"),
});

/** What the dev platform fills in at run time. */
const DEV_RUN_TIME = {
  argocd: { url: "http://127.0.0.1:8080" },
  charts: { vcluster: { repository: "http://127.0.0.1:8081" } },
  virtualClusters: { port: 6443 },
  git: { url: "http://127.0.0.1:8082" },
};

/** Runs the whole program for a stack against a pretended engine, without any provider. */
export async function runProgram(stack: "dev" | "prod"): Promise<{
  readonly registrations: readonly Registration[];
  readonly outputs: Readonly<Record<string, unknown>>;
}> {
  const registered: Omit<Registration, "parent">[] = [];
  // As deployed already: then nobody asks for more, and the host cluster is not asked.
  const records = Object.fromEntries(
    loadTenants("tenants", []).map((tenant) => [tenant.name, tenantRecord(tenant)]),
  );
  const options = new Map<string, Promise<Partial<Registration>>>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const values: unknown = inputs;
        registered.push({
          type,
          name,
          inputs: withoutSecrets(values),
          ...(provider === undefined || provider === "" ? {} : { provider: urnName(provider) }),
        });
        return {
          id: `${name}-id`,
          state: { ...z.looseObject({}).parse(values), ...filled(type) },
        };
      },
      call: ({ token }) => {
        equal(token, "pulumi:pulumi:readStackOutputs");
        return { outputs: { records } };
      },
    },
    "tenantry",
    stack,
    false,
    "organization",
  );
  pulumi.runtime.setAllConfig(configuration(stack), ["tenantry:gitArgocdToken"]);

  let outputs: Record<string, unknown> = {};
  const restoreCache = seedChartCache(stack);
  await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      options.set(`${type} ${name}`, describeOptions(opts));
      return undefined;
    });
    // Its own instance of the module for every stack: the program runs as it is loaded.
    const { default: program } = Program.parse(await import(`../../index.ts?stack=${stack}`));
    outputs = z.looseObject({}).parse(await program());
    return outputs;
  });
  // Registrations go on after the program's last line, each when what it depends on is there.
  await pulumi.runtime.disconnect();
  restoreCache();

  const registrations = await Promise.all(
    registered.map(async (registration) => ({
      ...registration,
      ...(await options.get(`${registration.type} ${registration.name}`)),
    })),
  );
  return {
    registrations: registrations.sort(
      (a, b) => a.name.localeCompare(b.name) || a.type.localeCompare(b.type),
    ),
    outputs,
  };
}

/** Puts the chart's schema where the program finds it without a network; returns what undoes it. */
function seedChartCache(stack: "dev" | "prod"): () => void {
  const before = process.env["TENANTRY_CACHE"];
  const folder = mkdtempSync(join(tmpdir(), "tenantry-cache-"));
  process.env["TENANTRY_CACHE"] = folder;
  const values = Object.entries(configuration(stack))
    .filter(([key]) => key !== "tenantry:gitArgocdToken")
    .map(
      ([key, text]) => [key.replace("tenantry:", ""), z.json().parse(JSON.parse(text))] as const,
    );
  const { settings } = parsePlatformSettings(Object.fromEntries(values));
  ok(settings);
  const file = cachedSchemaFile(settings.charts.vcluster);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(chartSchema()));
  return () => {
    if (before === undefined) delete process.env["TENANTRY_CACHE"];
    else process.env["TENANTRY_CACHE"] = before;
    rmSync(folder, { recursive: true });
  };
}

function configuration(stack: "dev" | "prod"): Record<string, string> {
  const { config } = z
    .object({ config: z.record(z.string(), z.json()) })
    .parse(parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8")));
  const runTime: Readonly<Record<string, object>> = stack === "dev" ? DEV_RUN_TIME : {};
  return {
    ...Object.fromEntries(
      Object.entries(config).map(([key, value]) => [
        key,
        JSON.stringify(
          isMapping(value) ? { ...value, ...runTime[key.replace("tenantry:", "")] } : value,
        ),
      ]),
    ),
    "tenantry:gitArgocdToken": "sentinel-read-token",
  };
}

/** What vCluster would have written into the Secrets that wait for it. */
function filled(type: string): Record<string, unknown> {
  if (type !== "kubernetes:core/v1:Secret") return {};
  const encode = (text: string) => Buffer.from(text).toString("base64");
  return {
    data: {
      config: encode(`apiVersion: v1
clusters:
  - name: local
    cluster:
      server: https://localhost:8443
`),
      token: encode("sentinel-token"),
      "certificate-authority": encode("-----BEGIN CERTIFICATE-----"),
    },
  };
}

async function describeOptions(opts: pulumi.CustomResourceOptions): Promise<Partial<Registration>> {
  const { parent, dependsOn = [], deletedWith, ignoreChanges = [] } = opts;
  const dependencies = pulumi
    .output(dependsOn)
    .apply((list) => pulumi.all([list].flat().map(({ urn }) => urn)));
  const names = (await valueOf(dependencies)).map(urnName);
  return {
    ...(parent === undefined ? {} : { parent: urnName(await valueOf(parent.urn)) }),
    ...(names.length === 0 ? {} : { dependsOn: names }),
    ...(deletedWith === undefined
      ? {}
      : {
          deletedWith: urnName(await valueOf(pulumi.output(deletedWith).apply(({ urn }) => urn))),
        }),
    ...(ignoreChanges.length === 0 ? {} : { ignoreChanges }),
  };
}

/** The resource's name in a URN, or in a provider's reference, which is a URN and an id. */
function urnName(urn: string): string {
  return urn.split("::")[3] ?? "";
}

function withoutSecrets(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return "[secret]";
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, withoutSecrets(child)]),
  );
}

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}
