import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

const source = join(import.meta.dirname, "..", "..");

/** What a command said, and how it ended. */
export interface Outcome {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A fresh copy of what the repository holds, as a newcomer's clone: nothing
 * that is ignored comes along, so nothing is installed in it yet.
 */
export class Clone {
  readonly folder = mkdtempSync(join(tmpdir(), "tenantry-test-"));

  static async make(): Promise<Clone> {
    const clone = new Clone();
    const { stdout } = await execa("git", ["ls-files", "-z", "-co", "--exclude-standard"], {
      cwd: source,
    });
    for (const file of stdout.split("\0")) {
      if (file === "") continue;
      mkdirSync(dirname(join(clone.folder, file)), { recursive: true });
      cpSync(join(source, file), join(clone.folder, file));
    }
    return clone;
  }

  /** The environment of a user who never saw the platform: nothing of it is inherited. */
  private environment(extra: Record<string, string> = {}): Record<string, string> {
    const kept = Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        !/^(PULUMI_|GITHUB_|GIT_|KUBECONFIG|TENANTRY_STATE|npm_)/.test(entry[0]),
    );
    return { ...Object.fromEntries(kept), ...extra };
  }

  start(command: string, commandArguments: readonly string[], extra: Record<string, string> = {}) {
    return execa(command, commandArguments, {
      cwd: this.folder,
      env: this.environment(extra),
      extendEnv: false,
      stdin: "ignore",
      reject: false,
    });
  }

  /** Runs a command in the clone to its end, whatever its exit code. */
  async run(
    command: string,
    commandArguments: readonly string[],
    extra: Record<string, string> = {},
  ): Promise<Outcome> {
    const { exitCode, stdout, stderr } = await this.start(command, commandArguments, extra);
    return { exitCode, stdout, stderr };
  }

  /** Runs a command that has to succeed, and returns its standard output. */
  async succeed(
    command: string,
    commandArguments: readonly string[],
    extra: Record<string, string> = {},
  ): Promise<string> {
    const outcome = await this.run(command, commandArguments, extra);
    if (outcome.exitCode !== 0) {
      throw new Error(
        `"${command} ${commandArguments.join(" ")}" ended with ${String(outcome.exitCode)}:\n${outcome.stdout}\n${outcome.stderr}`,
      );
    }
    return outcome.stdout;
  }

  async tenantry(...commandArguments: string[]): Promise<Outcome> {
    return await this.run("node", ["cli/tenantry.js", ...commandArguments]);
  }

  /** A line of shell after `eval "$(npx tenantry env)"`, as a user would type it. */
  async shell(line: string): Promise<Outcome> {
    return await this.run("bash", ["-c", `set -e; eval "$(npx tenantry env)"; ${line}`]);
  }

  /** Removes the clone. What still runs of it has to be ended before. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  write(file: string, content: string): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true });
    writeFileSync(join(this.folder, file), content);
  }

  delete(file: string): void {
    rmSync(join(this.folder, file), { recursive: true, force: true });
  }
}

/** Awaits a condition, asked every `milliseconds`. */
export async function eventually(
  what: string,
  seconds: number,
  condition: () => Promise<boolean>,
  milliseconds = 500,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}
