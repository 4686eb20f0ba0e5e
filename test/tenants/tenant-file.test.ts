import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { stringify } from "yaml";

import { isMapping, type Mapping } from "../../tenants/effective-settings.ts";
import { formatFault } from "../../tenants/faults.ts";
import { TenantFile } from "../../tenants/tenant-file.ts";
import { tenantSchema } from "../../tenants/schema.ts";
import { VALID } from "./corpus.ts";

const letters = "abcdefghijklmnopqrstuvwxyz";
const word = (characters: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...Array.from(characters)), minLength, maxLength });

const label = fc
  .tuple(word(letters, 1, 10), word(`${letters}0123456789-`, 0, 10), word(letters, 1, 10))
  .map((parts) => parts.join(""));
const text = fc
  .tuple(fc.constantFrom("A", "z", "7"), fc.string({ unit: "grapheme", maxLength: 10 }))
  .map((parts) => parts.join(""))
  .filter((value) => value.length <= 63 && !/\p{Cc}/u.test(value));
const quantity = (smallest: number) =>
  fc.oneof(
    fc.integer({ min: smallest, max: 10 ** 15 }),
    fc.integer({ min: smallest, max: 10 ** 15 }).map(String),
    fc
      .tuple(fc.integer({ min: 600, max: 10 ** 6 }), fc.constantFrom("M", "G", "Mi", "Gi"))
      .map((parts) => parts.join("")),
  );
const cpu = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 500, max: 100_000 }).map((value) => `${value}m`),
);
const set = <T>(item: fc.Arbitrary<T>) => fc.uniqueArray(item, { maxLength: 3 });
const some = <T>(shape: { [Key in keyof T]: fc.Arbitrary<T[Key]> }) =>
  fc.record(shape, { requiredKeys: [] });
// Neither of these keys means itself in YAML without quotes.
const chartValue = fc
  .jsonValue({ maxDepth: 2 })
  .filter((value) => !/__proto__|<</.test(JSON.stringify(value)));
const hours = (least: number) => fc.integer({ min: least, max: 1000 }).map((count) => `${count}h`);
const upTo = (max: number, min = 0) => fc.integer({ min, max });

/** Text that nobody has in files: controls, halves of characters. */
const utf16 = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff)), { maxLength: 200 })
  .map((units) => String.fromCharCode(...units));

/** What a tenant file may say, without regard to the platform and to what goes together. */
const contents = fc
  .tuple(
    fc.record({
      name: label.map((value) => `t-${value}`),
      owner: fc.record(
        { team: text, email: label.map((value) => `${value}@example.com`), group: text },
        { requiredKeys: ["team", "email"], noNullPrototype: true },
      ),
      costCentre: label,
      tier: fc.constantFrom("small", "standard", "critical"),
      kubernetes: fc.constantFrom("1.34", "1.35", "1.36"),
    }),
    some({
      displayName: text,
      isolation: fc.constantFrom("baseline", "restricted"),
      quota: some({
        cpu,
        memory: quantity(2 ** 29),
        storage: quantity(0),
        pods: upTo(10_000, 1),
        persistentVolumeClaims: upTo(10_000),
        loadBalancers: upTo(100),
        objects: some({ services: upTo(10_000, 1), secrets: upTo(10_000, 1) }),
      }),
      containers: some({
        requests: some({ cpu, memory: quantity(2 ** 20) }),
        limits: some({ cpu, memory: quantity(2 ** 20) }),
      }),
      nodePool: label,
      exposure: some({ domain: fc.tuple(label, label).map((parts) => parts.join(".")) }),
      argocd: some({
        mode: fc.constantFrom("shared", "dedicated"),
        roles: some({ admin: set(text), developer: set(text), viewer: set(text) }),
        kinds: set(fc.constantFrom("cert-manager.io/Certificate", "x.y/Z")),
      }),
      repository: some({
        visibility: fc.constantFrom("private", "internal", "public"),
        template: fc.tuple(label, label).map((parts) => parts.join("/")),
        reviewers: set(label),
        protectedBranches: set(label),
      }),
      services: set(label),
      stages: some({ maximum: upTo(100), longestTimeToLive: hours(1) }),
      backup: fc.record({ every: hours(1), keep: hours(1) }),
      sleep: fc.record({
        timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu"),
        awake: fc.record({
          days: set(fc.constantFrom("monday", "friday", "sunday")).filter(
            ({ length }) => length > 0,
          ),
          from: fc.constantFrom("00:00", "09:30"),
          to: fc.constantFrom("17:00", "23:59"),
        }),
      }),
      labels: fc.dictionary(label, label, { maxKeys: 3, noNullPrototype: true }),
      imageRegistries: set(label),
      egress: fc
        .tuple(upTo(255), upTo(32, 8), upTo(65_535, 1))
        .map(([part, bits, port]) => [{ to: `10.${part}.0.0/${bits}`, ports: [port] }]),
      vcluster: some({
        values: fc.dictionary(label, chartValue, {
          maxKeys: 3,
          noNullPrototype: true,
        }),
      }),
    }),
  )
  .map(([required, optional]): Mapping => ({ ...required, ...optional }));

