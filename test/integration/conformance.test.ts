/**
 * `tenantry conformance` on the dev platform: nothing surprises where all rails are up, at both
 * isolation levels and on both kinds of node pool; and with any one of them down, something does.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";

import { AREAS, RAILS, type Rail } from "../../conformance/attempt.ts";
import { type Clone, eventually } from "./clone.ts";
import { acme, globex, tenantsClone } from "./tenants-clone.ts";

const minutes = 60_000;
const SECURITY_PAGE = join(import.meta.dirname, "..", "..", "docs", "security.md");

const Result = z.object({
  tenant: z.string(),
  id: z.string(),
  area: z.enum(AREAS),
  expected: z.string(),
  rail: z.enum(RAILS).optional(),
  answer: z.object({ by: z.string(), text: z.string() }),
  surprise: z.boolean(),
});
type Result = z.infer<typeof Result>;

/** What undoes what was done. */
type Undo = () => Promise<void>;

describe("tenantry conformance", function () {
  this.timeout(15 * minutes);
  let clone: Clone;
  const scratch = mkdtempSync(join(tmpdir(), "tenantry-conformance-"));

  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    clone = await tenantsClone();
    await levels("baseline", "restricted");
    const { stdout } = await clone.shell("env --null");
    environment = Object.fromEntries(
      stdout.split("\0").flatMap((line) => {
        const [, name, value] = /^([^=]+)=(.*)$/s.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, value]];
      }),
    );
  });

  after(async () => {
    await clone.tenantry("dev", "down");
    clone.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function levels(ofAcme: string, ofGlobex: string): Promise<void> {
    clone.write(
      "tenants/acme.yaml",
      `${acme}isolation: ${ofAcme}\nimageRegistries: [registry.example.com/acme]\n`,
    );
    clone.write("tenants/globex.yaml", `${globex}isolation: ${ofGlobex}\nnodePool: dedicated\n`);
    await clone.succeed("npm", ["run", "up"]);
  }

  async function conformance(exitCode: 0 | 1, ...options: string[]): Promise<Result[]> {
    const outcome = await clone.tenantry("conformance", "--json", ...options);
    assert.equal(outcome.exitCode, exitCode, outcome.stderr + surprises(outcome.stdout));
    return z.array(Result).parse(JSON.parse(outcome.stdout));
  }

  /** What `tenantry env` exports, asked once: it is needed some hundred times. */
  let environment: Record<string, string>;

  async function kubectl(...rest: string[]): Promise<string> {
    return (await execa("kubectl", rest, { env: environment })).stdout;
  }

  const byLevel = (results: readonly Result[], id: string) =>
    results.filter((result) => result.id === id).map(({ answer }) => answer.by);

  it("surprises nobody at either isolation level, on either kind of node pool", async () => {
    const results = await conformance(0);
    assert.deepEqual(byLevel(results, "root-user"), ["nobody", "Pod Security"]);
    assert.ok(results.some(({ id }) => id === "other-nodes-selected"));
  });

  it("surprises nobody the other way round, and reports for people, programs and CI", async () => {
    await levels("restricted", "baseline");
    const report = join(scratch, "report.xml");
    const results = await conformance(0, "--junit", report);
    for (const tenant of ["acme", "globex"]) {
      const own = results.filter((result) => result.tenant === tenant);
      assert.ok(own.length >= 60, `${own.length} attempts on ${tenant}`);
      assert.equal(new Set(own.map(({ id }) => id)).size, own.length, "each id once");
      assert.deepEqual(new Set(own.map(({ area }) => area)), new Set(AREAS));
    }
    assert.deepEqual(byLevel(results, "root-user"), ["Pod Security", "nobody"]);

    const { testsuites } = z
      .object({
        testsuites: z.object({ testsuite: z.array(z.object({ testcase: z.array(z.unknown()) })) }),
      })
      .parse(new XMLParser().parse(readFileSync(report, "utf8")));
    assert.equal(testsuites.testsuite.flatMap(({ testcase }) => testcase).length, results.length);
  });

  it("refuses a tenant and an attempt that there is not, and says what there is", async () => {
    const tenant = await clone.tenantry("conformance", "initech");
    assert.equal(tenant.exitCode, 1);
    assert.match(tenant.stderr, /no tenant initech in this stack: it has acme, globex/);
    const attempt = await clone.tenantry("conformance", "--only", "no-such-attempt");
    assert.equal(attempt.exitCode, 1);
    assert.match(attempt.stderr, /no attempt is called no-such-attempt/);
  });

  describe("with one rail down", () => {
    /** Takes an object of the host away; the answer puts it back. */
    async function without(resource: string, ...scope: string[]): Promise<Undo> {
      const file = join(scratch, "object.json");
      const object = Stored.parse(
        JSON.parse(await kubectl("get", resource, ...scope, "-o", "json")),
      );
      const metadata = { ...object.metadata, resourceVersion: undefined, uid: undefined };
      await kubectl("delete", resource, ...scope);
      return async () => {
        writeFileSync(file, JSON.stringify({ ...object, metadata, status: undefined }));
        await kubectl("create", "-f", file);
      };
    }
    const unbound = (policy: string) => async () =>
      await without(`validatingadmissionpolicybinding/tenantry-${policy}`);
    const patched =
      (resource: string, namespace: string, patch: object, before: object) => async () => {
        const change = async (body: object) => {
          await kubectl(
            "-n",
            namespace,
            "patch",
            resource,
            "--type=merge",
            "-p",
            JSON.stringify(body),
          );
        };
        await change(patch);
        return async () => {
          await change(before);
        };
      };
    const project = async () =>
      z
        .object({ spec: z.record(z.string(), z.unknown()) })
        .parse(JSON.parse(await kubectl("-n", "argocd", "get", "appproject", "acme", "-o", "json")))
        .spec;
    const projectWith = (change: Readonly<Record<string, unknown>>) => async () => {
      const before = await project();
      return await patched(
        "appproject/acme",
        "argocd",
        { spec: change },
        { spec: Object.fromEntries(Object.keys(change).map((key) => [key, before[key] ?? null])) },
      )();
    };
    /** Gives somebody every right. */
    const allRights = (subjects: readonly object[], kubeconfig?: string) => async () => {
      const file = join(scratch, "rights.json");
      writeFileSync(
        file,
        JSON.stringify({
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "ClusterRoleBinding",
          metadata: { name: "all-rights" },
          roleRef: {
            apiGroup: "rbac.authorization.k8s.io",
            kind: "ClusterRole",
            name: "cluster-admin",
          },
          subjects,
        }),
      );
      const where = kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`];
      await kubectl(...where, "create", "-f", file);
      return async () => {
        await kubectl(...where, "delete", "clusterrolebinding", "all-rights");
      };
    };
    const account = (name: string, namespace: string) => ({
      kind: "ServiceAccount",
      name,
      namespace,
    });
    const inside = join(scratch, "acme.kubeconfig");
    before(async () => {
      writeFileSync(
        inside,
        await clone.succeed("node", ["cli/tenantry.js", "kubeconfig", "acme"]),
        { mode: 0o600 },
      );
    });
    async function github(method: string, path: string, body?: object): Promise<unknown> {
      const { GITHUB_BASE_URL, GITHUB_OWNER, GITHUB_TOKEN } = environment;
      const response = await fetch(`${GITHUB_BASE_URL}api/v3/repos/${GITHUB_OWNER}/acme${path}`, {
        method,
        headers: {
          authorization: `Bearer ${GITHUB_TOKEN}`,
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      assert.ok(response.ok, `${method} ${path}: ${response.status}`);
      return await response.json();
    }

    /** Takes each rail down; the answer puts it up again. */
    const down: Readonly<Record<Rail, () => Promise<Undo>>> = {
      "Pod Security of the namespace": patched(
        "namespace/vc-acme",
        "vc-acme",
        { metadata: { labels: { "pod-security.kubernetes.io/enforce": "privileged" } } },
        { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
      ),
      ResourceQuota: async () => await without("resourcequota/tenant", "-n", "vc-acme"),
      LimitRange: async () => await without("limitrange/tenant", "-n", "vc-acme"),
      "Role of the virtual cluster": allRights([
        account("vc-acme", "vc-acme"),
        account("vc-workload-acme", "vc-acme"),
      ]),
      "Role of Argo CD inside": async () =>
        await allRights([account("argocd", "kube-system")], inside)(),
      "policy images": unbound("images"),
      "policy host-access": unbound("host-access"),
      "policy services": unbound("services"),
      "policy ingresses": unbound("ingresses"),
      "policy volume-claims": unbound("volume-claims"),
      "policy nodes": unbound("nodes-shared"),
      "policy priorities": unbound("priorities"),
      "policy workloads": unbound("workloads"),
      "policy network-policies": unbound("network-policies"),
      "policy finalizers": unbound("finalizers"),
      "policy rails": unbound("rails"),
      "policy namespaces": unbound("namespaces"),
      "sources of the AppProject": projectWith({ sourceRepos: ["*"] }),
      "destinations of the AppProject": projectWith({
        destinations: [{ name: "*", server: "*", namespace: "*" }],
        permitOnlyProjectScopedClusters: false,
      }),
      "kinds of the AppProject": projectWith({
        clusterResourceWhitelist: [{ group: "*", kind: "*" }],
        namespaceResourceWhitelist: [{ group: "*", kind: "*" }],
      }),
      "namespaces of the registration": patched(
        "secret/cluster-vc-acme",
        "argocd",
        { stringData: { namespaces: "default,kube-system" } },
        { stringData: { namespaces: "default" } },
      ),
      "ruleset of the repository": async () => {
        const [ruleset] = z
          .array(z.object({ id: z.number() }))
          .parse(await github("GET", "/rulesets"));
        const enforce = async (enforcement: string) => {
          await github("PUT", `/rulesets/${ruleset?.id}`, { enforcement });
        };
        await enforce("disabled");
        return async () => {
          await enforce("active");
        };
      },
      "visibility of the repository": async () => {
        await github("PATCH", "", { visibility: "public" });
        return async () => {
          await github("PATCH", "", { visibility: "private" });
        };
      },
    };

    const caughtBy = new Map<Rail, readonly string[]>();

    for (const rail of RAILS) {
      it(`${rail}: is surprised by the attempts that it is there for`, async () => {
        const undo = await down[rail]();
        try {
          // An API server takes a moment to forget a policy, and Argo CD to see another project.
          let caught: readonly Result[] = [];
          await eventually(
            "a surprise",
            90,
            async () => {
              const outcome = await clone.tenantry("conformance", "--json", "acme", "--only", rail);
              const results = z.array(Result).parse(JSON.parse(outcome.stdout));
              caught = results.filter(({ surprise }) => surprise);
              assert.equal(outcome.exitCode, caught.length > 0 ? 1 : 0);
              return caught.length > 0;
            },
            1000,
          );
          caughtBy.set(
            rail,
            caught.map(({ id }) => id),
          );
        } finally {
          await undo();
        }
      });
    }

    it("is in the table of docs/security.md with the attempts that caught it", () => {
      const page = readFileSync(SECURITY_PAGE, "utf8");
      if (process.env["UPDATE_DOCS"] !== undefined) {
        const rows = [...caughtBy].map(([rail, ids]) => [
          rail,
          ids.map((id) => `\`${id}\``).join(", "),
        ]);
        const table = [["rail", "caught by"], ["---", "---"], ...rows]
          .map((cells) => `| ${cells.join(" | ")} |`)
          .join("\n");
        const [before = "", , after = ""] = page.split(/<!-- \/?rails -->/);
        const marked = `<!-- rails -->\n\n${table}\n\n<!-- /rails -->`;
        writeFileSync(SECURITY_PAGE, `${before}${marked}${after}`);
        return;
      }
      const listed = new Map(
        page.split("\n").map((line) => {
          const [, rail = "", ids = ""] = line.split("|").map((cell) => cell.trim());
          return [rail, [...ids.matchAll(/`([^`]+)`/g)].map(([, id]) => id)];
        }),
      );
      // Which of several catch it first is up to Argo CD's caches: none may that is not listed.
      for (const [rail, ids] of caughtBy) {
        for (const id of ids) assert.ok(listed.get(rail)?.includes(id), `${rail}: ${id}`);
      }
    });

    it("is up again, and so nothing surprises", async () => {
      await eventually("no surprise", 60, async () => {
        const outcome = await clone.tenantry("conformance", "acme");
        return outcome.exitCode === 0;
      });
      assert.equal(
        (await clone.shell("pulumi preview --refresh --expect-no-changes --non-interactive"))
          .exitCode,
        0,
      );
    });
  });

  describe("that is cut off", () => {
    async function left(): Promise<string> {
      const selector = "-lapp.kubernetes.io/managed-by=tenantry-conformance";
      return await kubectl(
        "get",
        "pods,services,configmaps,secrets,persistentvolumeclaims,networkpolicies,clusterroles,clusterrolebindings,applications.argoproj.io",
        ...["--all-namespaces", selector, "-o", "name"],
      );
    }

    it("by Ctrl-C removes what it made", async () => {
      const run = execa("node", ["cli/tenantry.js", "conformance", "acme"], {
        cwd: clone.folder,
        reject: false,
      });
      await eventually("something that the run made", 60, async () => (await left()) !== "", 200);
      run.kill("SIGINT");
      const { exitCode, stderr } = await run;
      assert.equal(exitCode, 1);
      assert.match(stderr, /interrupted; what was made is removed/);
      assert.equal(await left(), "");
    });

    it("by kill -9 leaves what the next run removes", async () => {
      const run = execa("node", ["cli/tenantry.js", "conformance", "acme"], {
        cwd: clone.folder,
        reject: false,
      });
      await eventually("something that the run made", 60, async () => (await left()) !== "", 200);
      run.kill("SIGKILL");
      await run;
      await conformance(0, "acme", "--only", "repository");
      assert.equal(await left(), "");
    });
  });
});

const Stored = z.looseObject({
  metadata: z.looseObject({}),
});

/** Of a JSON report, what is worth to be read. */
function surprises(json: string): string {
  try {
    return z
      .array(Result)
      .parse(JSON.parse(json))
      .filter(({ surprise }) => surprise)
      .map(
        ({ tenant, id, expected, answer }) =>
          `${tenant} ${id}: ${expected}, ${answer.by}: ${answer.text}`,
      )
      .join("\n");
  } catch {
    return json;
  }
}
