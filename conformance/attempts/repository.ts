import { z } from "zod";

import type { Answer, Attempt } from "../attempt.ts";
import type { GitAnswer } from "../git-service.ts";
import type { Ground } from "../ground.ts";
import { makeBranch } from "./argocd.ts";

const area = "repository";
const byGit = { expected: "Git service" } as const;
const Commit = z.object({
  object: z.object({ sha: z.string() }),
});
const Parents = z.object({ parents: z.array(z.object({ sha: z.string() })) });
const Branch = z.object({ default_branch: z.string() });

/** Ways to a tenant's repository, and to its history. */
export function repositoryAttempts({ repository, argocdGitToken }: Ground): Attempt[] {
  const file = {
    message: "conformance",
    content: Buffer.from("conformance").toString("base64"),
  };
  return [
    {
      area,
      id: "clone-without-token",
      what: "to clone the repository without an account",
      ...byGit,
      rail: "visibility of the repository",
      run: async ({ tenant: { cloneUrl } }): Promise<Answer> => {
        // What git asks first.
        const { ok, status } = await fetch(`${cloneUrl}/info/refs?service=git-upload-pack`, {
          signal: AbortSignal.timeout(30_000),
        });
        return { by: ok ? "nobody" : "Git service", text: `${status}` };
      },
    },
    {
      area,
      id: "write-without-token",
      what: "to write into the repository without an account",
      ...byGit,
      run: async () =>
        answerOf(await repository.as(undefined).ask("PUT", "/contents/apps/conformance.txt", file)),
    },
    {
      area,
      id: "write-as-argocd",
      what: "to write into the repository with the token that Argo CD reads it with",
      ...byGit,
      run: async () =>
        answerOf(
          await repository.as(argocdGitToken).ask("PUT", "/contents/apps/conformance.txt", file),
        ),
    },
    {
      area,
      id: "history-rewritten",
      what: "to take the last commit back from the branch that Argo CD follows, even as the platform",
      ...byGit,
      rail: "ruleset of the repository",
      run: async () => {
        const { default_branch: branch } = await repository.get(Branch, "GET", "");
        const ref = `/git/refs/heads/${branch}`;
        const { object } = await repository.get(Commit, "GET", `/git/ref/heads/${branch}`);
        const { parents } = await repository.get(Parents, "GET", `/commits/${object.sha}`);
        const sha = parents[0]?.sha;
        if (sha === undefined) throw new Error("the repository has one commit only");
        const answer = await repository.ask("PATCH", ref, { sha, force: true });
        // Where nobody refused, it is undone at once.
        if (answer.message === "") {
          await repository.ask("PATCH", ref, { sha: object.sha, force: true });
        }
        return answerOf(answer);
      },
    },
    {
      area,
      id: "default-branch-deleted",
      what: "to delete the branch that Argo CD follows, even as the platform",
      ...byGit,
      run: async () => {
        const { default_branch: branch } = await repository.get(Branch, "GET", "");
        const { object } = await repository.get(Commit, "GET", `/git/ref/heads/${branch}`);
        const answer = await repository.ask("DELETE", `/git/refs/heads/${branch}`);
        if (answer.message === "") {
          await repository.ask("POST", "/git/refs", {
            ref: `refs/heads/${branch}`,
            sha: object.sha,
          });
        }
        return answerOf(answer);
      },
    },
    {
      area: "permitted",
      id: "repository-read",
      what: "Argo CD to read the repository with its token",
      expected: "nobody",
      run: async () => answerOf(await repository.as(argocdGitToken).ask("GET", "")),
    },
    {
      area: "permitted",
      id: "repository-branch",
      what: "a branch of its own in the repository",
      expected: "nobody",
      run: async (ground): Promise<Answer> => {
        await makeBranch(ground);
        return { by: "nobody", text: `branch ${ground.branch}` };
      },
    },
  ];
}

function answerOf({ status, message }: GitAnswer): Answer {
  return message === ""
    ? { by: "nobody", text: `${status}` }
    : { by: "Git service", text: message };
}
