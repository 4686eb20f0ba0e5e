import type { FastifyInstance } from "fastify";
import { findRepository } from "./git-http.ts";
import type { RouteContext } from "./routes/route-context.ts";

/** The page that a browser gets at the URL of a repository: name, clone command, files. */
export function repositoryPage(app: FastifyInstance, context: RouteContext): void {
  app.get("/:owner/:repo", async (request, reply) => {
    const found = findRepository(context, request, reply);
    if (found === undefined) return reply;
    const { record, git } = found.repository;
    const branch = await git.defaultBranch();
    const commit = await git.commitSha(`refs/heads/${branch}`);
    const entries = commit === undefined ? [] : await git.list(commit, "");
    const title = escape(`${record.owner}/${record.name}`);
    const items = entries.map(
      ({ name, type }) => `<li>${escape(type === "tree" ? `${name}/` : name)}</li>`,
    );
    const clone = escape(`git clone ${context.represent.repositoryPage(record)}.git`);
    return reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", "default-src 'none'")
      .send(
        `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<h1>${title}</h1>
<p>${escape(record.settings.description ?? "")}</p>
<pre>${clone}</pre>
<h2>${escape(branch)}</h2>
${items.length === 0 ? "<p>This repository is empty.</p>" : `<ul>\n${items.join("\n")}\n</ul>`}
<p>This is the GitHub stand-in of the dev platform.</p>
</html>
`,
      );
  });
}

const entities: Partial<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
