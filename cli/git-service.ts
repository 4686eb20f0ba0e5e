import type { PlatformSettings } from "../platform/settings.ts";

/** The base of a GitHub's REST API: github.com has a host for it, an Enterprise Server a path. */
export function restUrl({ url, apiUrl }: PlatformSettings["git"]): string {
  if (apiUrl !== undefined) return apiUrl;
  return url === "https://github.com" ? "https://api.github.com" : `${url}/api/v3`;
}
