// Completes the tiny toolchain in the folder given and prints the events and the result, one JSON a line.
import { join } from "node:path";

import { ensureDefinition } from "../../../dev/toolchain/ensure-toolchain.ts";
import { helloBuild } from "./tiny-toolchain.ts";

const hello = { name: "hello", version: "1.2.3", builds: [helloBuild], buildSeconds: 1 } as const;
const modules = join(process.argv[2] ?? "", "modules");
const onEvent = (event: unknown) => {
  console.log(JSON.stringify(event));
};
console.log(
  JSON.stringify(await ensureDefinition({ parts: [hello], assets: [], modules }, { onEvent })),
);
