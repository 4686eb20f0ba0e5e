import { readFileSync } from "node:fs";

import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type ErrorCode,
} from "yaml";

import { schemaErrors } from "../platform/schema-errors.ts";
import { completeSettings, isMapping, type Mapping } from "./effective-settings.ts";
import type { TenantFault } from "./faults.ts";
import { tenantSchema, type Tenant } from "./schema.ts";

/** Keys and indexes from the root of a file to a value in it. */
export type FieldPath = readonly (string | number)[];

/** More levels than any setting has; the libraries below would run out of stack at some thousand. */
const DEEPEST = 50;
const TOO_DEEP = `expected values nested no deeper than ${DEEPEST} levels`;

/** Where the parser's message speaks to programmers. */
const OWN_WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  BLOCK_AS_IMPLICIT_KEY:
    "expected one value after the colon: a mapping stands on lines of its own, text with a colon in quotes",
  DUPLICATE_KEY: "expected each key once in a mapping",
  MULTILINE_IMPLICIT_KEY: "expected key: value, with a space after the colon",
  MULTIPLE_DOCS: "expected one document: each tenant has a file of its own",
  NON_STRING_KEY: "expected text as a key",
};

/** What the parser says of text that it has no place for. */
const STRAY = /^Unexpected [-\w]+ token in YAML stream: (?<text>.*)$/s;

/** A tenant file, parsed as far as it can be. */
export class TenantFile {
  readonly path: string;
  /** What the file says, and nothing else; undefined if it says nothing that can be read. */
  readonly content: Mapping | undefined;
  /** The tenant with everything settled; undefined if the file is faulty. */
  readonly tenant: Tenant | undefined;
  readonly faults: readonly TenantFault[];
  /** What the file says its name is, whether or not the rest is valid. */
  readonly name: string | undefined;
  readonly #document: Document | undefined;
  readonly #lines = new LineCounter();

  /** `text` is what the file holds; by default it is read. */
  constructor(path: string, text = read(path)) {
    this.path = path;
    if (text === undefined) {
      this.faults = [this.fault("readable", [], "expected a file of UTF-8 text that can be read")];
      return;
    }
    // The parser itself would not count the lines that it skips in broken YAML.
    this.#lines.addNewLine(0);
    for (const { index } of text.matchAll(/\n/g)) this.#lines.addNewLine(index + 1);
    this.#document = parseDocument(text, {
      prettyErrors: false,
      merge: true,
      stringKeys: true,
      resolveKnownTags: false,
    });
    // A file that is no YAML says nothing about its fields.
    const faults = yamlFaults(this.#document);
    if (faults.length > 0) {
      this.faults = faults.map(({ offset, message }) => ({
        ...this.#at(offset, []),
        message,
        rule: "yaml",
      }));
      return;
    }
    let content: unknown;
    try {
      content = this.#document.toJS() ?? {};
    } catch {
      // The library's limit against files that are small and mean gigabytes.
      this.faults = [
        this.fault(
          "yaml",
          [],
          "expected fewer aliases: at most 100 values may be repeated by them",
        ),
      ];
      return;
    }
    if (isDeeper(content, DEEPEST)) {
      this.faults = [this.fault("yaml", [], TOO_DEEP)];
      return;
    }
    if (!isMapping(content)) {
      this.faults = [
        this.fault("schema", [], "expected a mapping of settings, such as name: acme"),
      ];
      return;
    }
    this.content = content;
    this.name = typeof content["name"] === "string" ? content["name"] : undefined;
    const { data, error } = tenantSchema.safeParse(completeSettings(content));
    this.tenant = data;
    this.faults =
      error === undefined
        ? []
        : schemaErrors(error)
            // By default it is the team's name, whose own fault is the one to be read.
            .filter(({ path: [field] }) => field !== "displayName" || content[field] != undefined)
            .map(({ path: field, message }) => this.fault("schema", field, message));
  }

  /** A fault at a field, or where the field should have been. */
  fault(rule: string, field: FieldPath, message: string): TenantFault {
    return { ...this.#at(this.#offsetOf(field), field), message, rule };
  }

  #at(offset: number, field: FieldPath): Omit<TenantFault, "message" | "rule"> {
    const { line, col } = this.#lines.linePos(offset);
    // A file that cannot be read has no line to the counter.
    return { file: this.path, line: line || 1, column: col || 1, field: field.join(".") };
  }

  /** Offset of a field's key; if the field is not there, of the key of the mapping around it. */
  #offsetOf(field: FieldPath): number {
    let node: unknown = this.#document?.contents;
    let offset = start(node) ?? 0;
    // The whole file is meant, not what stands first in it.
    if (field.length === 1 && !this.#child(node, field[0])) return 0;
    for (const key of field) {
      const child = this.#child(node, key);
      if (child === undefined) return offset;
      offset = start(isPair(child) ? child.key : child) ?? offset;
      node = isPair(child) ? child.value : child;
    }
    return field.length === 0 ? 0 : offset;
  }

  /** A value inside of another, through aliases and merge keys (`<<`) too. */
  #child(parent: unknown, key: string | number | undefined): unknown {
    const node = this.#resolved(parent);
    if (isSeq(node)) return typeof key === "number" ? node.items[key] : undefined;
    if (!isMap(node)) return undefined;
    const own = node.items.find(
      (pair) => isScalar(pair.key) && String(pair.key.value) === String(key),
    );
    if (own !== undefined) return own;
    for (const pair of node.items) {
      if (!isMergeKey(pair.key)) continue;
      const merged = this.#resolved(pair.value);
      for (const source of isSeq(merged) ? merged.items : [merged]) {
        const found = this.#child(source, key);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) && this.#document !== undefined ? node.resolve(this.#document) : node;
  }
}

