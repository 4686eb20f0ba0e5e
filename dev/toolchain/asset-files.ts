import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Copies a folder of Go's module cache, whose files are read-only, into ordinary files. */
export async function copyFiles(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    // It lists the other files for kustomize; `kubectl apply -f <folder>` would refuse it.
    if (entry.name === "kustomization.yaml") continue;
    if (entry.isDirectory()) await copyFiles(from, to);
    else await writeFile(to, await readFile(from));
  }
}

/** Stamps the chart in `<folder>/<name>` with its release and packs it as Helm does, always to the same bytes. */
export async function packChart(
  folder: string,
  name: string,
  version: string,
  archive: string,
): Promise<void> {
  const file = join(folder, name, "Chart.yaml");
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  const others = lines.filter((line) => !/^(version|appVersion):/.test(line));
  await writeFile(
    file,
    [...others, `version: ${version}`, `appVersion: "${version}"`, ""].join("\n"),
  );
  const tar = await import("tar");
  const mtime = new Date(0);
  await tar.create({ file: archive, cwd: folder, gzip: true, portable: true, mtime }, [name]);
}
