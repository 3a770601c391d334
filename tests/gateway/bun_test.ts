/** What only the listener on `Bun.serve` does; what it shares with the others is tested there. */
import {
  BroadcastConfigError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { serve, type ServeOptions } from "@airwave/broadcast/bun";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BunConnection } from "../../gateway/bun/connection.ts";
import { publishUntilEnded } from "./harness.ts";

const IS_BUN = "Bun" in globalThis;
/** A failure is a test that fails, not one that hangs. */
const onBun = { timeout: 20_000, ignore: !IS_BUN };
const elsewhere = { ignore: IS_BUN };

/** Longer than any test. */
const NEVER_MS = 10 * 60_000;

/** A gateway on `Bun.serve`, and the end of the last connection that it had. */
function open(options: ServeOptions = {}, gatewayOptions: Partial<BroadcastGatewayOptions> = {}) {
  const broadcaster = new MemoryBroadcaster();
  const ended = Promise.withResolvers<DisconnectionInfo>();
  const gateway = new BroadcastGateway({
    broadcaster,
    onDisconnect: ended.resolve,
    ...gatewayOptions,
  });
  const server = serve(gateway, {
    port: 0,
    hostname: "127.0.0.1",
    closeTimeoutMs: NEVER_MS,
    ...options,
  });
  return {
    broadcaster,
    gateway,
    server,
    origin: `http://127.0.0.1:${server.port}`,
    url: `ws://127.0.0.1:${server.port}/_broadcast`,
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await server.close();
      await broadcaster.close();
    },
  };
}

/** A client that was welcomed, and how its connection ends. */
async function connect(url: string) {
  const socket = new WebSocket(url);
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await new Promise((resolve) => socket.onmessage = resolve);
  return { socket, closed };
}

Deno.test("on another runtime than Bun it says what to take", elsewhere, async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  assertThrows(() => serve(gateway), TypeError, "@airwave/broadcast/node");
});

Deno.test("options are checked, on Bun and elsewhere", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  const cases = [{ port: -1 }, { hostname: "" }, { fallback: 1 }, { signal: 1 }, { wrong: 1 }];
  for (const options of cases) {
    assertThrows(() => serve(gateway, options as ServeOptions), BroadcastConfigError);
  }
});

Deno.test("what is asked of the application reaches it on Bun", onBun, async () => {
  await using app = open({ fallback: ({ url }) => new Response(`page ${new URL(url).pathname}`) });
  const get = async (path: string) => {
    const response = await fetch(`${app.origin}${path}`);
    return [response.status, await response.text()];
  };
  assertEquals(await get("/a"), [200, "page /a"]);
  assertEquals((await get("/_broadcast"))[0], 426);
  await using bare = open();
  const response = await fetch(`${bare.origin}/a`);
  assertEquals(response.status, 404);
  await response.body?.cancel();
});

Deno.test("the request is there to ask when Bun has opened the connection", onBun, async () => {
  const asked = Promise.withResolvers<Request>();
  await using app = open({}, {
    resolveSubject: async (request) => {
      await new Promise((resolve) => setTimeout(resolve));
      asked.resolve(request);
    },
  });
  const { socket } = await connect(`${app.url}?v=2`);
  const { url, headers } = await asked.promise;
  assertEquals(new URL(url).search, "?v=2");
  assertEquals(headers.get("sec-websocket-version"), "13");
  socket.close();
});

Deno.test("a message over the limit ends a connection of Bun with 1009", onBun, async () => {
  await using app = open({}, { maxFrameBytes: 1_024 });
  for (const message of ["x".repeat(1_025), "€".repeat(400), new Uint8Array(1_025)]) {
    const { socket, closed } = await connect(app.url);
    socket.send(message);
    assertEquals(await closed, 1009);
  }
  const { code, reason } = await app.ended;
  assertEquals([code, reason], [1009, "frame too large"]);
});

