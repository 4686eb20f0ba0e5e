import { Refusal } from "./output.ts";

/**
 * Runs work that Ctrl-C ends in an orderly way: the first interrupt aborts the
 * signal and waits for the work to stop, the second ends the process at once.
 * `afterwards` tells the user in what state that leaves things.
 */
export async function interruptible<T>(
  afterwards: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("\ninterrupted: stopping (Ctrl-C again ends at once)\n");
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted)
      throw new Refusal(`interrupted; ${afterwards}`, { cause: error });
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}
