import * as github from "@pulumi/github";

import type { PlatformSettings } from "../platform/settings.ts";
import { withoutInputs } from "./without-inputs.ts";

/** The connection to GitHub, which every tenant shares. Its token is the ambient GITHUB_TOKEN. */
export function githubProvider(name: string, { git }: PlatformSettings): github.Provider {
  const api = git.url === "https://github.com" ? "https://api.github.com" : git.url;
  return new github.Provider(
    name,
    {
      owner: git.owner,
      baseUrl: `${git.apiUrl ?? api}/`,
      // The newer client keeps to GitHub's rate limits by itself; the older one instead waits a
      // second after each write, whatever the limits.
      legacyClient: false,
    },
    { transformations: [withoutInputs("token")] },
  );
}
