import { Command } from "commander";
import { Refusal } from "../output.ts";

export function kubeconfigCommand(): Command {
  return new Command("kubeconfig")
    .description("print a tenant's kubeconfig: a secret that opens its virtual cluster")
    .argument("<tenant>", "the tenant's name")
    .addHelpText(
      "after",
      "\nUse: npx tenantry kubeconfig acme > k && kubectl --kubeconfig k get namespaces",
    )
    .action(async (tenant: string) => {
      const { SelectedStack } = await import("../selected-stack.ts");
      const kubeconfigs = await new SelectedStack().kubeconfigs();
      const kubeconfig = kubeconfigs[tenant];
      if (kubeconfig === undefined) {
        const names = Object.keys(kubeconfigs).join(", ");
        throw new Refusal(
          `no tenant "${tenant}" in this stack: it has ${names === "" ? "none (npm run up makes them)" : names}`,
        );
      }
      process.stdout.write(kubeconfig.endsWith("\n") ? kubeconfig : `${kubeconfig}\n`);
    });
}
