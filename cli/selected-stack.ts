import { existsSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import { devStack } from "../dev/platform/environment.ts";
import { runCommand } from "../dev/platform/run-command.ts";
import { pulumiEnvironment, StackOutputs, type TenantOutputs } from "../dev/platform/stack.ts";
import { projectFolder, readPlatform } from "../dev/platform/state.ts";
import {
  parsePlatformSettings,
  PlatformSettingsError,
  type PlatformSettings,
} from "../platform/settings.ts";
import { Refusal } from "./output.ts";

const Config = z.record(
  z.string(),
  z.object({
    value: z.string().optional(),
    objectValue: z.unknown().optional(),
    secret: z.boolean(),
  }),
);
const State = z.object({
  deployment: z.object({
    resources: z.array(z.object({ urn: z.string(), parent: z.string().optional() })).nullish(),
  }),
});

const Kubeconfigs = z.object({ kubeconfigs: z.record(z.string(), z.string()).default({}) });

/** A resource in a stack's state. */
export interface StateResource {
  readonly urn: string;
  readonly parent?: string | undefined;
}

/**
 * The stack that commands speak of: the one that `PULUMI_STACK` names, with the
 * environment as it is, else the dev platform's.
 */
export class SelectedStack {
  readonly environment: NodeJS.ProcessEnv;

  constructor() {
    const named = process.env["PULUMI_STACK"];
    if (named !== undefined && named !== devStack) {
      this.environment = process.env;
      return;
    }
    const platform = readPlatform();
    if (platform === undefined) {
      throw new Refusal(
        "no dev platform runs in this clone (npm run up starts it) and PULUMI_STACK names no other stack",
      );
    }
    this.environment = pulumiEnvironment(platform);
  }

  private async pulumi(commandArguments: readonly string[]): Promise<unknown> {
    const text = await runCommand("pulumi", [...commandArguments, "--non-interactive"], {
      environment: this.environment,
      cwd: projectFolder,
    });
    return JSON.parse(text);
  }

  /** The platform settings in the stack's configuration. */
  async settings(): Promise<PlatformSettings> {
    const prefix = "tenantry:";
    const config = Config.parse(await this.pulumi(["config", "--json"]));
    const values = Object.entries(config)
      .filter(([key, { secret }]) => key.startsWith(prefix) && !secret)
      .map(
        ([key, { value, objectValue }]) =>
          [key.slice(prefix.length), objectValue ?? value] as const,
      );
    const { settings, faults } = parsePlatformSettings(Object.fromEntries<unknown>(values));
    if (settings === undefined) throw new PlatformSettingsError(faults);
    return settings;
  }

  /** What the program exported of each tenant at its last update, secrets left out. */
  async tenants(): Promise<TenantOutputs> {
    return StackOutputs.parse(await this.pulumi(["stack", "output", "--json"])).tenants;
  }

  /** The kubeconfigs by tenant: secrets. */
  async kubeconfigs(): Promise<Record<string, string>> {
    const output = await this.pulumi(["stack", "output", "--json", "--show-secrets"]);
    return Kubeconfigs.parse(output).kubeconfigs;
  }

  /** What `tenants` and `kubeconfigs` give, at the price of one. */
  async outputs() {
    const output = await this.pulumi(["stack", "output", "--json", "--show-secrets"]);
    return { ...StackOutputs.parse(output), ...Kubeconfigs.parse(output) };
  }

  async resources(): Promise<readonly StateResource[]> {
    return State.parse(await this.pulumi(["stack", "export"])).deployment.resources ?? [];
  }

  /** The client configuration for the host cluster. */
  hostCluster(context: string | undefined): KubeConfig {
    const file = this.environment["KUBECONFIG"];
    const config = new KubeConfig();
    if (file !== undefined && existsSync(file)) config.loadFromFile(file);
    else config.loadFromDefault();
    if (context !== undefined) config.setCurrentContext(context);
    return config;
  }
}
