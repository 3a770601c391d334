import { assertEquals } from "@std/assert";
import { RedisBroadcaster } from "../../drivers/redis.ts";
import { RedisDriver } from "../../drivers/redis/driver.ts";
import { Names } from "../../drivers/redis/names.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { driverContract } from "../../testing/driver_contract.ts";
import { RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

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

Deno.test("guarantee 5: however many subscribe on a node, Redis has one subscription, and none after the last", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  const name = new Names("one").messages("c");
  const count = async () => (await stranger.redis.pubsub("NUMSUB", name)).at(-1);
  await using a = new RedisBroadcaster({ url: server.url, prefix: "one" });
  await using b = new RedisBroadcaster({ url: server.url, prefix: "one" });
  const subscriptions = [a, a, a, b, b].map((node) => node.subscribe("c"));
  for (const { ready } of subscriptions) await ready;
  assertEquals(await count(), 2);
  for (const subscription of subscriptions.slice(1)) subscription.unsubscribe();
  await until("the end on one node", async () => await count() === 1);
  subscriptions[0]?.unsubscribe();
  await until("the end on both", async () => await count() === 0);
});
