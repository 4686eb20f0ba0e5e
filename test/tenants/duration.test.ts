import { equal } from "node:assert/strict";

import { parseDuration } from "../../tenants/duration.ts";

describe("parseDuration", () => {
  const durations: [string, number][] = [
    ["90m", 5400],
    ["1h", 3600],
    ["36h", 129_600],
    ["14d", 1_209_600],
    ["007d", 604_800],
    ["0m", 0],
  ];
  for (const [text, seconds] of durations) {
    it(`counts ${text} as ${seconds} seconds`, () => {
      equal(parseDuration(text), seconds);
    });
  }

  const none = ["", "8", "h", "1.5h", "-1h", "8 h", "8H", "1h30m", "60s", "2w", "1h\n", "P1D"];
  for (const text of [...none, "104249991375d"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      equal(parseDuration(text), undefined);
    });
  }

  it("counts exactly or not at all", () => {
    equal(parseDuration("104249991374d"), 104_249_991_374 * 86_400);
  });
});
