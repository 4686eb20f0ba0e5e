import { createHash } from "node:crypto";
import { z } from "zod";
import { ApiError } from "./api-error.ts";

/** What a token may do in every repository of the owner, from least to most. */
export const accessLevels = ["read", "write", "admin"] as const;
export type AccessLevel = (typeof accessLevels)[number];

/** The content of the tokens file: who may come in, and how far. */
export const tokensFileSchema = z
  .array(
    z.strictObject({
      token: z.string().regex(/^[\x21-\x7e]{16,}$/, "at least 16 printable characters, no space"),
      login: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/, "not a GitHub login"),
      access: z.enum(accessLevels),
    }),
  )
  .min(1)
  .refine((entries) => new Set(entries.map(({ token }) => token)).size === entries.length, {
    error: "the same token twice",
  });
export type TokenEntry = z.output<typeof tokensFileSchema>[number];

/** Whoever a token belongs to. */
export interface Account {
  login: string;
  access: AccessLevel;
}

/** True if `account` has at least the access `needed`. */
export function mayAccess(account: Account, needed: AccessLevel): boolean {
  return accessLevels.indexOf(account.access) >= accessLevels.indexOf(needed);
}

/** Finds the account behind an Authorization header. Tokens are kept as digests only. */
export class Accounts {
  readonly #byDigest: ReadonlyMap<string, Account>;

  constructor(entries: readonly TokenEntry[]) {
    this.#byDigest = new Map(
      entries.map(({ token, login, access }) => [digest(token), { login, access }]),
    );
  }

  /** The account with this login, for `GET /users/{login}`. */
  byLogin(login: string): Account | undefined {
    const wanted = login.toLowerCase();
    return [...this.#byDigest.values()].find((account) => account.login.toLowerCase() === wanted);
  }

  /**
   * `token X`, `Bearer X`, or Basic with the token as password (or as user name, as git's
   * `https://TOKEN@host/` sends it). No header: undefined. A header that fits nobody: 401.
   */
  identify(authorization: string | undefined): Account | undefined {
    if (authorization === undefined) return undefined;
    for (const candidate of candidates(authorization)) {
      const account = this.#byDigest.get(digest(candidate));
      if (account !== undefined) return account;
    }
    throw new ApiError(401, "Bad credentials");
  }
}

function candidates(authorization: string): string[] {
  const [, scheme = "", value = ""] = /^(\S+)\s+(.*)$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case "token":
    case "bearer":
      return [value];
    case "basic": {
      const [user = "", ...password] = Buffer.from(value, "base64").toString("utf8").split(":");
      return [password.join(":"), user];
    }
    default:
      return [];
  }
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
