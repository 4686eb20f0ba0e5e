import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import fastify from "fastify";

// A Helm chart repository is a folder behind HTTP: an index and the packages it names.
// Arguments: the folder, and the loopback port to serve it on.
const [folder, port] = process.argv.slice(2);
if (folder === undefined || port === undefined)
  throw new Error("usage: chart-mirror <folder> <port>");

const server = fastify({ forceCloseConnections: true });
await server.register(fastifyStatic, { root: join(folder) });
server.addHook("onResponse", async (request, reply) => {
  await Promise.resolve();
  console.log(`${request.method} ${request.url} ${reply.statusCode}`);
});
await server.listen({ host: "127.0.0.1", port: Number(port) });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void server.close().then(() => {
      process.exit(0);
    });
  });
}