describe("TenantFile", () => {
  it("takes whatever the reference allows, and says so as tenantSchema does", () => {
    fc.assert(
      fc.property(contents, fc.constantFrom(40, 80, 0), (content, lineWidth) => {
        const { tenant, faults } = new TenantFile("t.yaml", stringify(content, { lineWidth }));
        deepEqual(faults, []);
        equal(tenant?.name, content["name"]);
        equal(tenant?.tier, content["tier"]);
        // What is written is what is kept, where nothing is counted.
        for (const key of ["owner", "labels", "services", "imageRegistries", "egress"] as const) {
          if (content[key] !== undefined) deepEqual(tenant?.[key], content[key]);
        }
        const { backup } = content;
        if (isMapping(backup)) {
          equal(tenant?.backup?.keep, Number.parseInt(String(backup["keep"])) * 3600);
        }
      }),
      { numRuns: 80 },
    );
  });

  it("reports one unknown key, wherever it stands, once and in its line", () => {
    /** The mappings of a file whose keys the schema knows, by their paths. */
    const mappings = (value: unknown, path: readonly string[]): (readonly string[])[] =>
      isMapping(value) && path.at(-1) !== "labels" && path.at(-1) !== "values"
        ? [
            path,
            ...Object.entries(value).flatMap(([key, below]) => mappings(below, [...path, key])),
          ]
        : [];
    fc.assert(
      fc.property(contents, fc.nat(), fc.boolean(), (content, choice, first) => {
        const paths = mappings(content, []);
        const path = paths[choice % paths.length] ?? [];
        const changed = inserted(content, path, "zzUnknown", first);
        const yaml = stringify(changed);
        const { faults, tenant } = new TenantFile("t.yaml", yaml);
        equal(tenant, undefined);
        deepEqual(
          faults.map(({ field, line, rule }) => ({ field, line, rule })),
          [
            {
              field: [...path, "zzUnknown"].join("."),
              line: yaml.split("\n").findIndex((text) => text.includes("zzUnknown")) + 1,
              rule: "schema",
            },
          ],
        );
        match(faults[0]?.message ?? "", /^unknown key/);
      }),
      { numRuns: 80 },
    );
  });

  /** Whatever the text is: a tenant or faults, each with a place in the file, on one line. */
  function holds(yaml: string) {
    const { tenant, faults } = new TenantFile("t.yaml", yaml);
    equal(tenant === undefined, faults.length > 0);
    const lines = yaml.split("\n");
    for (const fault of faults) {
      const line = lines[fault.line - 1];
      ok(line !== undefined, `line ${fault.line} of ${lines.length}: ${fault.message}`);
      ok(fault.column >= 1 && fault.column <= line.length + 1, formatFault(fault));
      ok(!/\p{Cc}/u.test(formatFault(fault)));
      ok(fault.message.length > 0);
    }
  }

  it("answers any text with a tenant or with faults", () => {
    fc.assert(fc.property(utf16, holds), { numRuns: 200 });
  });

  it("answers anything like YAML with a tenant or with faults", () => {
    const token = fc.constantFrom(
      ...[
        "\n",
        "\n  ",
        "\n    ",
        "\n- ",
        "\n  - ",
        ": ",
        ":",
        ", ",
        "? ",
        "- ",
        "{",
        "}",
        "[",
        "]",
      ],
      ...["&a ", "*a", "<<: *a", "<<: ", "!!str ", "!x ", "---\n", "...\n", "%YAML 1.1\n", "\t"],
      ...["# ", "|\n", ">-\n", "'", '"', "~", "null", "true", ".inf", "0x1F", "\r\n", "\u2028"],
      ...["__proto__", "constructor", "\u0000", "\ufeff", "\ud800", "é", "@", "`", "%"],
      ...Object.keys(tenantSchema.shape),
    );
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join("")),
        holds,
      ),
      { numRuns: 1000 },
    );
  });

  it("answers any damage to a valid file with a tenant or with faults", () => {
    const whole = readFileSync(join(VALID, "every-field.yaml"), "utf8");
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(30), fc.string({ maxLength: 5 }), (at, cut, put) => {
        holds(whole.slice(0, at) + put + whole.slice(at + cut));
      }),
      { numRuns: 150 },
    );
  });

  const deep: Record<string, string> = {
    "lists in lists": `vcluster: { values: { a: ${"[".repeat(20_000)}${"]".repeat(20_000)} } }\n`,
    "mappings in mappings": `vcluster: { values: ${"{a: ".repeat(2000)}1${"}".repeat(2000)} }\n`,
    // Each alias adds to the depth without adding to the text's own.
    "a chain of aliases": `vcluster:\n  values:\n    k0: &k0 [1]\n${Array.from(
      { length: 1500 },
      (_, index) => `    k${index + 1}: &k${index + 1} [*k${index}]\n`,
    ).join("")}`,
  };
  for (const [what, yaml] of Object.entries(deep)) {
    it(`survives ${what}`, () => {
      holds(yaml);
      equal(new TenantFile("t.yaml", yaml).faults[0]?.rule, "yaml");
    });
  }
});

function inserted(content: Mapping, path: readonly string[], key: string, first: boolean): Mapping {
  const [next, ...rest] = path;
  if (next === undefined) return first ? { [key]: 1, ...content } : { ...content, [key]: 1 };
  const below = content[next];
  return { ...content, [next]: isMapping(below) ? inserted(below, rest, key, first) : below };
}
