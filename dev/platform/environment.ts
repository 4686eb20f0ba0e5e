import { join } from "node:path";
import { gitOwner } from "./services.ts";
import { paths, type PlatformRecord } from "./state.ts";

/** The name of the dev platform's Pulumi stack. */
export const devStack = "dev";

/**
 * The variables that make a plain `pulumi`, `kubectl` and `git` talk to the dev
 * platform. Secrets are named by the file that holds them where a tool allows
 * it; the token of the GitHub provider is the exception, so that variable is
 * kept apart.
 */
export function platformVariables(platform: PlatformRecord): Record<string, string> {
  const git = `http://127.0.0.1:${platform.ports.github}`;
  return {
    KUBECONFIG: paths.kubeconfig,
    KUBECACHEDIR: paths.kubectlCache,
    PULUMI_HOME: paths.pulumiHome,
    PULUMI_BACKEND_URL: `file://${paths.pulumiBackend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: paths.pulumiPassphrase,
    PULUMI_STACK: devStack,
    // Pulumi.dev.yaml with the ports and the secrets of this platform.
    PULUMI_OPTION_CONFIG_FILE: paths.stackConfig,
    // The providers are installed in PULUMI_HOME, at the release that the SDKs ask for.
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    GITHUB_BASE_URL: `${git}/`,
    GITHUB_OWNER: gitOwner,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `credential.${git}.helper`,
    GIT_CONFIG_VALUE_0: `!f() { test "$1" = get && echo username=developer && echo "password=$(cat '${join(paths.tokens, "developer")}')"; }; f`,
  };
}
