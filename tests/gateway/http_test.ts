/** What a gateway answers over plain HTTP, through a server, on every listener. */
import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { type Listener, testOnEach } from "./listeners.ts";
import { SseReader, type StreamRequest } from "./sse_reader.ts";

const KEY = "k".repeat(32);

/** What does not come is a test that fails, not one that hangs. */
const timeout = 20_000;

/** A gateway on a listener, and the connection that ended last. */
async function open(listener: Listener, options: Partial<BroadcastGatewayOptions> = {}) {
  const broadcaster = new MemoryBroadcaster();
  const ended = Promise.withResolvers<DisconnectionInfo>();
  const gateway = new BroadcastGateway({
    broadcaster,
    onDisconnect: ended.resolve,
    httpPublish: { keys: [KEY] },
    ...options,
  });
  const server = await listener.listen(gateway);
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    broadcaster,
    gateway,
    server,
    origin,
    ended: ended.promise,
    stream: (request: StreamRequest = {}) =>
      SseReader.open((request) => fetch(request), { url: `${origin}/_broadcast/sse`, ...request }),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await server.shutdown();
      await broadcaster.close();
    },
  };
}

testOnEach(
  "a stream carries events as they come, and takes frames by its uplink",
  { timeout },
  async (listener) => {
    await using app = await open(listener, { allowClientPublish: () => true });
    const reader = await app.stream({ channels: ["a"] });
    assertEquals(reader.response.headers.get("content-type"), "text/event-stream");
    await reader.live("a");
    await app.broadcaster.publish("a", { event: "e", data: "ä" });
    await reader.until((reader) => reader.data("a").length === 1);
    const answer = await reader.say([
      { t: "sub", c: "b", n: 1 },
      { t: "pub", c: "a", e: "e", d: 2, n: 2, i: "mine" },
    ]);
    assertEquals(answer.ok, true);
    await answer.body?.cancel();
    await reader.live("b");
    await reader.until((reader) => reader.data("a").length === 2);
    assertEquals(reader.data("a"), ["ä", 2]);
    await reader.leave();
    await app.ended;
    assertEquals([app.gateway.clientCount, app.gateway.channelCount], [0, 0]);
  },
);

testOnEach("a stream resumes with the id that a browser sends", { timeout }, async (listener) => {
  await using app = await open(listener);
  const first = await app.stream({ channels: ["a"] });
  await first.live("a");
  await app.broadcaster.publish("a", { event: "e", data: 1 });
  await first.until((reader) => reader.data("a").length === 1);
  await first.leave();
  await app.ended;
  for (const data of [2, 3]) await app.broadcaster.publish("a", { event: "e", data });
  const second = await app.stream({ channels: ["a"], lastEventId: first.lastEventId });
  await second.until((reader) => reader.data("a").length === 2);
  assertEquals([second.recoveries, second.data("a")], [["ok"], [2, 3]]);
  await second.leave();
});

testOnEach("a gateway that closes ends its streams", { timeout }, async (listener) => {
  await using app = await open(listener);
  const reader = await app.stream({ channels: ["a"] });
  await reader.live("a");
  await app.gateway.close();
  await reader.end();
  assertEquals(app.gateway.clientCount, 0);
});

testOnEach(
  "a server publishes over HTTP, with a body, and is told",
  { timeout },
  async (listener) => {
    await using app = await open(listener);
    await using subscription = app.broadcaster.subscribe("a");
    await subscription.ready;
    const post = async (key: string) => {
      const response = await fetch(`${app.origin}/_broadcast/publish`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ channel: "a", event: "e", data: "x".repeat(200_000) }),
      });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await post(KEY), 200);
    const { value } = await subscription.next();
    assertEquals(value?.event, "e");
    assertEquals(await post("w".repeat(32)), 401);
  },
);

testOnEach(
  "a stream that is not read is cut off, as a socket is",
  { timeout },
  async (listener) => {
    await using app = await open(listener, { maxQueuedBytes: 1_024 });
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: app.server.port });
    await connection.write(new TextEncoder().encode(
      `GET /_broadcast/sse?c=a HTTP/1.1\r\nHost: 127.0.0.1:${app.server.port}\r\n\r\n`,
    ));
    let end: DisconnectionInfo | undefined;
    app.ended.then((info) => end = info);
    while (end === undefined) {
      await app.broadcaster.publish("a", { event: "e", data: "x".repeat(60_000) });
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(end.code, 4100);
    connection.close();
  },
);

testOnEach(
  "what is no request of the gateway's gets a clear answer",
  { timeout },
  async (listener) => {
    await using app = await open(listener);
    const status = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${app.origin}${path}`, init);
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await status("/other"), 404);
    assertEquals(await status("/_broadcast"), 426);
    assertEquals(await status("/_broadcast", { method: "POST", body: "x" }), 426);
    assertEquals(await status("/_broadcast/sse/unknown", { method: "POST", body: "[]" }), 403);
  },
);
