"use strict";
// mocha's own report, closed by one line that scripts can read: "N passed, N failed, N skipped".
// mocha loads a reporter by require.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { reporters } = require("mocha");

module.exports = class extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const skipped = pending > 0 ? `, ${pending} skipped` : "";
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`);
  }
};
