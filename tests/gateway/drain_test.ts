import { assert, assertEquals, assertRejects } from "@std/assert";
import { BroadcastConfigError, type GatewaySocket } from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { type PlayedClient, PlayedGateway } from "./harness.ts";
import { testOnEach } from "./listeners.ts";

const DRAINING = { code: 4200, reason: "draining" };

function connect(played: PlayedGateway): PlayedClient {
  return played.connect(undefined, "?v=2");
}

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.finally(() => settled = true).catch(() => {});
  await settle();
  return settled;
}

Deno.test("drain tells each connection another time to come back, and closes it to that end", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const clients = Array.from({ length: 1_500 }, () => connect(played));
  const old = played.connect();
  const drained = played.gateway.drain();
  const byes = clients.map(({ socket }) => socket.frames.at(-1));
  const times = byes.map((frame) => frame?.t === "bye" && frame.r === "draining" && frame.ms);
  assertEquals(new Set(times).size, 1_500);
  assert(times.every((ms) => typeof ms === "number" && ms >= 0 && ms < 1_501));
  for (const { socket } of clients) assertEquals(socket.closed, DRAINING);
  assertEquals(old.heard, []);
  assertEquals(old.socket.closed, { code: 1001, reason: "going away" });
  for (const { events, socket } of [...clients, old]) {
    assertEquals(await isSettled(drained), false);
    events.closed(socket.closed?.code ?? 0, "");
  }
  await drained;
  assertEquals(time.pendingTimers, 0);
  assertEquals(played.gateway.clientCount, 0);
  // The broadcaster is not the gateway's.
  await played.broadcaster.publish("news", { event: "e", data: 1 });
});

Deno.test("few connections come back within a second", async () => {
  await using played = new PlayedGateway();
  const clients = [1, 2, 3, 4].map(() => connect(played));
  played.gateway.drain();
  const times = clients.map(({ socket }) => {
    const frame = socket.frames.at(-1);
    return frame?.t === "bye" && frame.ms;
  });
  assertEquals(times, [0, 250, 500, 750]);
});

Deno.test("while it drains a gateway answers 503 with Retry-After, and welcomes nobody", async () => {
  using time = new FakeTime();
  const answer = Promise.withResolvers<undefined>();
  await using played = new PlayedGateway({ resolveSubject: () => answer.promise });
  const joining = connect(played);
  const drained = played.gateway.drain({ deadlineMs: 4_500 });
  assertEquals([joining.socket.frames, joining.socket.closed], [[], DRAINING]);
  await time.tick(1_000);
  const request = new Request("http://app.example/_broadcast", {
    headers: { upgrade: "websocket", connection: "upgrade" },
  });
  const response = await played.gateway.handler(request);
  assertEquals(response.status, 503);
  assertEquals(response.headers.get("retry-after"), "4");
  // Its handshake was over before, its socket opened after.
  const late = connect(played);
  assertEquals([late.socket.frames, late.socket.closed], [[], DRAINING]);
  assertEquals(played.connect().socket.closed?.code, 1001);
  answer.resolve(undefined);
  await settle();
  assertEquals(joining.socket.frames, []);
  await time.tick(4_500);
  await drained;
  assertEquals((await played.gateway.handler(request)).headers.get("retry-after"), null);
});

Deno.test("what is on its way comes before the close: queued frames and publishes under way", async () => {
  using time = new FakeTime();
  const decision = Promise.withResolvers<boolean>();
  await using played = new PlayedGateway({ allowClientPublish: () => decision.promise });
  const [reader, author] = [connect(played), connect(played)];
  reader.send({ t: "sub", c: "chat", n: 1 });
  author.send({ t: "pub", c: "chat", e: "m", d: "Hi", n: 2, i: "mine" });
  await settle();
  reader.socket.bufferedAmount = 1_000_000;
  await played.broadcaster.publish("chat", { event: "m", data: "queued" });
  const drained = played.gateway.drain({ deadlineMs: 5_000 });
  // What it says after it was sent away is for the next connection.
  author.send({ t: "pub", c: "chat", e: "m", d: "late", n: 3 });
  await time.tick(1_000);
  assertEquals([reader.socket.closed, author.socket.closed], [undefined, undefined]);
  reader.socket.bufferedAmount = 0;
  decision.resolve(true);
  await time.tick(20);
  assertEquals(reader.socket.frames.slice(-2).map(({ t }) => t), ["msg", "bye"]);
  assertEquals(author.socket.frames.slice(1).map((frame) => frame.t === "ok" && frame.n), [
    false,
    2,
  ]);
  assertEquals([reader.socket.closed, author.socket.closed], [DRAINING, DRAINING]);
  for (const { events } of [reader, author]) events.closed(4200, "draining");
  await drained;
  assertEquals(time.pendingTimers, 0);
});

