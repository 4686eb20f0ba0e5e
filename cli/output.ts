import Table from "cli-table3";

/** Prints rows as a plain table: one line a row, columns as wide as they need to be. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const bare = Object.fromEntries(
    [
      "top",
      "top-mid",
      "top-left",
      "top-right",
      "bottom",
      "bottom-mid",
      "bottom-left",
      "bottom-right",
      "left",
      "left-mid",
      "mid",
      "mid-mid",
      "right",
      "right-mid",
    ].map((part) => [part, ""]),
  );
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: { ...bare, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => [...row]));
  console.log(table.toString());
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** A refusal that is told to the user as it is, without a stack: exit code 1. */
export class Refusal extends Error {}
