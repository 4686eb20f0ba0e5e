import type { Means, ToolchainEvent } from "./toolchain-event.ts";

const verbs: Record<Means, [present: string, past: string]> = {
  download: ["downloading", "downloaded"],
  build: ["building", "built"],
  copy: ["copying", "copied"],
};

/** A length of time in words: `4 min 20 s`, `12 s`, `0.4 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * Gives an event handler that writes to `stream` one line for each step, and nothing but one line
 * when nothing was missing. A terminal also has, in its last line, what is going on now; elsewhere
 * a line each minute tells that a long build is alive.
 */
export function renderToolchainProgress(
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number },
): (event: ToolchainEvent) => void {
  const terminal = stream.isTTY === true;
  const running = new Map<string, { text: string; since: number; message?: string }>();
  let width = 0;
  let timer: NodeJS.Timeout | undefined;

  const clear = () => {
    if (terminal) stream.write("\r\x1b[K");
  };
  const line = (name: string, text: string) => {
    clear();
    stream.write(`toolchain  ${name.padEnd(width)}  ${text}\n`);
  };
  const tick = () => {
    for (const [name, { text, since, message }] of running) {
      const seconds = (performance.now() - since) / 1000;
      const now = [text, message, formatSeconds(seconds)].filter(Boolean).join(", ");
      if (!terminal && seconds > 45) line(name, `still ${now}`);
      if (terminal)
        stream.write(
          `\r\x1b[K${`toolchain  ${name}  ${now}`.slice(0, (stream.columns ?? 80) - 1)}`,
        );
    }
  };

  return (event) => {
    switch (event.type) {
      case "plan": {
        const { missing } = event;
        width = Math.max(...missing.map(({ name, version }) => name.length + version.length + 1));
        const counts = Object.entries(verbs).flatMap(([means]) => {
          const count = missing.filter((step) => step.means === means).length;
          return count === 0 ? [] : [`${count} to ${means}`];
        });
        line("plan", `${event.present.length} present, ${counts.join(", ")}: about ${formatSeconds(event.estimatedSeconds)}`); // prettier-ignore
        timer = setInterval(tick, terminal ? 1000 : 60_000).unref();
        break;
      }
      case "waiting":
        line(event.name, "waiting for another run of Tenantry that is at work on the toolchain");
        break;
      case "start": {
        const last = event.lastSeconds;
        const [text] = verbs[event.means];
        const name = `${event.name} ${event.version}`;
        running.set(name, { text, since: performance.now() });
        if (terminal) tick();
        else line(name, last === undefined ? text : `${text} (last time ${formatSeconds(last)})`);
        break;
      }
      case "progress": {
        const [, step] = [...running].find(([name]) => name.startsWith(`${event.name} `)) ?? [];
        if (step) step.message = event.message;
        if (/^\d/.test(event.message)) break;
        line(event.name, event.message);
        break;
      }
      case "done": {
        const name = `${event.name} ${event.version}`;
        running.delete(name);
        const verb = event.means === "elsewhere" ? "made by another run" : verbs[event.means][1];
        line(name, `${verb} in ${formatSeconds(event.seconds)}`);
        break;
      }
      case "failed":
        clearInterval(timer);
        clear();
        break;
      case "ready":
        clearInterval(timer);
        line("ready", event.made === 0 ? "nothing to do" : `in ${formatSeconds(event.seconds)}`);
        break;
    }
  };
}
