import { deepEqual, equal, ok } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

import { runProgram, type Registration } from "./program.ts";

type Run = Awaited<ReturnType<typeof runProgram>>;

const GLOBEX = {
  dev: {
    apiUrl: "https://globex.tenantry.localhost:6443",
    argocdUrl: "http://127.0.0.1:8080/applications/argocd/globex",
    repositoryUrl: "http://127.0.0.1:8082/example-corp/globex",
  },
  prod: {
    apiUrl: "https://globex.k8s.example.com",
    argocdUrl: "https://argocd.platform.example.com/applications/argocd/globex",
    repositoryUrl: "https://github.com/example-platform/globex",
  },
};

for (const stack of ["dev", "prod"] as const) {
  describe(`the program for the stack ${stack}`, () => {
    let run: Run;
    before(async () => {
      run = await runProgram(stack);
    });

    it("registers what was reviewed (UPDATE_GOLDEN=1 writes it anew)", () => {
      const file = `test/golden/${stack}.json`;
      const actual = `${JSON.stringify(run.registrations, null, 2)}\n`;
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
      deepEqual(JSON.parse(actual), JSON.parse(readFileSync(file, "utf8")));
    });

    it("talks to two providers, whatever the number of tenants", () => {
      const providers = run.registrations.filter(({ type }) =>
        type.startsWith("pulumi:providers:"),
      );
      deepEqual(
        providers.map(({ name }) => name),
        ["github", "host-kubernetes"],
      );
      for (const { type, name, provider } of run.registrations) {
        if (/^(kubernetes|github):/.test(type)) {
          ok(
            providers.some((resource) => resource.name === provider),
            `${name}: ${provider ?? ""}`,
          );
        }
      }
    });

    it("shows no token anywhere", () => {
      ok(!JSON.stringify(run.registrations).includes("sentinel"));
    });

    it("puts out addresses in the open and kubeconfigs as secrets", async () => {
      const { tenants, kubeconfigs } = z
        .object({
          tenants: z.record(z.string(), z.unknown()),
          kubeconfigs: z.record(
            z.string(),
            z.custom((value) => pulumi.Output.isInstance(value)),
          ),
        })
        .parse(run.outputs);
      deepEqual(tenants["globex"], { ...GLOBEX[stack], namespace: "vc-globex" });
      deepEqual(Object.keys(kubeconfigs), ["acme", "globex"]);
      const kubeconfig = pulumi.output(kubeconfigs["acme"]);
      ok(await pulumi.isSecret(kubeconfig));
    });

    it("destroys a tenant in an order that cannot hang", () => {
      const before = (first: string, then: string) => {
        ok(dependencies(run.registrations, first).has(then), `${first} must go before ${then}`);
      };
      before("acme-argocd-root", "acme-argocd-registration");
      before("acme-argocd-root", "acme-argocd-repository");
      before("acme-argocd-root", "acme-repo-repository");
      before("acme-argocd-registration", "acme-argocd-project");
      before("acme-argocd-project", "acme-vcluster-application");
      before("acme-vcluster-application", "acme-vcluster-namespace");
      before("acme-vcluster-application", "acme-vcluster-project");
      before("acme-vcluster-namespace", "host-policy-binding-namespaces");
      for (const { name, inputs, deletedWith } of run.registrations) {
        if (JSON.stringify(inputs).includes('"namespace":"vc-acme","labels"')) {
          equal(deletedWith, "acme-vcluster-namespace", name);
        }
      }
    });
  });
}

/** Everything that a resource is made after, and therefore destroyed before. */
function dependencies(
  registrations: readonly Registration[],
  name: string,
  found = new Set<string>(),
): Set<string> {
  // To depend on a component is to depend on its children.
  const nexts = registrations.flatMap((registration) =>
    registration.name === name
      ? (registration.dependsOn ?? [])
      : registration.parent === name && !registration.type.startsWith("pulumi:providers:")
        ? [registration.name]
        : [],
  );
  for (const next of nexts) {
    if (!found.has(next)) dependencies(registrations, next, found.add(next));
  }
  return found;
}