Deno.test("at the deadline what is stuck is cut off", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const [full, deaf] = [connect(played), connect(played)];
  full.socket.bufferedAmount = 1_000_000;
  const drained = played.gateway.drain({ deadlineMs: 3_000 });
  await time.tick(2_999);
  assertEquals([full.socket.closed, deaf.socket.closed], [undefined, DRAINING]);
  assertEquals([full, deaf].map(({ socket }) => socket.terminated), [false, false]);
  assertEquals(await isSettled(drained), false);
  await time.tick(1);
  await drained;
  assertEquals([full, deaf].map(({ socket }) => socket.terminated), [true, true]);
  assertEquals(full.socket.closed, DRAINING);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("a platform that cannot cut off does not hold up the end of a drain", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const socket: GatewaySocket = { bufferedAmount: 0, send() {}, close() {} };
  played.gateway.connect(socket, new Request("http://app.example/_broadcast?v=2"));
  const drained = played.gateway.drain({ deadlineMs: 3_000 });
  await time.tick(3_000);
  await drained;
});

Deno.test("a second drain waits for the first, close() ends it, and a bad deadline is refused", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  await assertRejects(() => played.gateway.drain({ deadlineMs: -1 }), BroadcastConfigError);
  const client = connect(played);
  const [first, second] = [played.gateway.drain(), played.gateway.drain({ deadlineMs: 1 })];
  await time.tick(100);
  assertEquals(client.heard.length, 1);
  assertEquals(await isSettled(second), false);
  await played.gateway.close();
  await Promise.all([first, second]);
  assertEquals(time.pendingTimers, 0);
});

testOnEach(
  "over real sockets: who answers is gone at once, who does not holds a drain up to its deadline",
  {},
  async (listener) => {
    const connected = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    await using played = new PlayedGateway({ onConnect: () => connected[count++]?.resolve() });
    const server = await listener.listen(played.gateway);
    const host = `127.0.0.1:${server.port}`;
    const deaf = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const handshake = [
      "GET /_broadcast?v=2 HTTP/1.1",
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    await deaf.write(new TextEncoder().encode(handshake.join("\r\n") + "\r\n\r\n"));
    await connected[0]?.promise;
    const heard: string[] = [];
    const polite = new WebSocket(`ws://${host}/_broadcast?v=2`);
    polite.onmessage = ({ data }) => heard.push(data);
    const closed = new Promise<number>((resolve) => polite.onclose = ({ code }) => resolve(code));
    await connected[1]?.promise;

    const startedAtMs = performance.now();
    const drained = played.gateway.drain({ deadlineMs: 300 });
    assertEquals(await closed, 4200);
    assertEquals(JSON.parse(heard.at(-1) ?? ""), { t: "bye", r: "draining", ms: 500 });
    await drained;
    // Timers may fire a little early by this clock.
    assert(performance.now() - startedAtMs >= 290, "it did not wait for the other one");
    const refused = await fetch(`http://${host}/_broadcast`);
    assertEquals([refused.status, await refused.text()], [503, "The gateway is closed\n"]);
    // Where a peer can be cut off it was, and the server has nothing left to wait for.
    if (listener.name === "node:http") await server.shutdown();
    deaf.close();
    if (listener.name !== "node:http") await server.shutdown();
  },
);

Deno.test("what a client says once it was told to go is not answered", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const client = connect(played);
  client.send({ t: "sub", c: "news", n: 1 });
  await settle();
  client.socket.bufferedAmount = 64 * 1024;
  await played.broadcaster.publish("news", { event: "n", data: 1 });
  const drained = played.gateway.drain();
  client.send({ t: "sub", c: "other", n: 2 });
  client.events.message(new ArrayBuffer(10_000_000));
  await settle();
  assertEquals(played.gateway.channelCount, 0);
  client.socket.bufferedAmount = 0;
  await time.tick(1_000);
  assertEquals(client.socket.frames.slice(2).map(({ t }) => t), ["msg", "bye"]);
  assertEquals(client.socket.closed, DRAINING);
  client.events.closed(4200, "");
  await drained;
});

Deno.test("a hook that closes the gateway while it welcomes leaves no timer, and nobody welcomed", async () => {
  using time = new FakeTime();
  const played: PlayedGateway = new PlayedGateway({ onConnect: () => void played.gateway.close() });
  const client = connect(played);
  await settle();
  assertEquals(client.heard.length, 0);
  assertEquals(client.socket.frames, []);
  client.events.closed(1001, "");
  await played[Symbol.asyncDispose]();
  assertEquals(time.pendingTimers, 0);
});
