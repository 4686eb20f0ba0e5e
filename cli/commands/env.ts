import { Command } from "commander";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { platformVariables } from "../../dev/platform/environment.ts";
import { paths } from "../../dev/platform/state.ts";
import { runningPlatform } from "../running-platform.ts";
import { printJson } from "../output.ts";

/** A value as a POSIX shell reads it back. */
export function shellQuote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

export function envCommand(): Command {
  return new Command("env")
    .description(
      "print the exports that make a plain pulumi, kubectl and git talk to the dev platform",
    )
    .option("--json", "print JSON")
    .addHelpText("after", '\nUse: eval "$(npx tenantry env)"')
    .action((options: { json?: true }) => {
      const platform = runningPlatform();
      const variables = {
        ...platformVariables(platform),
        GITHUB_TOKEN: readFileSync(join(paths.tokens, "platform"), "utf8"),
      };
      if (options.json) {
        printJson({ ...variables, PATH: `${platform.bin}:${process.env["PATH"] ?? ""}` });
        return;
      }
      for (const [name, value] of Object.entries(variables)) {
        console.log(`export ${name}=${shellQuote(value)}`);
      }
      console.log(`export PATH=${shellQuote(platform.bin)}:"$PATH"`);
    });
}
