import { deepEqual, equal } from "node:assert/strict";

import {
  formatFault,
  githubAnnotation,
  inReadingOrder,
  type TenantFault,
} from "../../tenants/faults.ts";

const fault: TenantFault = {
  file: "tenants/acme.yaml",
  line: 12,
  column: 5,
  field: "quota.memory",
  message: "expected a Kubernetes quantity such as 8Gi",
  rule: "schema",
};

describe("formatFault", () => {
  it("writes as compilers do", () => {
    equal(
      formatFault(fault),
      "tenants/acme.yaml:12:5 quota.memory: expected a Kubernetes quantity such as 8Gi",
    );
    equal(
      formatFault({ ...fault, field: "", message: "no file" }),
      "tenants/acme.yaml:12:5 no file",
    );
  });

  it("keeps to one line, and lets no file speak to the terminal", () => {
    equal(
      formatFault({ ...fault, field: "a\nb", message: "\u001b[31mred\u009b" }),
      "tenants/acme.yaml:12:5 a\\u000ab: \\u001b[31mred\\u009b",
    );
  });
});

describe("inReadingOrder", () => {
  it("goes by file, line, column, field and message", () => {
    const faults = [
      fault,
      { ...fault, message: "z" },
      { ...fault, field: "z" },
      { ...fault, column: 10 },
      { ...fault, line: 13, column: 1 },
      { ...fault, line: 100, column: 1 },
      { ...fault, file: "tenants/b.yaml", line: 1 },
    ];
    deepEqual(faults.toReversed().sort(inReadingOrder), faults);
  });
});

describe("githubAnnotation", () => {
  // What GitHub's own toolkit escapes: actions/toolkit, packages/core/src/command.ts.
  it("escapes what would end a property or the line", () => {
    equal(
      githubAnnotation(
        { ...fault, file: "a,b:c%.yaml", field: "x:y", message: "100%: one,\r\ntwo" },
        "error",
      ),
      "::error file=a%2Cb%3Ac%25.yaml,line=12,col=5,title=x%3Ay::100%25: one,%0D%0Atwo",
    );
  });

  it("is titled by the field, or by the file", () => {
    equal(
      githubAnnotation({ ...fault, field: "" }, "notice"),
      "::notice file=tenants/acme.yaml,line=12,col=5,title=tenants/acme.yaml::expected a Kubernetes quantity such as 8Gi",
    );
  });
});
