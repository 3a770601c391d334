/** What only the listener on `node:http` does; what it shares with `Deno.serve` is tested there. */
import {
  BroadcastConfigError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { attach, serve, type ServeOptions } from "@airwave/broadcast/node";
import { FakeTime } from "@airwave/broadcast/testing";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { Connections } from "../../gateway/node/connections.ts";
import { listenOnLoopback } from "../servers/listen_on_loopback.ts";
import { publishUntilEnded } from "./harness.ts";

/** Longer than any test: a connection that only ends by force is one that was forgotten. */
const NEVER_MS = 10 * 60_000;

/** A failure is a test that fails, not one that hangs. */
const timeout = 20_000;

/** A gateway on `node:http`, and the end of the last connection that it had. */
async function open(
  options: Omit<ServeOptions, "port" | "hostname"> = {},
  gatewayOptions: Partial<BroadcastGatewayOptions> = {},
) {
  const broadcaster = new MemoryBroadcaster();
  const ended = Promise.withResolvers<DisconnectionInfo>();
  const gateway = new BroadcastGateway({
    broadcaster,
    onDisconnect: ended.resolve,
    ...gatewayOptions,
  });
  const server = await serve(gateway, { port: 0, hostname: "127.0.0.1", ...options });
  return {
    broadcaster,
    gateway,
    server,
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await server.close();
      await broadcaster.close();
    },
  };
}

