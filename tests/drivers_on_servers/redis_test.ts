import { assert, assertEquals, assertLess } from "@std/assert";
import type { PresenceSnapshot } from "../../core/presence_channel.ts";
import { RedisBroadcaster } from "../../drivers/redis.ts";
import { RedisDriver } from "../../drivers/redis/driver.ts";
import { Feed } from "../../drivers/redis/feed.ts";
import { Names } from "../../drivers/redis/names.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { driverContract } from "../../testing/driver_contract.ts";
import { Witness } from "../drivers/witness.ts";
import { read } from "../links.ts";
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

Deno.test("a channel that begins, or is in step again, costs the same however many there are", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  const isBehind = Object.getOwnPropertyDescriptor(Feed.prototype, "isBehind") ?? {};
  let looks = 0;
  Object.defineProperty(Feed.prototype, "isBehind", {
    ...isBehind,
    get(): unknown {
      looks++;
      return isBehind.get?.call(this);
    },
  });
  try {
    let up = Promise.withResolvers<void>();
    await using node = new RedisBroadcaster({
      url: server.url,
      prefix: "many",
      onHealth: ({ new: state }) => state === "up" && up.resolve(),
    });
    const all = Array.from({ length: 500 }, (_, i) => node.subscribe(`c.${i}`));
    for (const { ready } of all) await ready;
    assertLess(looks, 4 * all.length);
    looks = 0;
    up = Promise.withResolvers();
    await stranger.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
    await up.promise;
    assertLess(looks, 4 * all.length);
    assert(looks >= all.length, "whether each is in step is looked at");
  } finally {
    Object.defineProperty(Feed.prototype, "isBehind", isBehind);
  }
});

Deno.test("a script that a server does not know is sent whole once, however many want it at once", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  await using node = new RedisBroadcaster({ url: server.url, prefix: "many" });
  await Promise.all(Array.from({ length: 500 }, (_, i) => node.subscribe(`c.${i}`).ready));
  const statistics = await stranger.redis.info("commandstats");
  assertEquals(/^cmdstat_eval:calls=(\d+),/m.exec(statistics)?.[1], "1");
});

Deno.test("a node is in step as soon as nobody listens any more to the channel that is not", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  const down = Promise.withResolvers<void>();
  await using node = new RedisBroadcaster({
    url: server.url,
    prefix: "left",
    onHealth: ({ new: state }) => state === "down" && down.resolve(),
    onError() {},
  });
  await using kept = node.subscribe("kept");
  const left = node.subscribe("left");
  await Promise.all([kept.ready, left.ready]);
  const [state = ""] = new Names("left").keys("left");
  await stranger.redis.set(state, "no hash");
  await stranger.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
  await down.promise;
  await node.publish("kept", { event: "n", data: null });
  await kept.next();
  assertEquals(node.health, "down");
  left.unsubscribe();
  await until("all to be in step", () => Promise.resolve(node.health === "up"));
});

Deno.test("what the guide lets a user of Redis do is enough, and nothing else is tried", async () => {
  const rules = /`ACL SETUSER shop ([^`]*)`/.exec(read("docs/drivers.md"))?.[1]?.split(" ") ?? [];
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  await stranger.redis.call("ACL", "SETUSER", "shop", ...rules);
  const node = new RedisBroadcaster({
    url: `redis://shop:secret@127.0.0.1:${server.port}`,
    prefix: "shop",
    heartbeatMs: 100,
  });
  const { promise: present, resolve } = Promise.withResolvers<void>();
  const listener = {
    here: ({ members }: PresenceSnapshot) => members?.length === 1 && resolve(),
    join: () => resolve(),
    leave() {},
  };
  const stopWatching = node.watchPresence("presence-c", listener, { id: "a" });
  const witness = await Witness.on(node, ["c"]);
  const { position } = await node.publish("c", { event: "n", data: 1 });
  await node.publish("c", { event: "n", data: 2 });
  await witness.until("both", ({ count }) => count === 2);
  const resumed = node.subscribe("c", { after: position });
  assertEquals((await resumed.ready).recovery, "ok");
  await present;
  resumed.unsubscribe();
  witness.leave();
  const name = new Names("shop").messages("c");
  const count = async () => (await stranger.redis.pubsub("NUMSUB", name)).at(-1);
  await until("the end of the subscription", async () => await count() === 0);
  stopWatching();
  await node.close();
  assertEquals(await stranger.redis.call("ACL", "LOG"), []);
});

Deno.test("guarantee 6: a gap too large for one answer is not read, but told as lost", async () => {
  const bytes = 16 * 1024 * 1024;
  await using server = await RedisServer.start();
  const driver = new RedisDriver(
    readRedisOptions({
      url: server.url,
      prefix: "large",
      maxEventBytes: 2 * bytes,
      timeoutMs: 30_000,
      heartbeatMs: 60_000,
    }),
  );
  const json = JSON.stringify("x".repeat(bytes));
  let epoch = "";
  for (const id of ["1", "2", "3", "4", "5"]) {
    const position = await driver.publish("c", { id, event: "n", json });
    epoch = position?.epoch ?? "";
  }
  const offsetsAfter = async (offset: number) => {
    const read = await driver.read("c", { epoch, offset });
    return read.complete ? read.events.map(({ position }) => position.offset) : "lost";
  };
  assertEquals(await offsetsAfter(1), "lost");
  assertEquals(await offsetsAfter(2), [3, 4, 5]);
  await driver.close();
});
