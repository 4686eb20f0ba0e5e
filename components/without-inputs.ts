import type * as pulumi from "@pulumi/pulumi";

/**
 * Keeps inputs out of a provider's registration. The SDKs copy some environment variables into them
 * (GITHUB_TOKEN, KUBECONFIG), and thereby into the state; the providers read the same variables
 * themselves, wherever and whenever they run.
 */
export function withoutInputs(...keys: readonly string[]): pulumi.ResourceTransformation {
  return ({ props, opts }) => ({
    props: Object.fromEntries(
      Object.entries<unknown>(props).filter(([key]) => !keys.includes(key)),
    ),
    opts,
  });
}
