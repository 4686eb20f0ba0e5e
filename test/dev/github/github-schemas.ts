import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv, type ValidateFunction } from "ajv";
import formats from "ajv-formats";
import { z } from "zod";

const node = z.record(z.string(), z.unknown());
type Node = z.output<typeof node>;

// Formats that only GitHub has are not checked, and not complained about.
const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
formats.default(ajv, ["uri", "date-time", "email"]);

let description: Node | undefined;
const compiled = new Map<string, ValidateFunction>();

/**
 * Says what is wrong with an answer, by GitHub's own description of its REST API (the one of the
 * Enterprise Server that the stand-in claims to be). Empty: nothing.
 */
export function answerFaults(
  method: string,
  path: string,
  status: number,
  body: unknown,
): string[] {
  const template = findTemplate(path);
  if (template === undefined) return [`${path} is not in GitHub's description`];
  const operation = at(load(), "paths", template, method.toLowerCase());
  if (operation === undefined) return [`${method} ${template} is not in GitHub's description`];
  const answer = at(operation, "responses", String(status));
  const described = at(answer, "content", "application/json", "schema");
  // What every operation can answer is not repeated in the description, nor is the body always.
  const schema = described ?? (status >= 400 && status < 500 ? errorSchema : undefined);
  if (answer === undefined && schema === undefined) return [`${status} is not described`];
  if (schema === undefined) return body === undefined ? [] : ["there should be no body"];
  return faults(`${method} ${template} ${status}`, schema, body);
}

/** The same for the payload of a webhook. */
export function eventFaults(event: string, payload: unknown): string[] {
  const schema = at(
    load(),
    "x-webhooks",
    event,
    "post",
    "requestBody",
    "content",
    "application/json",
    "schema",
  );
  if (schema === undefined) return [`no event ${event}`];
  return faults(`event ${event}`, schema, payload);
}

const errorSchema: Node = {
  type: "object",
  required: ["message", "documentation_url", "status"],
  properties: { message: { type: "string" }, documentation_url: { type: "string" } },
};

function faults(key: string, schema: Node, body: unknown): string[] {
  let validate = compiled.get(key);
  if (validate === undefined) {
    const usable = node.parse(toJsonSchema(schema));
    validate = ajv.compile(usable);
    compiled.set(key, validate);
  }
  if (validate(body)) return [];
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ""}`);
}

/** The file has 66 MB: it is read once, and only the schemas that a test needs are compiled. */
function load(): Node {
  const file = createRequire(import.meta.url).resolve(
    "@octokit/openapi/generated/ghes-3.19.deref.json",
  );
  description ??= node.parse(JSON.parse(readFileSync(file, "utf8")));
  return description;
}

function at(start: unknown, ...keys: string[]): Node | undefined {
  let current = start;
  for (const key of keys) {
    const parsed = node.safeParse(current);
    current = parsed.success ? parsed.data[key] : undefined;
  }
  const parsed = node.safeParse(current);
  return parsed.success ? parsed.data : undefined;
}

/** The described path that fits: the one with the most fixed segments. */
function findTemplate(path: string): string | undefined {
  const fixed = (template: string) => template.split("/").filter((part) => !part.startsWith("{"));
  return Object.keys(at(load(), "paths") ?? {})
    .filter((template) => {
      const source = template
        .replace(/[.+()]/g, "\\$&")
        .replace(/\{(?:path|ref|branch)\}$/, ".*")
        .replace(/\{[^}]+\}/g, "[^/]+");
      return new RegExp(`^${source}$`).test(path);
    })
    .sort((a, b) => fixed(b).length - fixed(a).length)[0];
}

/**
 * OpenAPI 3.0 as JSON Schema. `nullable` becomes a choice; `oneOf` becomes `anyOf`, because
 * several of GitHub's alternatives have no required field and so always fit together.
 */
function toJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toJsonSchema);
  const parsed = node.safeParse(schema);
  if (!parsed.success) return schema;
  const { nullable, ...rest } = parsed.data;
  const converted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === "example" || key === "examples") continue;
    converted[key === "oneOf" ? "anyOf" : key] = toJsonSchema(value);
  }
  return nullable === true ? { anyOf: [converted, { type: "null" }] } : converted;
}
