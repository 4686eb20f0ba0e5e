import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { tokensFileSchema } from "./access.ts";
import { createGitHubServer } from "./server.ts";

const optionsSchema = z.object({
  listen: z.object({ host: z.string(), port: z.number() }),
  state: z.string(),
  owner: z.string(),
  tokens: z.string(),
});

function parseListen(value: string): { host: string; port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(value) ?? [];
  if (host === undefined || Number(port) > 65535) {
    throw new InvalidArgumentError("expected HOST:PORT");
  }
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/** Undefined if it is not JSON: what JSON.parse throws quotes the text, which holds the tokens. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const command = new Command("github")
    .description("The GitHub stand-in of the dev platform")
    .requiredOption("--listen <host:port>", "where to listen, and nowhere else", parseListen)
    .requiredOption(
      "--state <dir>",
      "everything that is kept: repositories and what is known of them",
    )
    .requiredOption("--owner <login>", "the one organization")
    .requiredOption("--tokens <file>", "JSON: who may come in ([{ token, login, access }])")
    .parse();
  const { listen, state, owner, tokens } = optionsSchema.parse(command.opts());

  const parsed = tokensFileSchema.safeParse(parseJson(await readFile(tokens, "utf8")));
  if (!parsed.success) {
    throw new Error(`${tokens} is not a tokens file:\n${z.prettifyError(parsed.error)}`);
  }

  const server = await createGitHubServer({
    host: listen.host,
    port: listen.port,
    stateDirectory: state,
    owner,
    tokens: parsed.data,
    log: (line) => {
      console.log(line);
    },
  });
  console.log(`GitHub stand-in ready at ${server.url} (API ${server.url}/api/v3)`);

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      server.close().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
