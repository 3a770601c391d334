import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { assert, assertEquals } from "@std/assert";
import { openEventStream } from "../../client/sse.ts";
import type { Transport } from "../../client/transport.ts";

/** A transport and everything that it said. */
class Heard {
  readonly transport: Transport;
  readonly messages: string[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  #look = () => {};

  constructor(url: string) {
    this.transport = openEventStream(url, {
      message: (data) => {
        this.messages.push(String(data));
        this.#look();
      },
      closed: (code, reason) => {
        assertEquals(this.closed, undefined);
        this.closed = { code, reason };
        this.#look();
      },
    });
  }

  async until(done: (heard: this) => boolean): Promise<this> {
    while (!done(this)) await new Promise<void>((resolve) => this.#look = resolve);
    return this;
  }

  /** The first frame of a type, once it came. */
  // deno-lint-ignore no-explicit-any -- frames are compared as they are
  async frame(t: string): Promise<any> {
    const find = () => this.messages.map((text) => JSON.parse(text)).find((one) => one.t === t);
    await this.until(() => find() !== undefined);
    return find();
  }

  say(frame: object): boolean {
    return this.transport.send(JSON.stringify(frame));
  }
}

/** A server on loopback, and its address as clients are given it. */
function serve(handler: Deno.ServeHandler): AsyncDisposable & { readonly url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  return {
    url: `ws://127.0.0.1:${server.addr.port}/_broadcast?v=2`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function gatewayWith(options: Partial<BroadcastGatewayOptions> = {}) {
  const broadcaster = new MemoryBroadcaster();
  const requests: string[] = [];
  const gateway = new BroadcastGateway({ broadcaster, ...options });
  const server = serve((request) => {
    requests.push(request.method);
    return gateway.handler(request);
  });
  return {
    broadcaster,
    gateway,
    requests,
    url: server.url,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await broadcaster.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a stream and its uplink are one transport", async () => {
  await using site = gatewayWith({ allowClientPublish: () => true });
  const heard = new Heard(site.url);
  assertEquals(heard.say({ t: "sub", c: "a", n: 1 }), false, "nothing is sent before the welcome");
  const welcome = await heard.frame("welcome");
  assertEquals(welcome.v, 2);
  assert(heard.say({ t: "sub", c: "a", n: 1 }));
  assertEquals((await heard.frame("ok")).n, 1);
  assert(heard.say({ t: "pub", c: "a", e: "m", d: "line\n\u2028\r end", n: 2, i: "mine" }));
  assertEquals((await heard.frame("msg")).d, "line\n\u2028\r end");
  heard.transport.close(1000, "");
  assertEquals(heard.say({ t: "sub", c: "b", n: 3 }), false);
});

Deno.test("what is said keeps its order, and what waits goes together", async () => {
  await using site = gatewayWith({ allowClientPublish: () => true });
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  heard.say({ t: "sub", c: "a", n: 0 });
  for (let n = 1; n <= 100; n++) heard.say({ t: "pub", c: "a", e: "m", d: n, n, i: `${n}` });
  await heard.until(({ messages }) => messages.filter((m) => m.includes('"msg"')).length === 100);
  const data = heard.messages.map((text) => JSON.parse(text)).filter(({ t }) => t === "msg");
  assertEquals(data.map(({ d }) => d), Array.from({ length: 100 }, (_, i) => i + 1));
  assertEquals(site.requests.filter((method) => method === "POST").length, 2);
  heard.transport.close(1000, "");
});

Deno.test("no request is larger than the gateway takes", async () => {
  await using site = gatewayWith({ allowClientPublish: () => true, maxFrameBytes: 4096 });
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  heard.say({ t: "sub", c: "a", n: 0 });
  const sizes = [4000, 10, 10, 1300, 2000, 4000, 500, 500];
  for (const [n, size] of sizes.entries()) {
    heard.say({ t: "pub", c: "a", e: "m", d: "x".repeat(size), n: n + 1, i: `${n}` });
    heard.say({ t: "pub", c: "a", e: "m", d: "€".repeat(size / 4), n: n + 100, i: `e${n}` });
  }
  await heard.until(({ messages }) => messages.filter((m) => m.includes('"msg"')).length === 16);
  assertEquals(heard.closed, undefined);
  heard.transport.close(1000, "");
});

Deno.test("pings are heard, and answered without a request", async () => {
  await using site = gatewayWith({ pingIntervalMs: 20 });
  const heard = new Heard(site.url);
  await heard.until(({ messages }) => messages.includes('{"t":"ping"}'));
  assert(heard.say({ t: "pong" }));
  heard.say({ t: "sub", c: "a", n: 1 });
  await heard.frame("ok");
  assertEquals(site.requests, ["GET", "POST"]);
  heard.transport.close(1000, "");
});

Deno.test("the end of a stream carries its code; one that broke is 1006", async () => {
  await using site = gatewayWith();
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  await site.gateway.close();
  await heard.until(({ closed }) => closed !== undefined);
  assertEquals(heard.closed, { code: 1001, reason: "going away" });
  // The gateway is closed now.
  const refused = await new Heard(site.url).until(({ closed }) => closed !== undefined);
  assertEquals(refused.closed, { code: 1006, reason: "HTTP 503" });
  const nobody = await new Heard("ws://127.0.0.1:1/").until(({ closed }) => closed !== undefined);
  assertEquals(nobody.closed?.code, 1006);
  await using silent = serve(() => new Response("data: {}\n\n"));
  const ended = await new Heard(silent.url).until(({ closed }) => closed !== undefined);
  assertEquals(ended.closed, { code: 1006, reason: "The stream ended" });
});

Deno.test("an uplink that is refused ends the transport, so that its client comes back", async () => {
  let user = "ada";
  await using site = gatewayWith({ resolveSubject: () => user });
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  user = "eve";
  assert(heard.say({ t: "sub", c: "a", n: 1 }));
  await heard.until(({ closed }) => closed !== undefined);
  assertEquals(heard.closed, { code: 1006, reason: "HTTP 403" });
});

Deno.test("closing ends the stream on the server, and says nothing more", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  await using site = gatewayWith({ onDisconnect: () => resolve() });
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  heard.transport.close(4102, "server silent");
  heard.transport.close(1000, "");
  await left;
  assertEquals(site.gateway.clientCount, 0);
  assertEquals(heard.closed, undefined);
  // Also one that has not opened yet.
  new Heard(site.url).transport.close(1000, "");
});

Deno.test("what was published before leaving is published", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  await using site = gatewayWith({
    allowClientPublish: () => true,
    onDisconnect: () => resolve(),
  });
  await using news = site.broadcaster.subscribe("a");
  await news.ready;
  const heard = new Heard(site.url);
  await heard.frame("welcome");
  heard.say({ t: "pub", c: "a", e: "m", d: "last", n: 1, i: "1" });
  heard.say({ t: "pub", c: "a", e: "m", d: "words", n: 2, i: "2" });
  heard.transport.close(1000, "");
  for (const word of ["last", "words"]) {
    assertEquals((await news[Symbol.asyncIterator]().next()).value?.data, word);
  }
  await left;
});

Deno.test("a stream is read whatever its line ends are and wherever it is cut", async () => {
  const frames = [
    '{"t":"welcome","id":"1","v":2,"up":"x","max":100}',
    '{"t":"msg","c":"a","e":"é😀","d":"\u2028 :","i":"1"}',
    '{"t":"msg",\n"c":"a","e":"x","d":[\n1],"i":"2"}',
  ];
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = frames.map((frame) =>
      `: hi${end}id: 7${end}other${end}${
        frame.split("\n").map((line) => `data: ${line}${end}`).join("")
      }${end}`
    ).join("");
    // The last line of a stream that ends in CR is only known to be over when more comes.
    const bytes = new TextEncoder().encode(`retry: 1${end}${end}${text}:${end}`);
    for (const size of [1, 3, 1000]) {
      using _ = answerWith(() => new Response(ReadableStream.from(chunks(bytes, size))));
      const heard = await new Heard("ws://fake/").until(({ closed }) => closed !== undefined);
      const isPing = (text: string) => text === '{"t":"ping"}';
      assertEquals(heard.messages.filter((text) => !isPing(text)), frames);
      // Those are the comments, and nothing else that is no data.
      assertEquals(heard.messages.filter(isPing).length, end === "\r" ? 3 : 4);
    }
  }
});

Deno.test("a stream is asked for with the page's cookies and uncached; leaving calls it off", async () => {
  const asked = Promise.withResolvers<[unknown, RequestInit | undefined]>();
  using _ = answerWith((url, init) => {
    asked.resolve([url, init]);
    return new Promise((_, reject) =>
      init?.signal?.addEventListener("abort", () => reject(init?.signal?.reason))
    );
  });
  const heard = new Heard("wss://fake/live/?room=1&v=2");
  const [url, init] = await asked.promise;
  assertEquals(String(url), "https://fake/live/sse?room=1&v=2&ids=no");
  assertEquals([init?.credentials, init?.cache], ["include", "no-store"]);
  assertEquals(new Headers(init?.headers).get("accept"), "text/event-stream");
  assertEquals(init?.signal?.aborted, false);
  heard.transport.close(1000, "");
  assertEquals([init?.signal?.aborted, heard.closed], [true, undefined]);
});

// An abort alone does not always reach a stream that is being read.
Deno.test("a stream is read no more once it was left, its uplink refused, or its server silent", async () => {
  const welcome = new TextEncoder().encode('data: {"t":"welcome","up":"x","max":1}\n\n');
  for (const end of ["left", "refused", "silent"]) {
    const cancelled = Promise.withResolvers<void>();
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue(welcome),
      cancel: () => cancelled.resolve(),
    });
    const answers = { GET: new Response(stream), POST: new Response("", { status: 403 }) };
    using _ = answerWith((_, { method = "GET" } = {}) => {
      if (method === "GET") return answers.GET;
      return end === "silent" ? new Promise(() => {}) : answers.POST;
    });
    const heard = new Heard("ws://fake/");
    await heard.frame("welcome");
    if (end !== "left") heard.say({ t: "sub", c: "a", n: 1 });
    if (end !== "refused") heard.transport.close(end === "left" ? 1000 : 4102, "");
    await cancelled.promise;
    assertEquals(
      heard.closed,
      end === "refused" ? { code: 1006, reason: "HTTP 403" } : undefined,
    );
  }
});

/** Takes the place of `fetch`: a network puts chunks together as it likes. */
function answerWith(
  answer: (...request: Parameters<typeof fetch>) => Response | Promise<Response>,
): Disposable {
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => await answer(...request);
  return {
    [Symbol.dispose]: () => {
      globalThis.fetch = fetch;
    },
  };
}

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}
