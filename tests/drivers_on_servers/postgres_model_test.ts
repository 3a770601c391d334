import { PostgresDriver } from "../../drivers/postgres/driver.ts";
import { resumeModel } from "../model/resume_model.ts";
import { PostgresServer } from "./postgres_server.ts";

Deno.test("model over PostgreSQL: nobody misses an event, has one twice, or is told lost without need", async () => {
  await using server = await PostgresServer.start();
  let runs = 0;
  await resumeModel({
    open: (historySize) => {
      // Tables of its own for each run.
      const prefix = `model_${runs++}`;
      return {
        driver: () =>
          new PostgresDriver({
            url: server.url,
            schema: "model",
            prefix,
            historySize,
            historyTtlMs: 60_000,
            listen: true,
            pollIntervalMs: 1_000,
            timeoutMs: 10_000,
            maxConnections: 4,
            prepare: true,
            maxEventBytes: 1024 * 1024,
          }),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    runs: 30,
    patienceMs: 20_000,
  });
});
