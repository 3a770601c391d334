import { NodeProcess } from "../nodes/node_process.ts";
import { PostgresServer } from "../drivers_on_servers/postgres_server.ts";
import { assertPerfect, jitter, WHOLE } from "./trial.ts";

Deno.test("guarantees 1, 2, 3: 500 clients on a bad network over PostgreSQL, a node killed", async () => {
  await using server = await PostgresServer.start();
  const config = { driver: "postgres", url: server.url, name: "jitter" } as const;
  await using a = await NodeProcess.start(config);
  await using b = await NodeProcess.start(config);
  assertPerfect(await jitter([a, b], { ...WHOLE, kill: true }));
});
