import { deepEqual, equal, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { z } from "zod";

import { vclusterValues } from "../../components/vcluster-values.ts";
import { KUBERNETES_IMAGE_TAGS, KUBERNETES_VERSIONS } from "../../tenants/schema.ts";
import { platform, tenant } from "./fixtures.ts";

/** The chart itself, out of the module that the toolchain pins: the judge of its own values. */
function chartFolder(this: Mocha.Context): string {
  this.timeout(120_000); // the first time, it is downloaded
  const go = (...args: string[]) =>
    execFileSync("go", args, { cwd: "dev/toolchain/modules/vcluster", encoding: "utf8" });
  const module = "github.com/loft-sh/vcluster";
  return join(
    z.object({ Dir: z.string() }).parse(JSON.parse(go("mod", "download", "-json", module))).Dir,
    "chart",
  );
}

describe("the values of the vCluster chart", () => {
  let chart: string;
  before(function () {
    chart = chartFolder.call(this);
  });

  it("are valid by the chart's own schema, for every Kubernetes version", () => {
    const schema: unknown = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
    // The schema says nothing about formats, and repeats types that Ajv's strict mode infers.
    const validate = new Ajv2020({ strict: false }).compile(z.looseObject({}).parse(schema));
    for (const kubernetes of KUBERNETES_VERSIONS) {
      validate(vclusterValues({ ...tenant, kubernetes }, platform));
      deepEqual(validate.errors, null);
    }
    ok(!validate({ ...vclusterValues(tenant, platform), exportKubeconfig: {} }), "knows its keys");
  });

  it("offer only Kubernetes versions that this vCluster supports", () => {
    const source = readFileSync(join(chart, "..", "config", "default_extra_values.go"), "utf8");
    for (const version of KUBERNETES_VERSIONS) {
      ok(source.includes(`"${version}": "ghcr.io/loft-sh/kubernetes:v${version}.`), version);
      ok(KUBERNETES_IMAGE_TAGS[version].startsWith(`v${version}.`));
    }
  });

  it("repeat no default of the chart", () => {
    const defaults: unknown = parse(readFileSync(join(chart, "values.yaml"), "utf8"));
    deepEqual(repeated(vclusterValues(tenant, platform), defaults), [
      // Said because the namespace's quota counts them.
      "controlPlane.coredns.deployment.resources.requests.cpu",
      "controlPlane.coredns.deployment.resources.requests.memory",
      "controlPlane.coredns.deployment.resources.limits.memory",
      "controlPlane.statefulSet.resources.requests.cpu",
      "controlPlane.statefulSet.security.containerSecurityContext.allowPrivilegeEscalation",
      "controlPlane.statefulSet.persistence.volumeClaim.size",
    ]);
  });

  it("give clients and certificates the same names", () => {
    const { controlPlane, exportKubeConfig } = vclusterValues(tenant, platform);
    deepEqual(controlPlane.proxy.extraSANs, [
      "acme.k8s.example.com",
      "10.1.2.3",
      "acme.vc-acme.svc",
    ]);
    equal(controlPlane.tlsRoute.host, "acme.k8s.example.com");
    equal(exportKubeConfig.server, "https://10.1.2.3:8443");
    equal(exportKubeConfig.additionalSecrets[0]?.server, "https://acme.vc-acme:443");
  });
});

/** Paths of the values that say what the defaults say. */
function repeated(value: unknown, byDefault: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value) === JSON.stringify(byDefault) ? [path] : [];
  }
  const defaults = z.record(z.string(), z.unknown()).catch({}).parse(byDefault);
  return Object.entries(value).flatMap(([key, child]) =>
    repeated(child, defaults[key], path === "" ? key : `${path}.${key}`),
  );
}
