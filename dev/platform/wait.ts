import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Awaits a condition, asked every 100 ms.
 * Fails after `seconds`, naming `what` and the last reason why it did not hold.
 */
export async function waitFor(
  what: string,
  seconds: number,
  condition: () => Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    let reason = "";
    try {
      if (await condition()) return;
    } catch (error) {
      reason = error instanceof Error ? `: ${error.message}` : "";
    }
    if (Date.now() > deadline)
      throw new Error(`${what} did not happen within ${seconds} s${reason}`);
    await delay(100, undefined, signal === undefined ? {} : { signal });
  }
}

/** Whether an HTTP server answers a path with a success. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Whether something listens on a loopback port. */
export async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1000 });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => {
      end(true);
    });
    socket.once("error", () => {
      end(false);
    });
    socket.once("timeout", () => {
      end(false);
    });
  });
}
