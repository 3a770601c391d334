import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
import { RedisBroadcaster } from "@airwave/broadcast/redis";
import { assertEquals, assertRejects } from "@std/assert";
import { settleOrder } from "../../examples/recipes/job.ts";
import { payOrder } from "../../examples/recipes/transaction.ts";
import { PostgresServer } from "../drivers_on_servers/postgres_server.ts";
import { RedisServer } from "../drivers_on_servers/redis_server.ts";

Deno.test("what a job publishes reaches the servers, once however often it is tried", async () => {
  await using redis = await RedisServer.start();
  await using server = new RedisBroadcaster({ url: redis.url, prefix: "shop" });
  await using orders = server.subscribe("orders.7");
  await orders.ready;
  await settleOrder(redis.url, 7);
  await settleOrder(redis.url, 7);
  await server.publish("orders.7", { event: "sent", data: null });
  const heard = [(await orders.next()).value?.event, (await orders.next()).value?.event];
  assertEquals(heard, ["paid", "sent"]);
});

Deno.test("a payment is told if and only if it was committed", async () => {
  await using server = await PostgresServer.start();
  await using stranger = server.client();
  const { sql } = stranger;
  await sql`create table orders (id integer primary key, state text, total integer)`;
  await sql`insert into orders values (7, 'open', 12)`;
  await using broadcaster = new PostgresBroadcaster({ url: server.url, prefix: "shop" });
  await using orders = broadcaster.subscribe("orders.7");
  await orders.ready;
  await assertRejects(() => payOrder(sql, broadcaster, 8), Error, "Order 8 is not open");
  await payOrder(sql, broadcaster, 7);
  const { event, data } = (await orders.next()).value ?? {};
  assertEquals([event, data], ["paid", { total: 12 }]);
  // It is not open any more.
  await assertRejects(() => payOrder(sql, broadcaster, 7), Error, "Order 7 is not open");
  await broadcaster.publish("orders.7", { event: "sent", data: null });
  assertEquals((await orders.next()).value?.event, "sent");
});
