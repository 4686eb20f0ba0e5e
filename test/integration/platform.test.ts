import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { Clone, eventually } from "./clone.ts";

const UpResult = z.object({
  tenants: z.record(
    z.string(),
    z.object({
      namespace: z.string(),
      apiUrl: z.string(),
      argocdUrl: z.string(),
      repositoryUrl: z.string(),
    }),
  ),
  changes: z.record(z.string(), z.number()),
});
const Names = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), uid: z.string() }) })),
});

const minutes = 60_000;

function tenantFile(name: string): string {
  return [
    `name: ${name}`,
    `owner: { team: ${name}, email: ${name}@example.com }`,
    "costCentre: CC-3003",
    "tier: small",
    'kubernetes: "1.36"',
    'quota: { cpu: "2", memory: 4Gi, storage: 10Gi, pods: 20 }',
    "",
  ].join("\n");
}

describe("the platform, as a newcomer meets it", function () {
  this.timeout(10 * minutes);
  let clone: Clone;
  let scratch: string;
  let bin: string;
  const kubeconfig = (tenant: string): string => join(scratch, tenant);

  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    scratch = mkdtempSync(join(tmpdir(), "tenantry-scratch-"));
    clone = await Clone.make();
    const toolchain = await clone.run("node", ["cli/tenantry.js", "dev", "toolchain", "--json"]);
    assert.equal(toolchain.exitCode, 0, toolchain.stderr);
    bin = z.object({ bin: z.string() }).parse(JSON.parse(toolchain.stdout)).bin;
  });

  after(async () => {
    await clone.tenantry("dev", "down");
    clone.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** kubectl against a tenant's virtual cluster, or against the host. */
  async function kubectl(where: string, ...rest: string[]): Promise<string> {
    const file =
      where === "host" ? join(clone.folder, ".tenantry", "kubeconfig") : kubeconfig(where);
    return await clone.succeed(join(bin, "kubectl"), ["--kubeconfig", file, ...rest]);
  }
  async function names(where: string, ...rest: string[]): Promise<string[]> {
    const list = Names.parse(JSON.parse(await kubectl(where, "get", ...rest, "-o", "json")));
    return list.items.map(({ metadata }) => metadata.name);
  }
  async function apply(where: string, manifest: object): Promise<void> {
    const file = join(scratch, "manifest.json");
    writeFileSync(file, JSON.stringify(manifest));
    await kubectl(where, "apply", "-f", file);
  }
  async function up(): Promise<z.infer<typeof UpResult>> {
    return UpResult.parse(
      JSON.parse(await clone.succeed("npm", ["run", "--silent", "up", "--", "--json"])),
    );
  }
  async function hostNamespaces(): Promise<string[]> {
    return await names("host", "namespaces");
  }

  describe("npm run up", () => {
    it("ends 0 with a table of both tenants", async () => {
      const { exitCode, stdout, stderr } = await clone.run("npm", ["run", "up"]);
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /^TENANT\s+NAMESPACE\s+API SERVER\s+ARGO CD\s+REPOSITORY/m);
      assert.match(stdout, /^acme\s+vc-acme\s+https:\/\/\S+\s+http:\S+\s+http:\S+/m);
      assert.match(stdout, /^globex\s+vc-globex\s+https:\/\/\S+\s+http:\S+\s+http:\S+/m);
    });

    it("gives each tenant a kubeconfig that its own API server answers", async () => {
      const systemUids = new Set<string>();
      for (const tenant of ["acme", "globex"]) {
        writeFileSync(
          kubeconfig(tenant),
          await clone.succeed("node", ["cli/tenantry.js", "kubeconfig", tenant]),
          { mode: 0o600 },
        );
        const namespaces = Names.parse(
          JSON.parse(await kubectl(tenant, "get", "namespaces", "-o", "json")),
        ).items;
        assert.ok(namespaces.some(({ metadata }) => metadata.name === "default"));
        assert.ok(!namespaces.some(({ metadata }) => metadata.name.startsWith("vc-")));
        const system = namespaces.find(({ metadata }) => metadata.name === "kube-system");
        assert.ok(system);
        systemUids.add(system.metadata.uid);
      }
      systemUids.add(
        (
          await kubectl("host", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
        ).trim(),
      );
      assert.equal(systemUids.size, 3, "two tenants and the host are three clusters");
    });

    it("has the root Application of each tenant Synced and Healthy when it returns", async () => {
      for (const tenant of ["acme", "globex"]) {
        const state = await kubectl(
          "host",
          "-n",
          "argocd",
          "get",
          "application",
          tenant,
          "-o",
          "jsonpath={.status.sync.status} {.status.health.status}",
        );
        assert.equal(state, "Synced Healthy");
      }
    });

    it("reports every process as ready", async () => {
      const status = await clone.tenantry("dev", "status", "--json");
      assert.equal(status.exitCode, 0, status.stdout);
      const processes = z
        .array(z.object({ name: z.string(), state: z.string() }))
        .parse(JSON.parse(status.stdout));
      assert.ok(processes.length >= 12);
    });
  });

  describe("a tenant's virtual cluster", () => {
    it("runs a Deployment, its pods on the host in the tenant's namespace", async () => {
      await apply("acme", {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web" },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web" } },
            spec: {
              securityContext: {
                runAsNonRoot: true,
                runAsUser: 1000,
                seccompProfile: { type: "RuntimeDefault" },
              },
              containers: [
                {
                  name: "web",
                  image: "nginxinc/nginx-unprivileged:1.29",
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    capabilities: { drop: ["ALL"] },
                  },
                },
              ],
            },
          },
        },
      });
      await eventually("two running pods inside", 60, async () => {
        const phases = await kubectl(
          "acme",
          "get",
          "pods",
          "-l",
          "app=web",
          "-o",
          "jsonpath={.items[*].status.phase}",
        );
        return phases === "Running Running";
      });
      const onHost = (await names("host", "-n", "vc-acme", "pods")).filter((name) =>
        /^web-.*-x-default-x-acme$/.test(name),
      );
      assert.equal(onHost.length, 2);
      assert.deepEqual(
        (await names("globex", "pods", "-A")).filter((name) => name.startsWith("web-")),
        [],
      );
    });

    it("says why a pod that the host refuses does not run", async () => {
      await kubectl("acme", "create", "deployment", "privileged", "--image=nginx:1.29");
      await eventually("an event that names Pod Security", 60, async () =>
        (await kubectl("acme", "get", "events", "-o", "jsonpath={.items[*].message}")).includes(
          'violates PodSecurity "restricted',
        ),
      );
      await kubectl("acme", "delete", "deployment", "privileged");
    });

    it("keeps its custom resource definitions to itself, each tenant its own version", async () => {
      const definition = (version: string): object => ({
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "widgets.example.com" },
        spec: {
          group: "example.com",
          scope: "Namespaced",
          names: { kind: "Widget", plural: "widgets", singular: "widget" },
          versions: [
            {
              name: version,
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: "object" } },
            },
          ],
        },
      });
      await apply("acme", definition("v1"));
      assert.ok(
        !(await names("globex", "customresourcedefinitions")).includes("widgets.example.com"),
      );
      assert.ok(
        !(await names("host", "customresourcedefinitions")).includes("widgets.example.com"),
      );
      await apply("globex", definition("v2alpha1"));
      const version = async (tenant: string): Promise<string> =>
        await kubectl(
          tenant,
          "get",
          "customresourcedefinition",
          "widgets.example.com",
          "-o",
          "jsonpath={.spec.versions[*].name}",
        );
      assert.equal(await version("acme"), "v1");
      assert.equal(await version("globex"), "v2alpha1");
    });
  });

  describe("a tenant's repository", () => {
    it("is cloned and pushed to with plain git, and Argo CD delivers what is pushed", async () => {
      const { tenants } = await up();
      const url = tenants["acme"]?.repositoryUrl ?? "";
      const work = join(scratch, "acme-repository");
      const manifest = JSON.stringify({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "from-git" },
        data: { hello: "acme" },
      });
      const pushed = await clone.shell(
        [
          `git clone -q ${url} ${work}`,
          `cd ${work}`,
          `test -f README.md && test -f .github/CODEOWNERS`,
          `printf %s '${manifest}' > apps/from-git.json`,
          "git add apps",
          "git -c user.name=Dev -c user.email=dev@example.com commit -qm 'Add a ConfigMap'",
          "git push -q origin HEAD",
        ].join(" && "),
      );
      assert.equal(pushed.exitCode, 0, pushed.stderr);
      await eventually("the pushed ConfigMap in acme's virtual cluster", 90, async () =>
        (await names("acme", "configmaps", "-n", "default")).includes("from-git"),
      );
      assert.ok(!(await names("globex", "configmaps", "-n", "default")).includes("from-git"));
    });

    it("refuses a push without credentials", async () => {
      const { tenants } = await up();
      const refused = await clone.run(
        "git",
        ["clone", "-q", tenants["acme"]?.repositoryUrl ?? "", join(scratch, "refused")],
        { GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null" },
      );
      assert.notEqual(refused.exitCode, 0);
    });

    const aims: readonly (readonly [string, { server: string; namespace: string }])[] = [
      ["another tenant", { server: "https://globex.vc-globex:443", namespace: "default" }],
      ["the host", { server: "https://kubernetes.default.svc", namespace: "default" }],
      ["another namespace", { server: "https://acme.vc-acme:443", namespace: "kube-system" }],
    ];
    for (const [what, destination] of aims) {
      it(`is refused by Argo CD as the source of ${what}`, async () => {
        const root = z
          .object({ spec: z.object({ source: z.record(z.string(), z.unknown()) }) })
          .parse(
            JSON.parse(
              await kubectl("host", "-n", "argocd", "get", "application", "acme", "-o", "json"),
            ),
          );
        const name = `stray-${destination.namespace}-${what.replaceAll(" ", "-")}`;
        await apply("host", {
          apiVersion: "argoproj.io/v1alpha1",
          kind: "Application",
          metadata: { name, namespace: "argocd" },
          spec: {
            project: "acme",
            source: root.spec.source,
            destination,
            syncPolicy: { automated: {} },
          },
        });
        try {
          await eventually("InvalidSpecError on the Application", 60, async () => {
            const conditions = await kubectl(
              "host",
              "-n",
              "argocd",
              "get",
              "application",
              name,
              "-o",
              "jsonpath={.status.conditions[*].type} {.status.conditions[*].message}",
            );
            return /InvalidSpecError.*(not permitted|do not match|is not allowed)/.test(conditions);
          });
        } finally {
          await kubectl("host", "-n", "argocd", "delete", "application", name);
        }
      });
    }
  });

  describe("a second npm run up", () => {
    it("changes nothing", async () => {
      const { changes } = await up();
      assert.deepEqual(Object.keys(changes), ["same"]);
    });

    it("leaves a plain pulumi nothing to change", async () => {
      const preview = await clone.shell("pulumi preview --expect-no-changes --non-interactive");
      assert.equal(preview.exitCode, 0, preview.stdout + preview.stderr);
    });

    it("finds nothing that drifted from what was applied", async () => {
      const preview = await clone.shell(
        "pulumi preview --refresh --expect-no-changes --non-interactive",
      );
      assert.equal(preview.exitCode, 0, preview.stdout + preview.stderr);
    });

    it("runs two providers, whatever the number of tenants", async () => {
      const stack = await clone.shell("pulumi stack export");
      assert.equal(stack.exitCode, 0, stack.stderr);
      // The provider of package pulumi is a part of the engine: it reads the stack's own outputs.
      const types = [...stack.stdout.matchAll(/"type": "(pulumi:providers:[^"]+)"/g)]
        .map(([, type]) => type)
        .filter((type) => type !== "pulumi:providers:pulumi");
      assert.deepEqual(types.sort(), ["pulumi:providers:github", "pulumi:providers:kubernetes"]);
    });
  });

  describe("secrets", () => {
    /** Things that must not be readable: keys and tokens that exist on the platform now. */
    function sentinels(): string[] {
      const state = join(clone.folder, ".tenantry");
      const found = readdirSync(join(state, "tokens")).map((name) =>
        readFileSync(join(state, "tokens", name), "utf8").trim(),
      );
      for (const tenant of ["acme", "globex"]) {
        const text = readFileSync(kubeconfig(tenant), "utf8");
        const key = /client-key-data: (\S+)/.exec(text)?.[1];
        assert.ok(key, "the kubeconfig holds a client key");
        found.push(key, Buffer.from(key, "base64").toString("utf8").split("\n")[1] ?? "");
      }
      assert.ok(found.every((text) => text.length > 16));
      return found;
    }

    it("are not in plain text in the exported state", async () => {
      const { stdout, exitCode } = await clone.shell("pulumi stack export");
      assert.equal(exitCode, 0);
      for (const secret of sentinels()) assert.ok(!stdout.includes(secret));
      const token = await kubectl(
        "host",
        "-n",
        "vc-acme",
        "get",
        "secret",
        "vc-acme-argocd",
        "-o",
        "jsonpath={.data.token}",
      );
      assert.ok(token.length > 16);
      assert.ok(!stdout.includes(token));
      assert.ok(!stdout.includes(Buffer.from(token, "base64").toString("utf8")));
    });

    it("are not in any log", () => {
      const state = join(clone.folder, ".tenantry");
      const logs = readdirSync(state, { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith(".log"),
      );
      assert.ok(logs.length >= 10, `logs: ${logs.join(", ")}`);
      for (const log of logs) {
        const text = readFileSync(join(state, log), "utf8");
        for (const secret of sentinels()) assert.ok(!text.includes(secret), `a secret in ${log}`);
      }
    });

    it("are not among any process's arguments", () => {
      const secrets = sentinels();
      for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
        let commandLine = "";
        try {
          commandLine = readFileSync(join("/proc", pid, "cmdline"), "utf8");
        } catch {
          continue;
        }
        for (const secret of secrets) assert.ok(!commandLine.includes(secret), `process ${pid}`);
      }
    });
  });

  describe("a third tenant", () => {
    it("is created without touching the others", async () => {
      clone.write("tenants/initech.yaml", tenantFile("initech"));
      const before = (await up().catch(() => undefined))?.changes ?? {};
      assert.ok((before["create"] ?? 0) > 0);
      assert.deepEqual(
        Object.keys(before).sort(),
        // The stack's own outputs change with it; nothing else is updated or replaced.
        ["create", "same"],
      );
      assert.ok((await hostNamespaces()).includes("vc-initech"));
    });

    it("is residue as long as it lives", async () => {
      const residue = await clone.tenantry("residue", "initech", "--json");
      assert.equal(residue.exitCode, 1);
      assert.ok(z.array(z.unknown()).parse(JSON.parse(residue.stdout)).length > 5);
    });

    it("is destroyed with its file, and leaves nothing", async () => {
      clone.delete("tenants/initech.yaml");
      const { changes, tenants } = await up();
      assert.deepEqual(Object.keys(changes).sort(), ["delete", "same"]);
      assert.deepEqual(Object.keys(tenants).sort(), ["acme", "globex"]);
      const residue = await clone.tenantry("residue", "initech", "--json");
      assert.equal(residue.exitCode, 0, residue.stdout + residue.stderr);
      assert.deepEqual(JSON.parse(residue.stdout), []);
      // An independent look at the host: no object of any kind carries the name.
      assert.ok(!(await hostNamespaces()).includes("vc-initech"));
      for (const kind of ["applications.argoproj.io", "appprojects.argoproj.io", "secrets"]) {
        const left = (await names("host", "-n", "argocd", kind)).filter((name) =>
          name.includes("initech"),
        );
        assert.deepEqual(left, [], kind);
      }
      for (const kind of ["persistentvolumes", "clusterroles", "clusterrolebindings"]) {
        const left = (await names("host", kind)).filter((name) => name.includes("initech"));
        assert.deepEqual(left, [], kind);
      }
    });
  });

  describe("a tenant file with three faults", () => {
    it("is refused with every fault, and nothing is touched", async () => {
      const namespaces = await hostNamespaces();
      const state = await clone.shell("pulumi stack export");
      clone.write(
        "tenants/hooli.yaml",
        tenantFile("hooli")
          .replace("costCentre:", "costCenter:")
          .replace("4Gi", "lots")
          .replace("pods: 20", "pods: -1"),
      );
      try {
        const refused = await clone.run("npm", ["run", "--silent", "up"]);
        assert.equal(refused.exitCode, 1);
        assert.match(refused.stderr, /tenants\/hooli\.yaml:3:\d+.*costCent/);
        assert.match(refused.stderr, /tenants\/hooli\.yaml:6:\d+.*quota\.memory/);
        assert.match(refused.stderr, /tenants\/hooli\.yaml:6:\d+.*quota\.pods/);
        assert.deepEqual(await hostNamespaces(), namespaces);
        const resources = (text: string): string[] =>
          [...text.matchAll(/"urn": "([^"]+)"/g)].map(([, urn]) => urn ?? "");
        assert.deepEqual(
          resources((await clone.shell("pulumi stack export")).stdout),
          resources(state.stdout),
        );
      } finally {
        clone.delete("tenants/hooli.yaml");
      }
    });
  });

  describe("an npm run up that is cut off", () => {
    /** Starts `up` with one more tenant, and returns once something shows that the engine is in the middle of it. */
    async function inTheMiddle(
      tenant: string,
      shows: () => Promise<boolean> = async () => (await hostNamespaces()).includes(`vc-${tenant}`),
    ) {
      clone.write(`tenants/${tenant}.yaml`, tenantFile(tenant));
      const run = clone.start("node", ["cli/tenantry.js", "dev", "up"]);
      await eventually(`the engine at work on ${tenant}`, 60, shows, 20);
      // In an object: an awaited subprocess would be awaited to its end.
      return { run };
    }
    async function converges(tenant: string): Promise<void> {
      const { tenants } = await up();
      assert.ok(tenant in tenants);
      const preview = await clone.shell("pulumi preview --expect-no-changes --non-interactive");
      assert.equal(preview.exitCode, 0, preview.stdout + preview.stderr);
    }

    it("by Ctrl-C says how to go on, and the next run converges", async () => {
      const { run } = await inTheMiddle("initrode");
      run.kill("SIGINT");
      const { exitCode, stderr } = await run;
      assert.equal(exitCode, 1);
      assert.match(stderr, /interrupted; .*npm run up/);
      await converges("initrode");
    });

    it("by kill -9 of the command converges at the next run", async () => {
      const { run } = await inTheMiddle("umbrella");
      run.kill("SIGKILL");
      await run;
      await converges("umbrella");
    });

    it("by kill -9 of the command and the engine converges at the next run", async () => {
      // The moment that is hardest: the repository is there, and the engine does not know it yet.
      const repositories = join(clone.folder, ".tenantry", "github", "repositories");
      const { run } = await inTheMiddle("stark", async () => {
        await Promise.resolve();
        return readdirSync(repositories, { recursive: true }).some((path) =>
          String(path).endsWith("stark.git"),
        );
      });
      run.kill("SIGKILL");
      await run;
      for (const pid of enginesOf(clone)) process.kill(pid, "SIGKILL");
      await converges("stark");
    });

    after(async () => {
      for (const tenant of ["initrode", "umbrella", "stark"])
        clone.delete(`tenants/${tenant}.yaml`);
      await up();
      for (const tenant of ["initrode", "umbrella", "stark"]) {
        const residue = await clone.tenantry("residue", tenant);
        assert.equal(residue.exitCode, 0, residue.stdout);
      }
    });
  });

  describe("a process that dies", () => {
    it("is reported with the last lines of its log, and comes back with the next up", async () => {
      const [pid] = processesOf(clone)
        .filter(({ name }) => name === "github")
        .map(({ pid: found }) => found);
      assert.ok(pid);
      process.kill(pid, "SIGKILL");
      await eventually("github dead", 10, async () => {
        await Promise.resolve();
        return !processesOf(clone).some(({ name }) => name === "github");
      });
      const status = await clone.tenantry("dev", "status");
      assert.equal(status.exitCode, 1);
      assert.match(status.stdout, /github has ended\. The last lines of .*github\.log:\n.+/);
      const { changes } = await up();
      assert.deepEqual(Object.keys(changes), ["same"]);
      assert.equal((await clone.tenantry("dev", "status")).exitCode, 0);
    });
  });

  describe("npm run down", () => {
    it("leaves no process, no mount, no namespace, no port and no file", async () => {
      const before = processesOf(clone);
      assert.ok(before.length > 12);
      const ports = z
        .object({ ports: z.record(z.string(), z.number()) })
        .parse(JSON.parse(clone.read(".tenantry/platform.json"))).ports;
      const down = await clone.run("npm", ["run", "down"]);
      assert.equal(down.exitCode, 0, down.stderr);
      assert.deepEqual(processesOf(clone), []);
      for (const { pid } of before)
        assert.ok(!existsSync(join("/proc", String(pid), "ns")) || !belongsTo(pid, clone));
      assert.ok(!readFileSync("/proc/mounts", "utf8").includes(clone.folder));
      for (const [name, port] of Object.entries(ports)) {
        assert.ok(!(await listens(port)), `port ${port} (${name}) still listens`);
      }
      assert.ok(!existsSync(join(clone.folder, ".tenantry")));
      assert.equal(
        (await clone.run("npm", ["run", "down"])).exitCode,
        0,
        "a second down does no harm",
      );
      const status = await clone.tenantry("dev", "status");
      assert.equal(status.exitCode, 1);
      assert.match(status.stderr, /npm run up/);
    });
  });
});

/** Processes that run on behalf of a clone, found by what they were started with: a second opinion to the product's own list. */
function processesOf(clone: Clone): { pid: number; name: string }[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map(Number)
    .filter((pid) => belongsTo(pid, clone))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(join("/proc", String(pid), "environ"), "utf8").split("\0");
        const name = environment.find((line) => line.startsWith("TENANTRY_DEV_PROCESS="));
        return [{ pid, name: name?.slice("TENANTRY_DEV_PROCESS=".length) ?? "" }];
      } catch {
        return []; // Ended meanwhile.
      }
    });
}

function belongsTo(pid: number, clone: Clone): boolean {
  try {
    const folder = join("/proc", String(pid));
    if (/^State:\s+[ZX]/m.test(readFileSync(join(folder, "status"), "utf8"))) return false;
    return ["cmdline", "environ", "mountinfo"].some((file) =>
      readFileSync(join(folder, file), "utf8").includes(clone.folder),
    );
  } catch {
    return false;
  }
}

function enginesOf(clone: Clone): number[] {
  return processesOf(clone)
    .filter(({ name }) => name === "pulumi")
    .map(({ pid }) => pid);
}

async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
}