/** A bare connection, for what no WebSocket client says or shows. */
class BareClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #bytes: Uint8Array = new Uint8Array();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number, headers: Record<string, string> = {}, path = "/_broadcast") {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const client = new BareClient(connection);
    const all = {
      host: `127.0.0.1:${port}`,
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    await client.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
    return client;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  /** A text, or another frame, with a mask of zeros, which leaves the payload as it is. */
  async send(text: string | Uint8Array, first = 0x81): Promise<void> {
    const payload = typeof text === "string" ? new TextEncoder().encode(text) : text;
    await this.write(new Uint8Array([first, 0x80 | payload.length, 0, 0, 0, 0, ...payload]));
  }

  /** Everything up to a text, and what of it came behind that text stays. */
  async readUntil(text: string): Promise<string> {
    const end = new TextEncoder().encode(text);
    for (;;) {
      const at = indexOf(this.#bytes, end);
      if (at >= 0) {
        const head = this.#bytes.subarray(0, at + end.length);
        this.#bytes = this.#bytes.subarray(at + end.length);
        return new TextDecoder().decode(head);
      }
      assert(await this.#more(), `closed before ${text}`);
    }
  }

  async read(length: number): Promise<Uint8Array> {
    while (this.#bytes.length < length) assert(await this.#more(), "closed too early");
    const head = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return head;
  }

  /** Ends its own half of the connection. */
  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    this.#connection.close();
  }

  /** Everything up to the end of the connection. */
  async readAll(): Promise<string> {
    while (await this.#more());
    return new TextDecoder().decode(this.#bytes);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    const length = await this.#connection.read(buffer);
    if (length === null) return false;
    this.#bytes = new Uint8Array([...this.#bytes, ...buffer.subarray(0, length)]);
    return true;
  }
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return bytes.findIndex((_, at) => part.every((byte, i) => bytes[at + i] === byte));
}

/** The next frame of a server: its first byte, and its payload as text. */
async function readFrame(client: BareClient): Promise<[first: number, text: string]> {
  const [first = 0, short = 0] = await client.read(2);
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const extended = Array.from(await client.read(lengthBytes));
  const length = lengthBytes === 0 ? short : extended.reduce((sum, byte) => sum * 256 + byte, 0);
  return [first, new TextDecoder().decode(await client.read(length))];
}

Deno.test(
  "a frame has the shortest length there is for it, and its text unmasked",
  { timeout },
  async () => {
    await using app = await open();
    using client = await BareClient.connect(app.server.port);
    await client.readUntil("\r\n\r\n");
    await readFrame(client);
    await client.send('{"t":"sub","c":"c"}');
    await readFrame(client);
    const bare = '{"t":"msg","c":"c","e":"n","d":"","i":"1"}'.length;
    for (const [id, bytes] of [bare, 125, 126, 65_535, 65_536].entries()) {
      const data = "x".repeat(bytes - bare);
      await app.broadcaster.publish("c", { event: "n", data, id: `${id}` });
      const head = await client.read(bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10);
      const view = new DataView(head.slice().buffer);
      assertEquals(view.getUint8(1), bytes < 126 ? bytes : bytes < 65_536 ? 126 : 127);
      const length = bytes < 126
        ? view.getUint8(1)
        : bytes < 65_536
        ? view.getUint16(2)
        : Number(view.getBigUint64(2));
      assertEquals([view.getUint8(0), length], [0x81, bytes]);
      assertEquals(
        new TextDecoder().decode(await client.read(bytes)),
        `{"t":"msg","c":"c","e":"n","d":"${data}","i":"${id}"}`,
      );
    }
  },
);

Deno.test(
  "events of one turn reach every client of revision 1 whole and in order",
  { timeout },
  async () => {
    await using app = await open();
    const clients = await Promise.all(
      Array.from({ length: 3 }, async (_, n) => {
        const client = await BareClient.connect(app.server.port);
        await client.readUntil("\r\n\r\n");
        await readFrame(client);
        await client.send('{"t":"sub","c":"all"}');
        await client.send(`{"t":"sub","c":"own.${n}"}`);
        await readFrame(client);
        await readFrame(client);
        return client;
      }),
    );
    for (let i = 0; i < 20; i++) {
      app.broadcaster.publish("all", { event: "ä", data: i, id: `${i}` });
      app.broadcaster.publish(`own.${i % 3}`, { event: "n", data: "€".repeat(i * 10), id: `${i}` });
    }
    for (const [n, client] of clients.entries()) {
      const numbers = Array.from({ length: 20 }, (_, i) => i);
      const all = numbers.map((i) => `{"t":"msg","c":"all","e":"ä","d":${i},"i":"${i}"}`);
      const own = numbers.filter((i) => i % 3 === n).map((i) =>
        `{"t":"msg","c":"own.${n}","e":"n","d":"${"€".repeat(i * 10)}","i":"${i}"}`
      );
      // Between two channels there is no order.
      while (all.length + own.length > 0) {
        const [head, text] = await readFrame(client);
        const expected = text === all[0] ? all.shift() : own.shift();
        assertEquals([head, text], [0x81, expected]);
      }
      client[Symbol.dispose]();
    }
  },
);

Deno.test(
  "a peer that stopped reading is cut off and its connection destroyed",
  { timeout },
  async () => {
    await using app = await open({ closeTimeoutMs: 50 }, { maxQueuedBytes: 1_024 });
    using client = await BareClient.connect(app.server.port);
    await client.readUntil("\r\n\r\n");
    await readFrame(client);
    await client.send('{"t":"sub","c":"c"}');
    await readFrame(client);
    assertEquals(await publishUntilEnded(app, "c"), 4100);
    // It would wait for ever for a peer that never answers a close frame.
    await app.server.close();
  },
);

Deno.test("a message is refused by its length alone, before it was sent", { timeout }, async () => {
  await using app = await open({}, { maxFrameBytes: 1_024 });
  using client = await BareClient.connect(app.server.port);
  await client.readUntil("\r\n\r\n");
  await readFrame(client);
  // The header of a frame of a gibibyte, and nothing of it.
  await client.write(new Uint8Array([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]));
  const { code, reason } = await app.ended;
  assertEquals([code, reason], [1009, "frame too large"]);
  assertEquals(await readFrame(client), [0x88, "\x03\ufffd"]);
});

/** A connection that was welcomed. */
async function welcomed(app: { readonly server: { readonly port: number } }) {
  const client = await BareClient.connect(app.server.port);
  await client.readUntil("\r\n\r\n");
  await readFrame(client);
  return client;
}

Deno.test("a handshake is answered as RFC 6455 has it, and what came with it is heard", {
  timeout,
}, async () => {
  await using app = await open();
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: app.server.port });
  const request = "GET /_broadcast HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n" +
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const sub = '{"t":"sub","c":"c"}';
  await connection.write(
    new Uint8Array([
      ...new TextEncoder().encode(request),
      ...[0x81, 0x80 | sub.length, 0, 0, 0, 0],
      ...new TextEncoder().encode(sub),
    ]),
  );
  let answer = "";
  const buffer = new Uint8Array(4_096);
  while (!answer.includes('"t":"ok"')) {
    answer += new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
  }
  connection.close();
  const [head] = answer.split("\r\n\r\n");
  assertEquals(head?.toLowerCase().split("\r\n"), [
    "http/1.1 101 switching protocols",
    "upgrade: websocket",
    "connection: upgrade",
    // The example of section 1.3.
    "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
  ]);
  await app.ended;
});

Deno.test("a version that is not spoken is told which one is", { timeout }, async () => {
  await using app = await open();
  using client = await BareClient.connect(app.server.port, { "sec-websocket-version": "8" });
  const [head = ""] = (await client.readAll()).split("\r\n\r\n");
  assertEquals(head.split("\r\n").includes("sec-websocket-version: 13"), true, head);
});

Deno.test("a ping is answered with what it brought, also within a message", {
  timeout,
}, async () => {
  await using app = await open();
  using client = await welcomed(app);
  await client.send('{"t":"sub",', 0x01);
  await client.send("are you there?", 0x89);
  await client.send('"c":"c"}', 0x80);
  assertEquals(await readFrame(client), [0x8a, "are you there?"]);
  assertEquals(await readFrame(client), [0x81, '{"t":"ok","c":"c"}']);
});

Deno.test("who closes hears its code back, and its connection ends", { timeout }, async () => {
  for (const code of [1000, 4321, undefined]) {
    await using app = await open({ closeTimeoutMs: NEVER_MS });
    using client = await welcomed(app);
    const said = code === undefined ? [] : [code >> 8, code & 0xff];
    await client.send(new Uint8Array([...said, ...(code ? [0x62, 0x79, 0x65] : [])]), 0x88);
    assertEquals(await client.read(2 + said.length), new Uint8Array([0x88, said.length, ...said]));
    assertEquals(await client.readAll(), "");
    const { code: heard, reason } = await app.ended;
    assertEquals([heard, reason], code === undefined ? [1005, ""] : [code, "bye"]);
  }
});

Deno.test("who leaves without a word, or only stops sending, is gone", { timeout }, async () => {
  for (const leave of ["close", "closeWrite"] as const) {
    await using app = await open({ closeTimeoutMs: NEVER_MS });
    const client = await welcomed(app);
    await client[leave]();
    assertEquals((await app.ended).code, 1006);
    if (leave === "closeWrite") client[Symbol.dispose]();
  }
});

Deno.test("who breaks the protocol is told so, and its session ends at once", {
  timeout,
}, async () => {
  const cases: [bytes: number[], code: number, reason: string][] = [
    [[0x83, 0x80, 0, 0, 0, 0], 1002, "protocol error"],
    [[0x81, 0x01, 0x78], 1002, "protocol error"],
    [[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007, "invalid UTF-8"],
  ];
  for (const [bytes, code, reason] of cases) {
    await using app = await open();
    using client = await welcomed(app);
    await client.write(new Uint8Array(bytes));
    const end = await app.ended;
    assertEquals([end.code, end.reason], [code, reason]);
    assertEquals(await client.read(4), new Uint8Array([0x88, 2, code >> 8, code & 0xff]));
  }
});

Deno.test("behind its close frame nothing is sent, and a peer that never answers is destroyed", {
  timeout,
}, async () => {
  await using app = await open({ closeTimeoutMs: 50 });
  using client = await welcomed(app);
  await client.send('{"t":"sub","c":"c"}');
  await readFrame(client);
  await app.gateway.close();
  await client.send("?", 0x89);
  await app.broadcaster.publish("c", { event: "n", data: 1 });
  assertEquals(await readFrame(client), [0x88, "\x03\ufffdgoing away"]);
  assertEquals(await client.readAll(), "");
});

/** A connection over a stream that keeps what is written, or takes nothing. */
function connected({ takes }: { readonly takes: boolean }) {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read() {},
    write(bytes, _, done) {
      if (!takes) return;
      written.push(bytes);
      done();
    },
  });
  let emptied = 0;
  const connections = new Connections(1_024, NEVER_MS, () => emptied++);
  const socket = connections.add(stream, Buffer.from("HTTP"));
  return {
    stream,
    socket,
    get text() {
      return Buffer.concat(written).toString("latin1");
    },
    /** Ends it, after which nothing of it is left. */
    async end() {
      const gone = new Promise((resolve) => stream.once("close", resolve));
      socket.terminate();
      await gone;
      assertEquals([connections.size, emptied], [0, 1]);
    },
  };
}

Deno.test("a peer that pings and never reads does not fill the server with answers", {
  timeout,
}, async () => {
  const { stream, socket, end } = connected({ takes: false });
  socket.open({ message() {}, closed() {} });
  for (let i = 0; i < 20_000; i++) {
    stream.push(new Uint8Array([0x89, 0x84, 0, 0, 0, 0, 1, 2, 3, 4]));
  }
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(socket.bufferedAmount > 65_000 && socket.bufferedAmount < 66_000, true);
  await end();
});

Deno.test("a stream that fails ends its connection, and nobody else hears of it", {
  timeout,
}, async () => {
  const { stream, socket } = connected({ takes: true });
  const closed = new Promise((resolve) => {
    socket.open({ message() {}, closed: (...why) => resolve(why) });
  });
  stream.destroy(new Error("ECONNRESET"));
  assertEquals(await closed, [1006, ""]);
});

Deno.test("a peer that stops sending, and does not take the end of it, is destroyed in time", async () => {
  using time = new FakeTime();
  let emptied = 0;
  const connections = new Connections(1_024, 5_000, () => emptied++);
  const [silent, other] = [1, 2].map(() => {
    const stream = new Duplex({ read() {}, write() {} });
    const socket = connections.add(stream, Buffer.from("HTTP"));
    socket.open({ message() {}, closed() {} });
    return { stream, gone: new Promise((resolve) => stream.once("close", resolve)) };
  });
  const ended = new Promise((resolve) => silent?.stream.once("end", resolve));
  silent?.stream.push(null);
  await ended;
  await time.tick(5_000);
  await silent?.gone;
  assertEquals([connections.size, emptied, other?.stream.destroyed], [1, 0, false]);
  other?.stream.destroy();
  await other?.gone;
  assertEquals([connections.size, emptied, time.pendingTimers], [0, 1, 0]);
});

Deno.test(
  "the handshake is answered before there is a welcome, or with it; nothing follows a close",
  {
    timeout,
  },
  async () => {
    const late = connected({ takes: true });
    late.socket.open({ message() {}, closed() {} });
    assertEquals(late.text, "HTTP");
    await late.end();
    const atOnce = connected({ takes: true });
    atOnce.socket.send("a");
    atOnce.socket.open({ message() {}, closed() {} });
    atOnce.socket.close(1001, "");
    atOnce.socket.close(1000, "twice");
    atOnce.socket.send("b");
    assertEquals(atOnce.text, "HTTP\x81\x01a\x88\x02\x03\xe9");
    await atOnce.end();
  },
);

Deno.test("no compression and no subprotocol are agreed on", { timeout }, async () => {
  await using app = await open();
  using client = await BareClient.connect(app.server.port, {
    "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
    "sec-websocket-protocol": "chat, superchat",
  });
  const head = (await client.readUntil("\r\n\r\n")).toLowerCase();
  assert(head.startsWith("http/1.1 101 "));
  assertEquals(head.match(/sec-websocket-(?:extensions|protocol)/), null);
});

Deno.test(
  "an upgrade that is refused gets an HTTP answer, and its connection ends",
  { timeout },
  async () => {
    await using app = await open();
    const cases: [headers: Record<string, string>, path: string, status: number][] = [
      [{ origin: "http://evil.example" }, "/_broadcast", 403],
      [{}, "/other", 404],
      [{ upgrade: "h2c" }, "/_broadcast", 426],
      [{ host: "a b" }, "/_broadcast", 400],
      [{ "sec-websocket-key": "short" }, "/_broadcast", 400],
      [{ "sec-websocket-version": "7" }, "/_broadcast", 400],
    ];
    for (const [headers, path, status] of cases) {
      using client = await BareClient.connect(app.server.port, headers, path);
      const answer = await client.readAll();
      assertEquals(answer.split("\r\n")[0]?.split(" ")[1], `${status}`, answer);
    }
    assertEquals(app.gateway.clientCount, 0);
    await app.gateway.close();
    using late = await BareClient.connect(app.server.port);
    assertEquals((await late.readAll()).startsWith("HTTP/1.1 503 "), true);
  },
);

Deno.test("what is asked of the application reaches it; the gateway's path stays the gateway's", {
  timeout,
}, async () => {
  await using app = await open({
    fallback: (request, response) => response.end(`page ${request.url}`),
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${app.server.port}${path}`);
    return [response.status, await response.text()];
  };
  assertEquals(await get("/a?b"), [200, "page /a?b"]);
  assertEquals(await get("/_broadcast"), [
    426,
    "Connect with a WebSocket: no Upgrade header came, and a proxy has to pass it on\n",
  ]);
  await using bare = await open();
  const response = await fetch(`http://127.0.0.1:${bare.server.port}/a`);
  assertEquals([response.status, await response.text()], [
    404,
    "Not found: this gateway is at /_broadcast\n",
  ]);
});

Deno.test("attached to a server, it leaves other paths to the others, and the server as it was", {
  timeout,
}, async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  const server = createServer((request, response) => {
    if (request.url === "/_broadcast/sse") attachment.handler(request, response);
    else response.end("page");
  });
  const attachment = attach(gateway, server);
  server.on("upgrade", (request, socket) => {
    if (request.url !== "/other") return;
    // Not at once: what answers for it would be first.
    setTimeout(() => socket.end("HTTP/1.1 418 I am another\r\n\r\n", () => socket.destroy()));
  });
  const port = await listenOnLoopback(server);
  using other = await BareClient.connect(port, {}, "/other");
  assertEquals((await other.readAll()).startsWith("HTTP/1.1 418 "), true);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/_broadcast`);
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await new Promise((resolve) => socket.onmessage = resolve);
  const stream = await fetch(`http://127.0.0.1:${port}/_broadcast/sse`);
  assertEquals(gateway.clientCount, 2);
  await Promise.all([attachment.close(), attachment.close()]);
  await stream.text();
  assertEquals([await closed, gateway.clientCount], [1001, 0]);
  assertEquals(server.listenerCount("upgrade"), 1);
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "page");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("gateways on one server need paths of their own, and give them back", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const server = createServer();
  const attached = (path: string) => attach(new BroadcastGateway({ broadcaster, path }), server);
  const [chat] = [attached("/chat"), attached("/chatter")];
  for (const path of ["/chat", "/chat/rooms", "/"]) {
    assertThrows(() => attached(path), BroadcastConfigError, "give one another path");
  }
  await chat?.[Symbol.asyncDispose]();
  await attached("/chat/rooms").close();
  attached("/chat");
  assertEquals(server.listenerCount("upgrade"), 2);
  const none: unknown = {};
  assertThrows(
    () => attach(none as BroadcastGateway, server),
    BroadcastConfigError,
    "must be a BroadcastGateway",
  );
});

Deno.test("what was asked before the server closed is answered whole", {
  timeout,
}, async () => {
  const asked = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  await using app = await open({
    closeTimeoutMs: NEVER_MS,
    fallback: (_, response) => {
      asked.resolve();
      finish.promise.then(() => response.end("whole"));
    },
  });
  const answer = fetch(`http://127.0.0.1:${app.server.port}/`);
  await asked.promise;
  const closed = app.server.close();
  finish.resolve();
  assertEquals(await (await answer).text(), "whole");
  await closed;
});

Deno.test("a page of the server's own origin may connect, without TLS", { timeout }, async () => {
  await using app = await open();
  const { port } = app.server;
  using client = await BareClient.connect(port, { origin: `http://127.0.0.1:${port}` });
  await client.readUntil('"welcome"');
});

Deno.test("who else listens to a connection still hears of its end", { timeout }, async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  const heard = Promise.withResolvers<void>();
  const server = createServer().on("connection", (stream) => stream.on("end", heard.resolve));
  await using _ = attach(gateway, server);
  const port = await listenOnLoopback(server);
  using client = await BareClient.connect(port);
  await client.readUntil('"welcome"');
  await client.closeWrite();
  await heard.promise;
  await client.readAll();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("a signal closes the server, once, and close() is idempotent", { timeout }, async () => {
  const controller = new AbortController();
  await using app = await open({ signal: controller.signal });
  const socket = new WebSocket(`ws://127.0.0.1:${app.server.port}/_broadcast`);
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await new Promise((resolve) => socket.onmessage = resolve);
  controller.abort();
  assertEquals(await closed, 1001);
  assertEquals(app.server.close(), app.server.close());
  await app.server.close();
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port: app.server.port }));
  await assertRejects(() => serve(app.gateway, { port: 0, signal: controller.signal }));
});

Deno.test("a request that takes too long is not waited for", { timeout }, async () => {
  const asked = Promise.withResolvers<void>();
  const app = await open({ closeTimeoutMs: 50, fallback: () => asked.resolve() });
  const answer = fetch(`http://127.0.0.1:${app.server.port}/`);
  await asked.promise;
  const failed = assertRejects(() => answer);
  await app[Symbol.asyncDispose]();
  await failed;
});

Deno.test(
  "a port that is taken is an error of its own, and options are checked",
  { timeout },
  async () => {
    await using app = await open();
    const port = app.server.port;
    await assertRejects(
      () => serve(app.gateway, { port, hostname: "127.0.0.1" }),
      Error,
      "EADDRINUSE",
    );
    const cases = [{ port: -1 }, { hostname: "" }, { fallback: 1 }, { signal: 1 }, { wrong: 1 }];
    for (const options of cases) {
      await assertRejects(() => serve(app.gateway, options as ServeOptions), BroadcastConfigError);
    }
  },
);
