import { z } from "zod";

/** What the Git service answers. */
export interface GitAnswer {
  readonly status: number;
  readonly body: unknown;
  /** What it says against a request; empty where it did what was asked. */
  readonly message: string;
}

const Message = z.object({ message: z.string() });

/** GitHub's REST API for one repository, with a token or without one. */
export class GitRepository {
  readonly #base: string;
  readonly #token: string | undefined;

  constructor(base: string, token: string | undefined) {
    this.#base = base;
    this.#token = token;
  }

  /** The same repository, asked by somebody else. */
  as(token: string | undefined): GitRepository {
    return new GitRepository(this.#base, token);
  }

  async ask(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
  ): Promise<GitAnswer> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const parsed: unknown = text === "" ? undefined : JSON.parse(text);
    const { data } = Message.safeParse(parsed);
    const message = response.ok ? "" : `${response.status} ${data?.message ?? text}`;
    return { status: response.status, body: parsed, message };
  }

  /** As `ask`, for what has to work. */
  async get<Schema extends z.ZodType>(
    schema: Schema,
    ...request: Parameters<GitRepository["ask"]>
  ): Promise<z.output<Schema>> {
    const { body, message } = await this.ask(...request);
    if (message !== "") throw new Error(`${request[0]} ${this.#base}${request[1]}: ${message}`);
    return schema.parse(body);
  }
}
