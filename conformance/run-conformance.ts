import pMap from "p-map";
import { setTimeout as delay } from "node:timers/promises";

import type { Answer, Attempt } from "./attempt.ts";
import { admissionBypassAttempts } from "./attempts/admission-bypass.ts";
import { argocdAttempts } from "./attempts/argocd.ts";
import { escapeAttempts } from "./attempts/escape.ts";
import { impersonationAttempts } from "./attempts/impersonation.ts";
import { otherTenantAttempts } from "./attempts/other-tenants.ts";
import { permittedAttempts } from "./attempts/permitted.ts";
import { repositoryAttempts } from "./attempts/repository.ts";
import { starvationAttempts } from "./attempts/starvation.ts";
import { Ground, type Field, type Subject } from "./ground.ts";
import { clean, remains } from "./clean.ts";

/** What became of one attempt on one tenant. */
export interface Result extends Omit<Attempt, "run" | "last"> {
  readonly tenant: string;
  readonly answer: Answer;
  /** Whether another layer refused than the one that must, or nobody did. */
  readonly surprise: boolean;
}

/** Attempts under way at a time. */
const AT_A_TIME = 12;
/** Milliseconds in which what a run made must be gone. */
const CLEAN_TIMEOUT = 120_000;

/** All attempts on a tenant. */
export function attemptsOn(ground: Ground): readonly Attempt[] {
  return [
    ...escapeAttempts(ground),
    ...otherTenantAttempts(ground),
    ...starvationAttempts(),
    ...impersonationAttempts(ground),
    ...admissionBypassAttempts(ground),
    ...argocdAttempts(ground),
    ...repositoryAttempts(ground),
    ...permittedAttempts(ground),
  ];
}

export interface RunOptions {
  /** Which attempts; by default all. */
  readonly isWanted: (attempt: Attempt) => boolean;
  /** Told after each attempt. */
  readonly onResult: (result: Result, total: number) => void;
}

/** Tries everything on one tenant, and removes what that made, also after an abort. */
export async function runConformance(
  field: Field,
  tenant: Subject,
  other: Subject | undefined,
  { isWanted, onResult }: RunOptions,
): Promise<readonly Result[]> {
  const ground = await Ground.take(field, tenant, other);
  const remove = async () => {
    await clean(ground);
    const end = Date.now() + CLEAN_TIMEOUT;
    for (;;) {
      const left = await remains(ground);
      if (left.length === 0) return;
      if (Date.now() > end) {
        throw new Error(
          `${tenant.name}: still there after ${CLEAN_TIMEOUT / 1000} s: ${left.join(", ")}. Run conformance again to remove it.`,
        );
      }
      await delay(500);
    }
  };
  try {
    // What a run that was killed has left would count against this one.
    await remove();
    field.signal.throwIfAborted();
    const attempts = attemptsOn(ground).filter(isWanted);
    const attempted = async (attempt: Attempt): Promise<Result> => {
      field.signal.throwIfAborted();
      const answer = await tried(attempt, ground);
      field.signal.throwIfAborted();
      const { id, area, what, expected, rail } = attempt;
      const result = {
        tenant: tenant.name,
        id,
        area,
        what,
        expected,
        ...(rail === undefined ? {} : { rail }),
        answer,
        surprise: answer.by !== expected,
      };
      onResult(result, attempts.length);
      return result;
    };
    const results: Result[] = [];
    for (const last of [false, true]) {
      const turn = attempts.filter((attempt) => (attempt.last ?? false) === last);
      // None is left under way when what they made is removed.
      results.push(
        ...(await pMap(turn, attempted, { concurrency: AT_A_TIME, stopOnError: false })),
      );
    }
    return results;
  } finally {
    await remove();
    ground.close();
  }
}

/** An attempt that cannot be made, or is not answered, is a surprise like another. */
async function tried(attempt: Attempt, ground: Ground): Promise<Answer> {
  try {
    return await attempt.run(ground);
  } catch (error) {
    return { by: "no answer", text: error instanceof Error ? error.message : String(error) };
  }
}
