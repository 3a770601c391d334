import { resumeModel } from "../model/resume_model.ts";
import { postgresDriver } from "./postgres_driver.ts";
import { PostgresServer } from "./postgres_server.ts";

Deno.test("model over PostgreSQL: nobody misses an event, has one twice, or is told lost without need", async () => {
  await using server = await PostgresServer.start();
  let runs = 0;
  await resumeModel({
    open: (historySize) => {
      // Tables of its own for each run.
      const prefix = `model_${runs++}`;
      return {
        driver: () => postgresDriver({ url: server.url, schema: "model", prefix, historySize }),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    runs: 30,
    patienceMs: 20_000,
  });
});
