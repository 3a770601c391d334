/** What only the listener on `node:http` does; what it shares with `Deno.serve` is tested there. */
import {
  BroadcastConfigError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { attach, serve, type ServeOptions } from "@airwave/broadcast/node";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createServer } from "node:http";

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

  /** A frame with a mask of zeros, which leaves the payload as it is. */
  async send(text: string): Promise<void> {
    const payload = new TextEncoder().encode(text);
    await this.write(new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]));
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
    let code: number | undefined;
    app.ended.then((end) => code = end.code);
    // As much as its socket takes, however much that is.
    while (code === undefined) {
      await app.broadcaster.publish("c", { event: "n", data: "x".repeat(60_000) });
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(code, 4100);
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
  const server = createServer((_, response) => response.end("page"));
  server.on("upgrade", (request, socket) => {
    if (request.url !== "/other") return;
    socket.end("HTTP/1.1 418 I am another\r\n\r\n", () => socket.destroy());
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  const attachment = attach(gateway, server);
  using other = await BareClient.connect(port, {}, "/other");
  assertEquals((await other.readAll()).startsWith("HTTP/1.1 418 "), true);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/_broadcast`);
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await new Promise((resolve) => socket.onmessage = resolve);
  assertEquals(gateway.clientCount, 1);
  await attachment.close();
  assertEquals([await closed, gateway.clientCount], [1001, 0]);
  assertEquals(server.listenerCount("upgrade"), 1);
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "page");
  server.closeAllConnections();
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
