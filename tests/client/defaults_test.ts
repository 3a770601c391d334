import { assertEquals, assertThrows } from "@std/assert";
import { BroadcastClientError } from "@airwave/broadcast/client";
import { PlayedClient } from "./harness.ts";

Deno.test("unless told, 200 publishes wait for a connection", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  for (let i = 0; i < 201; i++) channel.publish("e", i);
  assertEquals(played.errors.map(({ reason }) => reason), ["outbox full"]);
  await played.welcome();
  assertEquals(played.allSent("pub").map(({ d }) => d), Array.from({ length: 200 }, (_, i) => i));
});

Deno.test("unless told, an attempt may take 10 s, and a server may be silent for 75 s", async () => {
  using played = new PlayedClient();
  const first = played.socket;
  first.open();
  await played.time.tick(9_999);
  assertEquals(first.closed, undefined);
  await played.time.tick(1);
  assertEquals(first.closed?.code, 4102);
  await played.time.tick(10_000);
  await played.welcome();
  await played.time.tick(74_999);
  assertEquals(played.client.connected, true);
  await played.time.tick(1);
  assertEquals(played.client.connected, false);
});

Deno.test("unless told, a publish has at most 64 KiB", () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  channel.publish("e", "x".repeat(65_000));
  assertThrows(
    () => channel.publish("e", "x".repeat(65_536)),
    BroadcastClientError,
    "at most 65536 bytes",
  );
});
