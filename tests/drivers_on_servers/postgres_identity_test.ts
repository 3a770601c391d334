import { identityTrial } from "./identity_trial.ts";
import { PostgresServer } from "./postgres_server.ts";

identityTrial("postgres", async () => {
  const server = await PostgresServer.start();
  return {
    port: server.port,
    config: (port) => ({
      driver: "postgres",
      url: server.url.replace(`:${server.port}`, `:${port}`),
      name: "identity",
    }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});
