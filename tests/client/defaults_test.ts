import { assertEquals } from "@std/assert";
import { PlayedClient } from "./harness.ts";

Deno.test("unless told, 200 publishes wait for a connection", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  for (let i = 0; i < 201; i++) channel.publish("e", i);
  assertEquals(played.errors.map(({ reason }) => reason), ["outbox full"]);
  await played.welcome();
  assertEquals(played.allSent("pub").map(({ d }) => d), Array.from({ length: 200 }, (_, i) => i));
});
