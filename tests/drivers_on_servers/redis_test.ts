import { RedisDriver } from "../../drivers/redis/driver.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { driverContract } from "../../testing/driver_contract.ts";
import { RedisServer } from "./redis_server.ts";

for (const history of [true, false]) {
  driverContract(
    async () => {
      const server = await RedisServer.start();
      return {
        driver: () =>
          new RedisDriver(readRedisOptions({ url: server.url, prefix: "contract", history })),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
    (name, run) => Deno.test(`Redis ${history ? "with" : "without"} history: ${name}`, run),
  );
}
