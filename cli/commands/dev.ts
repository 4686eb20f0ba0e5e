import { Command } from "commander";
import { printJson, printTable, Refusal } from "../output.ts";
import { interruptible } from "../interruptible.ts";

// What a command does is loaded when it is called: help and completion answer at once.

function upCommand(): Command {
  return new Command("up")
    .description("bring up the dev platform and every tenant on it; a second run changes nothing")
    .option("--json", "print the tenants as JSON")
    .action(async (options: { json?: true }) => {
      const { platformUp } = await import("../../dev/platform/up.ts");
      const { tenants, changes } = await interruptible(
        "what runs is left running: npm run up goes on from here, npm run down removes it",
        platformUp,
      );
      if (options.json) {
        printJson({ tenants, changes });
        return;
      }
      printTable(
        ["tenant", "namespace", "API server", "Argo CD", "repository"],
        Object.entries(tenants).map(([name, tenant]) => [
          name,
          tenant.namespace,
          tenant.apiUrl,
          tenant.argocdUrl,
          tenant.repositoryUrl,
        ]),
      );
      const [first] = Object.keys(tenants);
      if (first !== undefined) {
        console.log(
          `\nnpx tenantry kubeconfig ${first} > k && kubectl --kubeconfig k get namespaces`,
        );
      }
    });
}

function downCommand(): Command {
  return new Command("down")
    .description(
      "end the dev platform and remove all of its state, tenants and repositories included",
    )
    .action(async () => {
      const { platformDown } = await import("../../dev/platform/up.ts");
      const { runningProcesses } = await import("../../dev/platform/processes.ts");
      const { stateFolder } = await import("../../dev/platform/state.ts");
      const removed = await platformDown();
      const left = runningProcesses();
      if (left.length > 0) {
        throw new Refusal(
          `still running: ${left.map(({ pid, name }) => `${name} (${pid})`).join(", ")}`,
        );
      }
      console.log(removed ? `removed ${stateFolder}` : "there is no dev platform in this clone");
    });
}

function statusCommand(): Command {
  return new Command("status")
    .description(
      "every process of the dev platform, where it listens and logs; exit 1 unless all are ready",
    )
    .option("--json", "print JSON")
    .action(async (options: { json?: true }) => {
      const { platformStatus } = await import("../../dev/platform/status.ts");
      const status = await platformStatus();
      if (status === undefined)
        throw new Refusal("no dev platform runs in this clone: npm run up starts it");
      if (options.json) printJson(status);
      else {
        printTable(
          ["process", "state", "role", "address", "log"],
          status.map(({ name, state, role, address, log }) => [name, state, role, address, log]),
        );
        for (const { name, log, lastLines } of status) {
          if (lastLines !== undefined) {
            console.log(`\n${name} has ended. The last lines of ${log}:\n${lastLines}`);
          }
        }
      }
      if (status.some(({ state }) => state !== "ready")) process.exitCode = 1;
    });
}

function toolchainCommand(): Command {
  return new Command("toolchain")
    .description("find, download or build every binary that the dev platform runs")
    .option("--json", "print JSON")
    .action(async (options: { json?: true }) => {
      const { ensureToolchain } = await import("../../dev/toolchain/ensure-toolchain.ts");
      const { renderToolchainProgress } =
        await import("../../dev/toolchain/render-toolchain-progress.ts");
      const toolchain = await interruptible("what is finished is kept", async (signal) =>
        ensureToolchain({ onEvent: renderToolchainProgress(process.stderr), signal }),
      );
      if (options.json) {
        printJson(toolchain);
        return;
      }
      printTable(
        ["binary", "version", "origin", "path"],
        Object.entries(toolchain.binaries).map(([name, { version, origin, path }]) => [
          name,
          version,
          origin,
          path,
        ]),
      );
    });
}

export function devCommand(): Command {
  return new Command("dev")
    .description(
      "the dev platform: a host cluster, Argo CD, vCluster and a Git service on this machine",
    )
    .addCommand(upCommand())
    .addCommand(downCommand())
    .addCommand(statusCommand())
    .addCommand(toolchainCommand());
}
