import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Clone, Outcome } from "./clone.ts";
import { acme, globex, tenantFile, tenantsClone, withFiles } from "./tenants-clone.ts";

const minutes = 60_000;

const Fault = z.object({
  file: z.string(),
  line: z.number(),
  column: z.number(),
  field: z.string(),
  message: z.string(),
  rule: z.string(),
});
type Fault = z.infer<typeof Fault>;
const CheckResult = z.object({ faults: z.array(Fault), notices: z.array(Fault) });

describe("commands that need no platform", function () {
  this.timeout(10 * minutes);
  let clone: Clone;
  before(async function () {
    // Building the toolchain cold takes its time.
    this.timeout(60 * minutes);
    clone = await tenantsClone();
    await clone.succeed("node", ["cli/tenantry.js", "dev", "toolchain"]);
  });
  after(() => {
    assert.ok(!existsSync(join(clone.folder, ".tenantry")), "they touch nothing");
    clone.remove();
  });

  async function faults(exitCode: 0 | 1, ...options: string[]): Promise<Fault[]> {
    const checked = await clone.tenantry("check", "--json", ...options);
    assert.equal(checked.exitCode, exitCode, checked.stdout + checked.stderr);
    return CheckResult.parse(JSON.parse(checked.stdout)).faults;
  }

  describe("tenantry check", () => {
    it("ends 0 where nothing is wrong", async () => {
      const { exitCode, stdout } = await clone.tenantry("check");
      assert.equal(exitCode, 0);
      assert.equal(stdout, "2 tenants and the settings of the stack dev: no fault");
      assert.equal((await clone.tenantry("check", "--github")).stdout, "");
    });

    describe("of a folder with faulty files", () => {
      let text: Outcome;
      let json: Outcome;
      let github: Outcome;
      before(async () => {
        const faulty = new Map([
          ["tenants/acme.yaml", acme.replace("{ cpu: 4, memory: 8Gi", "{ cpu: 4, memory: 8GB")],
          ["tenants/broken.yaml", `${tenantFile("broken", "Broken")}name: broken\n`],
          [
            "tenants/hooli.yaml",
            [
              "name: hooli",
              "owner: { team: Hooli, email: nobody }",
              'costCentre: "100% sure, really: yes"',
              "tier: huge",
              "kubernetes: 1.36",
              "quota: { pods: -1, cpu: lots }",
              '"two\\nlines": 1',
              "",
            ].join("\n"),
          ],
          ["tenants/initech, 100%.yaml", tenantFile("initech", "Initech", "groups: []")],
          ["tenants/stark.yml", tenantFile("stark", "Stark")],
          [
            "tenants/umbrella.yaml",
            tenantFile(
              "umbrella",
              "Umbrella",
              "services: [postgres]",
              "vcluster:",
              "  values:",
              "    sync: { toHost: { ingresses: { enabled: yes } } }",
              "    telemetri: { enabled: true }",
            ).replace("1.36", "1.35"),
          ],
        ]);
        [text, json, github] = await withFiles(clone, faulty, () =>
          Promise.all([
            clone.tenantry("check"),
            clone.tenantry("check", "--json"),
            clone.tenantry("check", "--github"),
          ]),
        );
      });
      const expected = [
        ["tenants/acme.yaml", 6, 18, "quota.memory", /"8GB"/],
        ["tenants/broken.yaml", 6, 1, "", /expected each key once/],
        ["tenants/hooli.yaml", 2, 23, "owner.email", /expected an e-mail address, got "nobody"/],
        ["tenants/hooli.yaml", 3, 1, "costCentre", /got "100% sure, really: yes"/],
        ["tenants/hooli.yaml", 4, 1, "tier", /small, standard, critical/],
        ["tenants/hooli.yaml", 5, 1, "kubernetes", /in quotes/],
        ["tenants/hooli.yaml", 6, 10, "quota.pods", /from 1 to 10000, got -1/],
        ["tenants/hooli.yaml", 6, 20, "quota.cpu", /such as 4 or 500m, got "lots"/],
        ["tenants/hooli.yaml", 7, 1, "two\nlines", /unknown key/],
        ["tenants/initech, 100%.yaml", 1, 1, "name", /initech\.yaml/],
        ["tenants/initech, 100%.yaml", 6, 1, "groups", /unknown key/],
        ["tenants/stark.yml", 1, 1, "", /stark\.yaml/],
        ["tenants/umbrella.yaml", 5, 1, "kubernetes", /has no Kubernetes 1\.35, .*1\.36/],
        ["tenants/umbrella.yaml", 6, 12, "services.0", /has no service postgres/],
        [
          ...["tenants/umbrella.yaml", 9, 36, "vcluster.values.sync.toHost.ingresses.enabled"],
          /true or false/,
        ],
        ["tenants/umbrella.yaml", 10, 5, "vcluster.values.telemetri", /did you mean telemetry\?/],
      ] as const;

      const result = () => CheckResult.parse(JSON.parse(json.stdout));

      it("says every fault in reading order, and ends 1", () => {
        assert.deepEqual([text.exitCode, json.exitCode, github.exitCode], [1, 1, 1]);
        const found = result().faults;
        assert.deepEqual(
          found.map(({ file, line, column, field }) => [file, line, column, field]),
          expected.map(([file, line, column, field]) => [file, line, column, field]),
        );
        found.forEach(({ message }, index) => {
          assert.match(message, expected[index]?.[4] ?? /^$/);
        });
      });

      it("says what nothing acts on yet", () => {
        const { notices } = result();
        assert.deepEqual(
          notices.map(({ file, line, field }) => [file, line, field]),
          [["tenants/umbrella.yaml", 6, "services"]],
        );
      });

      it("prints as text what it prints as JSON, a line each", () => {
        const { faults: found, notices } = result();
        const line = ({ file, line, column, field, message }: Fault) =>
          `${file}:${line}:${column} ${field === "" ? "" : `${field}: `}${message}`.replaceAll(
            "\n",
            "\\u000a",
          );
        assert.deepEqual(text.stdout.split("\n"), [
          ...notices.map((notice) => `${line(notice)} (notice)`),
          ...found.map(line),
          `${expected.length} faults`,
        ]);
      });

      it("prints workflow commands that GitHub reads back", () => {
        const { faults: found, notices } = result();
        const as = (command: string) => (fault: Fault) => {
          const { file, line, column, field, message } = fault;
          const title = field === "" ? file : field;
          return {
            command,
            properties: { file, line: `${line}`, col: `${column}`, title },
            message,
          };
        };
        assert.deepEqual(github.stdout.split("\n").map(workflowCommand), [
          ...found.map(as("error")),
          ...notices.map(as("notice")),
        ]);
      });
    });

    it("says what is wrong with the stack's settings, and where", async () => {
      const settings = clone.read("Pulumi.dev.yaml").replace("[small, standard]", "[small, big]");
      const line = settings.split("\n").findIndex((text) => text.includes("[small, big]")) + 1;
      const [fault, ...others] = await withFiles(
        clone,
        new Map([["Pulumi.dev.yaml", settings]]),
        () => faults(1),
      );
      assert.deepEqual(others, []);
      assert.deepEqual([fault?.file, fault?.line], ["Pulumi.dev.yaml", line]);
      assert.match(fault?.field ?? "", /^tenantry:offers\.tiers/);
    });

    it("knows no stack without a file, and no unknown option", async () => {
      const nowhere = await clone.tenantry("check", "--stack", "nosuch");
      assert.equal(nowhere.exitCode, 1);
      assert.equal(nowhere.stdout, "");
      assert.match(nowhere.stderr, /^tenantry: no stack nosuch: there is no Pulumi\.nosuch\.yaml/);
      const wrong = await clone.tenantry("check", "--nosuch");
      assert.equal(wrong.exitCode, 2);
      assert.match(wrong.stderr, /unknown option '--nosuch'/);
    });

    describe("against a revision", () => {
      const git = (...rest: string[]) =>
        clone.succeed("git", ["-c", "user.name=Dev", "-c", "user.email=dev@example.com", ...rest]);
      before(async () => {
        const outside = await clone.tenantry("check", "--against", "HEAD");
        assert.equal(outside.exitCode, 1);
        assert.match(outside.stderr, /^tenantry: git ls-tree HEAD failed: .*not a git repository/);
        await git("init", "--quiet");
        await git("add", "--all");
        await git("commit", "--quiet", "--message", "All");
      });
      after(() => {
        clone.delete(".git");
      });
      const rules = (found: readonly Fault[]) =>
        found.map(({ file, line, field, rule }) => `${file}:${line} ${field} ${rule}`);

      it("finds nothing wrong where nothing changed, nor where one team goes and another comes", async () => {
        assert.deepEqual(await faults(0, "--against", "HEAD"), []);
        const change = new Map([
          ["tenants/acme.yaml", undefined],
          ["tenants/initech.yaml", tenantFile("initech", "Initech")],
        ]);
        assert.deepEqual(await withFiles(clone, change, () => faults(0, "--against", "HEAD")), []);
      });

      it("refuses a downgrade and a change of the store, and says what to do", async () => {
        const change = new Map([
          ["tenants/acme.yaml", acme.replace("1.36", "1.35")],
          ["tenants/globex.yaml", globex.replace("tier: small", "tier: critical")],
        ]);
        const [found, before] = await withFiles(clone, change, () =>
          Promise.all([faults(1, "--against", "HEAD"), faults(1)]),
        );
        const offered = [
          "tenants/acme.yaml:5 kubernetes offered",
          "tenants/globex.yaml:4 tier offered",
        ];
        assert.deepEqual(rules(before), offered);
        assert.deepEqual(
          rules(found).sort(),
          [
            ...offered,
            "tenants/acme.yaml:5 kubernetes kubernetes-upgrade",
            "tenants/globex.yaml:4 tier store",
          ].sort(),
        );
        const message = (rule: string) => found.find((fault) => fault.rule === rule)?.message ?? "";
        assert.equal(
          message("kubernetes-upgrade"),
          "acme runs 1.36, and Kubernetes cannot be downgraded",
        );
        assert.match(message("store"), /make another tenant of that tier, move the applications/);
      });

      it("refuses a rename, and says what to do", async () => {
        const change = new Map([
          ["tenants/acme.yaml", undefined],
          ["tenants/payments.yaml", acme.replace("name: acme", "name: payments")],
        ]);
        const [found, before] = await withFiles(clone, change, () =>
          Promise.all([faults(1, "--against", "HEAD"), faults(0)]),
        );
        assert.deepEqual(before, []);
        assert.deepEqual(rules(found), ["tenants/payments.yaml:1 name renamed"]);
        assert.match(
          found[0]?.message ?? "",
          /looks like acme under another name.* Keep its file, move to payments, then delete the file/,
        );
      });

      it("names a revision that there is not", async () => {
        const { exitCode, stderr } = await clone.tenantry("check", "--against", "nosuch");
        assert.equal(exitCode, 1);
        assert.match(stderr, /^tenantry: git ls-tree nosuch failed: .*nosuch/);
      });
    });
  });

  describe("tenantry tenants show", () => {
    const Setting = z.object({ field: z.string(), value: z.unknown(), origin: z.string() });

    it("says what holds for a tenant, and where it comes from", async () => {
      const { exitCode, stdout } = await clone.tenantry("tenants", "show", "acme", "--json");
      assert.equal(exitCode, 0);
      const settings = z.array(Setting).parse(JSON.parse(stdout));
      for (const [field, value, origin] of [
        ["name", "acme", "file"],
        ["owner.team", "Acme", "file"],
        ["quota.cpu", 4, "file"],
        ["quota.memory", "8Gi", "file"],
        ["quota.pods", 40, "file"],
        ["quota.objects.services", 30, "tier small"],
        ["quota.loadBalancers", 0, "platform default"],
        ["isolation", "restricted", "platform default"],
        ["displayName", "Acme", "platform default"],
        ["labels", {}, "platform default"],
      ] as const) {
        assert.deepEqual(
          settings.filter((setting) => setting.field === field),
          [{ field, value, origin }],
        );
      }
      const text = await clone.tenantry("tenants", "show", "acme");
      assert.equal(text.exitCode, 0);
      assert.match(text.stdout, /^quota\.memory\s+8Gi\s+file\s*$/m);
      assert.match(text.stdout, /^quota\.objects\.services\s+30\s+tier small\s*$/m);
    });

    it("knows no tenant without a file", async () => {
      const { exitCode, stdout, stderr } = await clone.tenantry("tenants", "show", "acm");
      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.equal(
        stderr,
        "tenantry: no tenant acm: there is no tenants/acm.yaml, did you mean acme?",
      );
    });

    it("ends 2 where no tenant is named", async () => {
      assert.equal((await clone.tenantry("tenants", "show")).exitCode, 2);
    });

    it("shows nothing of a faulty file but its faults", async () => {
      const faulty = new Map([["tenants/acme.yaml", acme.replace("8Gi", "8GB")]]);
      const shown = await withFiles(clone, faulty, () => clone.tenantry("tenants", "show", "acme"));
      assert.equal(shown.exitCode, 1);
      assert.equal(shown.stdout, "");
      assert.match(shown.stderr, /^tenantry: tenants\/acme\.yaml:6:18 quota\.memory: /);
    });
  });
});

/** A workflow command, read as the runner of GitHub Actions does (its ActionCommand.TryParseV2). */
function workflowCommand(line: string) {
  const { command, properties, message } =
    /^::(?<command>[a-z]+) (?<properties>[^:]*)::(?<message>.*)$/.exec(line)?.groups ?? {};
  const read = (text = "") =>
    text
      .replaceAll("%0D", "\r")
      .replaceAll("%0A", "\n")
      .replaceAll("%3A", ":")
      .replaceAll("%2C", ",")
      .replaceAll("%25", "%");
  return {
    command,
    properties: Object.fromEntries(
      (properties ?? "").split(",").map((property) => {
        const [key = "", value] = property.split("=", 2);
        return [key, read(value)];
      }),
    ),
    message: read(message),
  };
}
