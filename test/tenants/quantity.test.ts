import { deepEqual, equal } from "node:assert/strict";

import fc from "fast-check";

import {
  formatBytes,
  formatMillicores,
  parseBytes,
  parseMillicores,
} from "../../tenants/quantity.ts";

describe("Kubernetes quantities", () => {
  // https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ and
  // https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
  const cpu: [string, number][] = [
    ["1", 1000],
    ["0.5", 500],
    ["0.1", 100],
    ["100m", 100],
    ["1.0", 1000],
    ["1.5", 1500],
    [".5", 500],
    ["2.", 2000],
    ["1e1", 10_000],
    ["5e-1", 500],
    ["1u", 1], // finer than a millicore: rounded up
    ["1k", 1_000_000],
  ];
  for (const [text, millicores] of cpu) {
    it(`counts ${text} as ${millicores} thousandths of a core`, () => {
      equal(parseMillicores(text), millicores);
    });
  }

  // The documentation calls the first four "roughly the same value".
  const memory: [string, number][] = [
    ["128974848", 128_974_848],
    ["129e6", 129_000_000],
    ["129M", 129_000_000],
    ["128974848000m", 128_974_848],
    ["123Mi", 128_974_848],
    ["64Mi", 67_108_864],
    ["1Ki", 1024],
    ["1.5Gi", 1_610_612_736],
    ["2G", 2_000_000_000],
    ["1Ti", 1_099_511_627_776],
    ["400m", 1],
    ["0", 0],
  ];
  for (const [text, bytes] of memory) {
    it(`counts ${text} as ${bytes} bytes`, () => {
      equal(parseBytes(text), bytes);
    });
  }

  for (const text of ["", ".", "8 gigs", "8gi", "8GB", "-1", "1Gi ", "1e", "Gi", "0x10", "16Ei"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      equal(parseBytes(text), undefined);
    });
  }

  it("formats as the API server would", () => {
    deepEqual([0, 1, 1024, 1536 * 1024, 8 * 2 ** 30, 2 ** 50].map(formatBytes), [
      "0",
      "1",
      "1Ki",
      "1536Ki",
      "8Gi",
      "1Pi",
    ]);
    deepEqual([4000, 4240].map(formatMillicores), ["4", "4240m"]);
  });

  it("reads back what it formats", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        equal(parseBytes(formatBytes(value)), value);
        equal(parseMillicores(formatMillicores(value)), value);
      }),
    );
  });

  it("counts every spelling of an amount alike", () => {
    fc.assert(
      fc.property(fc.nat(10 ** 9), fc.nat(3), (thousandths, zeros) => {
        const decimal = `${Math.floor(thousandths / 1000)}.${String(thousandths % 1000).padStart(3, "0")}`;
        const spellings = [
          `${thousandths}m`,
          `${thousandths}e-3`,
          `${thousandths}000u`,
          `${"0".repeat(zeros)}${decimal}`,
          `${decimal}${"0".repeat(zeros)}`,
          `${decimal}e0`,
          `${decimal}E+0`,
        ];
        for (const text of spellings) {
          equal(parseMillicores(text), thousandths, text);
          equal(parseBytes(text), Math.ceil(thousandths / 1000), text);
        }
      }),
    );
  });
});
