import { Command } from "commander";
import { capacityCommand } from "./commands/capacity.ts";
import { checkCommand } from "./commands/check.ts";
import { conformanceCommand } from "./commands/conformance.ts";
import { devCommand } from "./commands/dev.ts";
import { envCommand } from "./commands/env.ts";
import { kubeconfigCommand } from "./commands/kubeconfig.ts";
import { residueCommand } from "./commands/residue.ts";
import { tenantsCommand } from "./commands/tenants.ts";

const program = new Command("tenantry")
  .description("Every team its own Kubernetes on one shared host cluster.")
  .addHelpText(
    "after",
    "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage.\nStart with: npm run up",
  )
  // commander exits with 1 on wrong usage; scripts tell that from a failure by 2.
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  })
  .configureHelp({ showGlobalOptions: true });

for (const command of [
  devCommand(),
  envCommand(),
  tenantsCommand(),
  checkCommand(),
  capacityCommand(),
  kubeconfigCommand(),
  residueCommand(),
  conformanceCommand(),
]) {
  inherit(command, program);
  program.addCommand(command);
}

/** commander hands its settings on to commands that are made after them only. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`tenantry: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env["TENANTRY_DEBUG"] !== undefined && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ""}\n`);
  }
  process.exitCode = 1;
}
