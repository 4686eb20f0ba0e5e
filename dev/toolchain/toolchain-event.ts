/** How something missing is obtained; `copy` is for the files of a pinned module. */
export type Means = "download" | "build" | "copy";

/** One thing that is missing, and how it will be obtained. */
export interface PlannedStep {
  readonly name: string;
  readonly version: string;
  readonly means: Means;
  /** What it took here the last time. */
  readonly lastSeconds?: number;
}

/** What happens while the toolchain is completed, in the order in which it is reported. */
export type ToolchainEvent =
  | {
      readonly type: "plan";
      /** Names of what is there already. */
      readonly present: readonly string[];
      readonly missing: readonly PlannedStep[];
      /** From what it took here the last time, else on 2 cores with nothing cached. */
      readonly estimatedSeconds: number;
    }
  /** Another run holds what this step needs. */
  | { readonly type: "waiting"; readonly name: string }
  | ({ readonly type: "start" } & PlannedStep)
  /** A download goes on, or failed so that something else is tried. */
  | { readonly type: "progress"; readonly name: string; readonly message: string }
  | {
      readonly type: "done";
      readonly name: string;
      readonly version: string;
      /** `elsewhere`: another run has made it meanwhile. */
      readonly means: Means | "elsewhere";
      readonly seconds: number;
    }
  | {
      readonly type: "ready";
      readonly bin: string;
      readonly made: number;
      readonly seconds: number;
    }
  /** Nothing follows; what failed is thrown. */
  | { readonly type: "failed" };
