/** A fault of the toolchain. Its message says what happened, where, and what to do next. */
export class ToolchainError extends Error {
  override readonly name = "ToolchainError";

  /**
   * @param what what happened
   * @param where the command, file or address it happened at
   * @param next what the user does about it
   */
  constructor(what: string, where: string | undefined, next: string) {
    super([what, ...(where === undefined ? [] : [`Where: ${where}`]), `Next: ${next}`].join("\n"));
  }
}
