/**
 * What the types promise. Each `@ts-expect-error` pins one mistake: if the compiler no longer refuses
 * it, checking this file fails.
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  BroadcastClient,
  BroadcastClientError,
  type BroadcastClientErrorCode,
  type BroadcastClientOptions,
} from "@airwave/broadcast/client";
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

/** Compiles only while every code has its case. */
function isMine(code: BroadcastClientErrorCode): boolean {
  switch (code) {
    case "client.config":
    case "client.listener":
    case "client.token":
      return true;
    case "client.subscribe_refused":
    case "client.publish_refused":
    case "client.connection_refused":
    case "client.protocol":
      return false;
    // @ts-expect-error -- no such code
    case "client.lost":
      return false;
    default:
      return code satisfies never;
  }
}

Deno.test("errors: a switch over the codes is whole, and what is known beside one may be missing", () => {
  using played = new PlayedClient();
  played.client.on("error", ({ code, channel }) => {
    // @ts-expect-error -- not every error is about a channel
    return [isMine(code), channel.length];
  });
  const error = assertThrows(() => played.client.channel("no spaces"), BroadcastClientError);
  // @ts-expect-error -- an error is read, not written
  error.code = error.code satisfies BroadcastClientErrorCode;
  assertEquals(isMine(error.code), true);
});

Deno.test("options of the client: a misspelled one does not compile, nor a word that is none", () => {
  const mistakes: object[] = [
    // @ts-expect-error -- "websocket" or "sse"
    { transports: ["polling"] } satisfies BroadcastClientOptions,
    // @ts-expect-error -- reconnectInitialDelayMs
    { reconnectDelayMs: 10 } satisfies BroadcastClientOptions,
    // @ts-expect-error -- it says the token, it is none
    { getToken: "token" } satisfies BroadcastClientOptions,
  ];
  for (const options of mistakes) {
    const all = { url: "ws://fake/", autoConnect: false, ...options };
    assertEquals(
      assertThrows(() => new BroadcastClient(all), BroadcastClientError).code,
      "client.config",
    );
  }
});