function read(path: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** What keeps the text from being a tree of values, beginning with what the parser says. */
function yamlFaults(document: Document): { offset: number; message: string }[] {
  // A warning is about a tag that is not understood: a value that would not be what it seems.
  const errors = [...document.errors, ...document.warnings];
  // Where the parser ran out of stack depends on how much of it there was.
  if (errors.some(({ code }) => code === "RESOURCE_EXHAUSTION")) {
    return [{ offset: 0, message: TOO_DEEP }];
  }
  // Once the parser has lost its place, it says so of every word up to the end.
  const lost = errors.find(({ message }) => STRAY.test(message));
  const faults = errors
    .filter((error) => error === lost || !STRAY.test(error.message))
    .map(({ code, pos, message }) => ({
      offset: pos[0],
      message: OWN_WORDS[code] ?? message.replace(STRAY, "$<text> cannot stand here"),
    }));
  if (faults.length > 0) return faults;
  const add = (node: unknown, message: string) => {
    faults.push({ offset: start(node) ?? 0, message });
  };
  // In the order of the file, as aliases are understood. To ask each alias takes quadratic time.
  const anchors = new Map<string, unknown>();
  const resolved = (node: unknown) => (isAlias(node) ? anchors.get(node.source) : node);
  visit(document, {
    Value(_, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    Alias(_, alias, path) {
      const target = resolved(alias);
      if (target === undefined) {
        add(
          alias,
          `*${alias.source} repeats nothing: expected &${alias.source} before it, or quotes around it`,
        );
      } else if (path.some((node) => node === target)) {
        add(alias, `*${alias.source} stands inside of what it repeats`);
      }
    },
    Pair(_, { key, value }) {
      // It would change what the mapping is instead of being in it.
      if (isScalar(key) && key.value === "__proto__") add(key, "expected another key");
      if (!isMergeKey(key)) return;
      const merged = resolved(value);
      for (const source of isSeq(merged) ? merged.items.map(resolved) : [merged]) {
        if (source !== undefined && !isMap(source)) {
          add(key, "expected a mapping, or the alias of one, to be merged here");
        }
      }
    },
  });
  return faults;
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === "<<" && key.type === "PLAIN";
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeper(child, levels - 1));
}

function start(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)
    ? node.range?.[0]
    : undefined;
}