Deno.test("a binary message is no frame, and the connection of Bun goes on", onBun, async () => {
  await using app = open();
  const { socket } = await connect(app.url);
  const answered = new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
  socket.send(new TextEncoder().encode('{"t":"sub","c":"binary"}'));
  socket.send('{"t":"sub","c":"text"}');
  assertEquals((await answered).data, '{"t":"ok","c":"text"}');
  assertEquals(app.gateway.channelCount, 1);
  socket.close();
});

Deno.test("a signal closes the server of Bun, its sockets and streams, once", onBun, async () => {
  const controller = new AbortController();
  await using app = open({ signal: controller.signal });
  const { closed } = await connect(app.url);
  const stream = await fetch(`${app.origin}/_broadcast/sse?c=a`);
  controller.abort();
  assertEquals(await closed, 1001);
  assert((await stream.text()).startsWith("retry:"));
  assertEquals(app.server.close(), app.server.close());
  await app.server.close();
  assertEquals(app.gateway.clientCount, 0);
  assertThrows(() => serve(app.gateway, { port: 0, signal: controller.signal }));
});

Deno.test("a stream that is not read is over on Bun, though its client stays", onBun, async () => {
  await using app = open({}, { maxQueuedBytes: 1_024 });
  const deaf = await Deno.connect({ hostname: "127.0.0.1", port: app.server.port });
  await deaf.write(new TextEncoder().encode(
    `GET /_broadcast/sse?c=a HTTP/1.1\r\nHost: 127.0.0.1:${app.server.port}\r\n\r\n`,
  ));
  assertEquals(await publishUntilEnded(app, "a"), 4100);
  // It would wait for ever for an answer that nobody reads.
  await app.server.close();
  deaf.close();
});

Deno.test("a peer that stopped reading is cut off on Bun", onBun, async () => {
  await using app = open({}, { maxQueuedBytes: 1_024 });
  const deaf = await Deno.connect({ hostname: "127.0.0.1", port: app.server.port });
  await deaf.write(new TextEncoder().encode(
    `GET /_broadcast HTTP/1.1\r\nHost: 127.0.0.1:${app.server.port}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n\r\n`,
  ));
  const ask = '{"t":"sub","c":"c"}';
  // Masked with zeros, which leaves the payload as it is.
  await deaf.write(
    new Uint8Array([0x81, 0x80 | ask.length, 0, 0, 0, 0, ...new TextEncoder().encode(ask)]),
  );
  assertEquals(await publishUntilEnded(app, "c"), 4100);
  await app.server.close();
  deaf.close();
});

Deno.test("a message that Bun dropped is told, for nothing may be missing in silence", () => {
  const connection = new BunConnection(() => ({ message() {}, closed() {} }));
  let answer = 5;
  connection.opened({
    data: connection,
    getBufferedAmount: () => 0,
    send: () => answer,
    cork: (run) => run(),
    close() {},
    terminate() {},
  });
  connection.send("frame");
  answer = -1;
  connection.send("waits, and comes");
  answer = 0;
  assertThrows(() => connection.send("dropped"), Error, "the connection is over");
});

// Bun itself ends an answer after 10 seconds of silence.
const sooner = { ...onBun, timeout: 8_000 };

Deno.test("an answer that takes too long is not waited for on Bun", sooner, async () => {
  const asked = Promise.withResolvers<void>();
  const app = open({
    closeTimeoutMs: 50,
    fallback: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const answer = fetch(`${app.origin}/`).then(() => "answered", () => "failed");
  await asked.promise;
  await app[Symbol.asyncDispose]();
  assertEquals(await answer, "failed");
});

Deno.test("a port that is taken says so on Bun", onBun, async () => {
  await using app = open();
  const { port } = app.server;
  assertThrows(
    () => serve(app.gateway, { port, hostname: "127.0.0.1" }),
    BroadcastConfigError,
    `Cannot listen on 127.0.0.1:${port}: EADDRINUSE, another program has this port`,
  );
});
