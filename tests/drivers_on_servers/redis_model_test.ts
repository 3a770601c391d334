import { RedisDriver } from "../../drivers/redis/driver.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { resumeModel } from "../model/resume_model.ts";
import { RedisServer } from "./redis_server.ts";

Deno.test("model over Redis: nobody misses an event, has one twice, or is told lost without need", async () => {
  await using server = await RedisServer.start();
  let runs = 0;
  await resumeModel({
    open: (historySize) => {
      // Keys of its own for each run.
      const options = readRedisOptions({ url: server.url, prefix: `model${runs++}`, historySize });
      return {
        driver: () => new RedisDriver(options),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    runs: 60,
    patienceMs: 20_000,
  });
});
