/**
 * What the types promise. Each `@ts-expect-error` pins one mistake: if the compiler no longer refuses
 * it, checking this file fails.
 */
import { assertEquals } from "@std/assert";
import { BroadcastClient } from "@airwave/broadcast/client";
import { settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

interface ChatEvents {
  message: { text: string };
  typing: string;
}

Deno.test("typed channels: data has its event's type, mistakes do not compile", async () => {
  using played = new PlayedClient();
  const chat = played.client.channel<ChatEvents>("chat.1");
  const texts: string[] = [];
  chat.on("message", ({ text }) => texts.push(text));
  chat.on("*", (event, data) => {
    const name: "message" | "typing" = event;
    const value: string | { text: string } = data;
    return [name, value];
  });
  // @ts-expect-error -- an event that the channel does not have
  chat.on("mesage", () => {});
  // @ts-expect-error -- data of another event
  chat.on("typing", ({ text }: { text: string }) => text);
  // @ts-expect-error -- data that does not fit the event
  chat.publish("message", "text");
  await played.welcome();
  played.socket.receive({ t: "msg", c: "chat.1", e: "message", d: { text: "Hi" }, i: "1" });
  await settle();
  assertEquals(texts, ["Hi"]);
});

Deno.test("untyped channels: data is unknown until it was looked at", () => {
  using played = new PlayedClient();
  played.client.channel("c").on("any", (data) => {
    // @ts-expect-error -- unknown data has no properties
    return data.text;
  });
  played.client.channel("c").publish("any", { anything: true });
});

Deno.test("events of the client: listeners get what is theirs", () => {
  const client = new BroadcastClient({ url: "ws://fake/", autoConnect: false });
  client.on("close", ({ code, willReconnect }) => [code.toFixed(), willReconnect]);
  // @ts-expect-error -- no such event
  client.on("closed", () => {});
  // @ts-expect-error -- no such option
  const options: ConstructorParameters<typeof BroadcastClient>[0] = { uri: "ws://fake/" };
  assertEquals(Object.keys(options ?? {}), ["uri"]);
});

Deno.test("what became of a publish: a position where it was taken, else a code", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const published = played.client.channel("c").publish("n", 1);
  await settle();
  const { n } = played.sent("pub");
  played.socket.receive({
    t: "err",
    c: "c",
    n,
    r: "publish denied",
    k: "publish_denied",
    w: "never",
  });
  const result = await published;
  // @ts-expect-error -- only one that was refused has a code
  assertEquals(result.code, "publish_denied");
  if (result.ok) throw new Error("It was refused");
  // @ts-expect-error -- only one that was taken has a position
  assertEquals([result.code, result.position], ["publish_denied", undefined]);
});

Deno.test("presence: members have an id, and their other properties are unknown", () => {
  using played = new PlayedClient();
  const { presence } = played.client.channel("presence-room");
  presence.on("join", ({ id, name }) => {
    // @ts-expect-error -- unknown until it was looked at
    return [id.length, name.length];
  });
  // @ts-expect-error -- "join" or "leave"
  presence.on("left", () => {});
  assertEquals(presence.count, 0);
});
