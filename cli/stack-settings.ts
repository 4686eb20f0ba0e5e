import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isNode, LineCounter, parseDocument, type Document } from "yaml";
import { devStack } from "../dev/platform/environment.ts";
import { paths, projectFolder } from "../dev/platform/state.ts";
import { parsePlatformSettings, type PlatformSettings } from "../platform/settings.ts";
import { isMapping } from "../tenants/effective-settings.ts";
import type { TenantFault } from "../tenants/faults.ts";
import { Refusal } from "./output.ts";

/** The settings of a stack, as its file has them: neither Pulumi nor a cluster is asked. */
export interface StackSettings {
  /** Undefined if anything is wrong with them. */
  readonly settings: PlatformSettings | undefined;
  readonly faults: readonly TenantFault[];
  /** Says that a setting is wrong, and where it stands. */
  readonly fault: (path: readonly (string | number)[], message: string) => TenantFault;
}

const PREFIX = "tenantry:";

/** What `npm run up` fills in, for a dev platform that does not run: addresses that are none. */
const NOT_RUNNING = [
  [["tenantry:argocd", "url"], "http://argocd.invalid"],
  [["tenantry:git", "url"], "http://git.invalid"],
] as const;

/** Reads Pulumi.<stack>.yaml. Throws a Refusal if there is none; faults are returned with their lines. */
export function readStackSettings(stack: string): StackSettings {
  const example = join(projectFolder, `Pulumi.${stack}.yaml`);
  const running = stack === devStack && existsSync(paths.stackConfig);
  const path = running ? paths.stackConfig : example;
  if (!existsSync(path)) {
    throw new Refusal(
      `no stack ${stack}: there is no ${relative(process.cwd(), path)}. PULUMI_STACK or --stack names another`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(path, "utf8"), { lineCounter: lines });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file: relative(process.cwd(), path), line: line || 1, column: col || 1 };
  };
  const fault: StackSettings["fault"] = ([key = "", ...rest], message) => ({
    ...at(offsetOf(document, ["config", `${PREFIX}${key}`, ...rest])),
    field: [`${PREFIX}${key}`, ...rest].join("."),
    message,
    rule: "platform-settings",
  });
  if (document.errors.length > 0) {
    return {
      settings: undefined,
      fault,
      faults: document.errors.map(({ pos, message }) => ({
        ...at(pos[0]),
        field: "",
        message: message.split("\n")[0] ?? message,
        rule: "yaml",
      })),
    };
  }
  if (stack === devStack && !running) {
    for (const [keys, value] of NOT_RUNNING) document.setIn(["config", ...keys], value);
  }
  const config: unknown = document.toJS();
  const values = isMapping(config) && isMapping(config["config"]) ? config["config"] : {};
  const { settings, faults } = parsePlatformSettings(
    Object.fromEntries(
      Object.entries(values)
        // Secrets are no settings, and only the engine can read them.
        .filter(([key, value]) => key.startsWith(PREFIX) && !isSecret(value))
        .map(([key, value]) => [key.slice(PREFIX.length), value]),
    ),
  );
  return {
    settings,
    faults: faults.map(({ path: keys, message }) => fault(keys, message)),
    fault,
  };
}

function isSecret(value: unknown): boolean {
  return isMapping(value) && Object.keys(value).join() === "secure";
}

/** Where a value stands, or what is around it if it is not there. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
