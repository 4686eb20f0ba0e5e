/** One thing wrong with a tenant file, or one thing to know about it. */
export interface TenantFault {
  /** The file, named as the folder was: tenants/acme.yaml. */
  readonly file: string;
  /** Where in the file, counted from 1. */
  readonly line: number;
  readonly column: number;
  /** Dotted path of the field; empty if the fault is the whole file's. */
  readonly field: string;
  readonly message: string;
  /** The rule that is broken: `schema`, `name-taken`, … */
  readonly rule: string;
}

/** Thrown when tenant files are not valid; the message lists every fault of every file. */
export class TenantFilesError extends Error {
  readonly faults: readonly TenantFault[];

  constructor(faults: readonly TenantFault[]) {
    super(faults.map(formatFault).join("\n"));
    this.name = "TenantFilesError";
    this.faults = faults;
  }
}

/** The order in which people read them: by file, line and column. */
export function inReadingOrder(a: TenantFault, b: TenantFault): number {
  return (
    compare(a.file, b.file) ||
    a.line - b.line ||
    a.column - b.column ||
    compare(a.field, b.field) ||
    compare(a.message, b.message)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One line, as compilers write it: `tenants/acme.yaml:12:5 quota.memory: expected …`. */
export function formatFault({ file, line, column, field, message }: TenantFault): string {
  const text = `${file}:${line}:${column} ${field === "" ? "" : `${field}: `}${message}`;
  // Keys and names are the file's: they neither break the line nor speak to the terminal.
  return text.replace(/\p{Cc}/gu, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return `\\u${code.padStart(4, "0")}`;
  });
}

/**
 * A workflow command by which GitHub marks the line in a pull request
 * (docs.github.com, Workflow commands for GitHub Actions, "Setting an error message").
 */
export function githubAnnotation(fault: TenantFault, level: "error" | "notice"): string {
  const { file, line, column, field, message } = fault;
  const property = (value: string) => data(value).replaceAll(":", "%3A").replaceAll(",", "%2C");
  const data = (value: string) =>
    value.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  return `::${level} file=${property(file)},line=${line},col=${column},title=${property(field || file)}::${data(message)}`;
}
