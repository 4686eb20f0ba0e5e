import { readPlatform, type PlatformRecord } from "../dev/platform/state.ts";
import { Refusal } from "./output.ts";

/** The dev platform of this clone, which has to be up. */
export function runningPlatform(): PlatformRecord {
  const platform = readPlatform();
  if (platform === undefined) {
    throw new Refusal("no dev platform runs in this clone: npm run up starts it");
  }
  return platform;
}
