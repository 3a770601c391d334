/** Mistakes that are told where they are made: options and arguments. */
import { BroadcastConfigError, BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";
import { serve } from "@airwave/broadcast/node";
import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
import { RedisBroadcaster } from "@airwave/broadcast/redis";
import { assertFalse, assertThrows } from "@std/assert";
import { untyped } from "./beginner.ts";
import { messageOf, mistake } from "./mistake.ts";

const broadcaster = new MemoryBroadcaster();

/** What comes of making a gateway with these options. */
const gatewayWith = (options: object) => () =>
  messageOf(() => new BroadcastGateway(untyped({ broadcaster, ...options })));

/** What comes of publishing this. */
const publishing = (channel: string, event: unknown, more: object = {}) => () =>
  messageOf(() => broadcaster.publish(channel, untyped(event), more));

const circular: Record<string, unknown> = {};
circular.self = circular;

mistake("An option is misspelt", gatewayWith({ pingInterval: 3_000 }));
mistake("An option has a name that is none", gatewayWith({ cors: true }));
mistake("A number comes as text", gatewayWith({ pingIntervalMs: "30000" }));
mistake("No broadcaster", () => messageOf(() => new BroadcastGateway(untyped({}))));
mistake("The class, not an instance", gatewayWith({ broadcaster: MemoryBroadcaster }));
mistake("A path without a slash before it", gatewayWith({ path: "live" }));
mistake(
  "An origin with a slash behind it",
  gatewayWith({ allowedOrigins: ["https://a.example/"] }),
);
mistake("A function for a logger", gatewayWith({ logger: console.log }));

mistake("A channel name with a space", publishing("chat room", { event: "message", data: 1 }));
mistake("A long event name", publishing("chat", { event: "x".repeat(201), data: 1 }));
mistake("Event and data as two arguments", publishing("chat", "message", { text: "Hello" }));
mistake("An event without a name", publishing("chat", { type: "message", data: 1 }));
mistake("Data that holds itself", publishing("chat", { event: "message", data: circular }));
mistake("Data with a BigInt", publishing("chat", { event: "message", data: { id: 7n } }));
mistake("A function as data", publishing("chat", { event: "message", data: () => 1 }));
mistake(
  "Data that is too large",
  publishing("chat", { event: "message", data: "x".repeat(1024 * 1024) }),
);

mistake(
  "A pattern that could never match",
  () => messageOf(() => broadcaster.authorize("chat.*-admin", () => true)),
);
mistake("Two rules for one pattern", () =>
  messageOf(() => {
    broadcaster.authorize("private-twice", () => true);
    broadcaster.authorize("private-twice", () => true);
  }));
mistake(
  "A rule that is no function",
  () => messageOf(() => broadcaster.authorize("chat.*", untyped(true))),
);
mistake("Presence of an ordinary channel", () => messageOf(() => broadcaster.presence("chat")));
mistake("A user's id for a target", () => messageOf(() => broadcaster.revoke(untyped("ada"))));

mistake("Use after close()", async () => {
  const closed = new MemoryBroadcaster();
  await closed.close();
  await closed.close();
  return await messageOf(() => closed.publish("chat", { event: "message", data: 1 }));
});

mistake(
  "No URL where there is no page",
  () => messageOf(() => new BroadcastClient()),
);
mistake(
  "An address without a scheme",
  () => messageOf(() => new BroadcastClient({ url: "localhost:8000", autoConnect: false })),
);
mistake(
  "A misspelt option of the client",
  () =>
    messageOf(() => new BroadcastClient(untyped({ url: "ws://localhost", autoconnect: false }))),
);
mistake("A client's channel name with a space", () => {
  const client = new BroadcastClient({ url: "ws://localhost", autoConnect: false });
  return messageOf(() => client.channel("chat room"));
});
mistake("A client's data with a BigInt", () => {
  const client = new BroadcastClient({ url: "ws://localhost", autoConnect: false });
  return messageOf(() => client.channel("chat").publish("message", 7n));
});

mistake("A client's function as data", () => {
  const client = new BroadcastClient({ url: "ws://localhost", autoConnect: false });
  return messageOf(() => client.channel("chat").publish("message", () => 1));
});
mistake(
  "The address alone for the client's options",
  () => messageOf(() => new BroadcastClient(untyped("ws://localhost"))),
);

mistake("No gateway for serve()", () => messageOf(() => serve(untyped({ port: 8000 }))));
mistake("A port that is taken", async () => {
  await using gateway = new BroadcastGateway({ broadcaster });
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { hostname, port } = taken.addr;
  return await messageOf(() => serve(gateway, { hostname, port }));
});

mistake(
  "A URL of Redis with another scheme",
  () =>
    messageOf(() => new RedisBroadcaster({ url: "http://ada:secret@localhost", prefix: "shop" })),
);
Deno.test("no message shows the password of a URL, nor does what the error knows beside it", () => {
  const error = assertThrows(
    () => new RedisBroadcaster({ url: "http://ada:se/cr@et@localhost", prefix: "shop" }),
    BroadcastConfigError,
    '"http://…@localhost"',
  );
  assertFalse(/se\/cr|et@/.test(Deno.inspect(error)));
});

mistake(
  "No prefix for Redis",
  () => messageOf(() => new RedisBroadcaster(untyped({ url: "redis://localhost" }))),
);
mistake(
  "An empty prefix for Redis",
  () => messageOf(() => new RedisBroadcaster({ url: "redis://localhost", prefix: "" })),
);
mistake(
  "No URL of Redis, as of a variable that is not set",
  () => messageOf(() => new RedisBroadcaster({ url: undefined, prefix: "shop" })),
);
mistake(
  "No prefix for PostgreSQL",
  () => messageOf(() => new PostgresBroadcaster({ url: "postgres://localhost" })),
);
mistake(
  "A URL of PostgreSQL with another scheme",
  () => messageOf(() => new PostgresBroadcaster({ url: "mysql://localhost", prefix: "shop" })),
);
