import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import {
  BroadcastClient,
  type BroadcastClientOptions,
  type TransportName,
} from "@airwave/broadcast/client";
import { assertEquals } from "@std/assert";
import { TcpProxy } from "../servers/tcp_proxy.ts";

/** A gateway on loopback, and a way to it that can be cut. */
async function serve(options: Partial<BroadcastGatewayOptions> = {}) {
  const make = (broadcaster = new MemoryBroadcaster()) => ({
    broadcaster,
    gateway: new BroadcastGateway({ broadcaster, ...options }),
  });
  let current = make();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => current.gateway.handler(request),
  );
  const proxy = await TcpProxy.listen(server.addr.port);
  const end = async () => {
    await current.gateway.close();
    await current.broadcaster.close();
  };
  return {
    url: `ws://127.0.0.1:${proxy.port}/_broadcast`,
    get gateway() {
      return current.gateway;
    },
    cut: () => proxy.cut(),
    async publish(channel: string, ...data: unknown[]) {
      for (const each of data) {
        await current.broadcaster.publish(channel, { event: "e", data: each });
      }
    },
    /** Sends everybody away, and another gateway takes over. */
    async drain() {
      await current.gateway.drain({ deadlineMs: 5_000 });
      current = make(current.broadcaster);
    },
    /** Another process takes over that remembers nothing. */
    async restart() {
      const next = make();
      await end();
      current = next;
    },
    async [Symbol.asyncDispose]() {
      await end();
      await proxy[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}

/** A client and, in lines, everything it was told. */
class Told implements Disposable {
  readonly client: BroadcastClient;
  readonly log: string[] = [];
  #look = () => {};

  constructor(options: BroadcastClientOptions) {
    this.client = new BroadcastClient({ reconnectInitialDelayMs: 20, ...options });
    this.client.on("open", () => this.#note("open"));
    this.client.on("subscribed", ({ channel }) => this.#note(`live ${channel}`));
    this.client.on("recovered", (info) => this.#note(`recovered ${info.channel} ${info.missed}`));
    this.client.on("lost", ({ channel }) => this.#note(`lost ${channel}`));
    this.client.on(
      "error",
      ({ code, channel, reason }) => this.#note([code, channel, reason].filter(Boolean).join(" ")),
    );
  }

  hold(...names: readonly string[]): this {
    for (const name of names) {
      this.client.channel(name).on("*", (_, data) => this.#note(`${name}: ${data}`));
    }
    return this;
  }

  /** Resolves when each of these lines was noted. */
  async until(...lines: readonly string[]): Promise<void> {
    while (!lines.every((line) => this.log.includes(line))) {
      await new Promise<void>((resolve) => this.#look = resolve);
    }
  }

  /** The events of a channel, in order. */
  events(channel: string): string[] {
    return this.log.filter((line) => line.startsWith(`${channel}: `));
  }

  [Symbol.dispose](): void {
    this.client.disconnect();
  }

  #note(line: string): void {
    this.log.push(line);
    this.#look();
  }
}

/** A disconnected client's socket or stream takes a moment to be gone on the server's side. */
async function empty(gateway: BroadcastGateway): Promise<void> {
  while (gateway.clientCount > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

for (const transport of ["websocket", "sse"] as const satisfies readonly TransportName[]) {
  const transports = [transport];

  Deno.test(`over ${transport}, a cut loses nothing: what was missed comes once and in order`, async () => {
    await using site = await serve();
    using told = new Told({ url: site.url, transports }).hold("a", "b");
    await told.until("live a", "live b");
    await site.publish("a", 1);
    await told.until("a: 1");
    for (let round = 1; round <= 3; round++) {
      site.cut();
      await site.publish("a", round * 10, round * 10 + 1);
      await told.until(`a: ${round * 10 + 1}`);
    }
    // One of which nothing was ever received resumes too.
    site.cut();
    await site.publish("b", "only");
    await told.until("b: only");
    assertEquals(told.events("a"), [1, 10, 11, 20, 21, 30, 31].map((data) => `a: ${data}`));
    assertEquals(told.log.filter((line) => line.startsWith("lost")), []);
  });

  Deno.test(`over ${transport}, others: true reaches all but this connection, and leaves no hole`, async () => {
    await using site = await serve({ allowClientPublish: () => true });
    using author = new Told({ url: site.url, transports }).hold("a");
    using other = new Told({ url: site.url, transports }).hold("a");
    for (const told of [author, other]) await told.until("live a");
    const channel = author.client.channel("a");
    const { ok } = await channel.publish("e", "mine", { others: true });
    assertEquals(ok, true);
    await site.publish("a", "next");
    for (const told of [author, other]) await told.until("a: next");
    await channel.publish("e", "mine, last", { others: true });
    await other.until("a: mine, last");
    site.cut();
    await site.publish("a", "missed");
    for (const told of [author, other]) await told.until("a: missed");
    assertEquals(author.events("a"), ["a: next", "a: missed"]);
    assertEquals(other.events("a"), ["mine", "next", "mine, last", "missed"].map((d) => `a: ${d}`));
    assertEquals(author.log.filter((line) => line.startsWith("lost")), []);
  });

  Deno.test(`over ${transport}, a server that remembers nothing is told as lost, per channel`, async () => {
    await using site = await serve();
    using told = new Told({ url: site.url, transports }).hold("a", "b");
    await told.until("live a", "live b");
    await site.publish("a", 1);
    await told.until("a: 1");
    await site.restart();
    await told.until("lost a", "lost b");
    await site.publish("a", 2);
    await told.until("a: 2");
    assertEquals(told.events("a"), ["a: 1", "a: 2"]);
  });

  Deno.test(`over ${transport}, a publish that was under way when the connection broke is one event`, async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: allowed, resolve: allow } = Promise.withResolvers<boolean>();
    await using site = await serve({
      allowClientPublish: () => {
        ask();
        return allowed;
      },
    });
    using told = new Told({ url: site.url, transports }).hold("a");
    await told.until("live a");
    const published = told.client.channel("a").publish("e", "mine");
    await asked;
    site.cut();
    allow(true);
    const result = await published;
    assertEquals(result.ok, true);
    await told.until("a: mine");
    assertEquals(told.events("a"), ["a: mine"]);
  });

  Deno.test(`over ${transport}, refusals are told; a channel let go of is let go of on the server`, async () => {
    await using site = await serve();
    using told = new Told({ url: site.url, transports }).hold("private-a", "b");
    await told.until("live b", "client.subscribe_refused private-a unauthorized");
    const result = await told.client.channel("b").publish("e", 1);
    assertEquals(result.ok, false);
    const twice = told.client.channel("c");
    await told.until("live c");
    assertEquals(site.gateway.subscriberCount("c"), 1);
    twice.leave();
    told.client.channel("d");
    await told.until("live d");
    assertEquals(site.gateway.subscriberCount("c"), 0);
    told.client.disconnect();
    await empty(site.gateway);
  });

  Deno.test(`over ${transport}, who is sent away comes back when told, and misses nothing`, async () => {
    await using site = await serve();
    using told = new Told({ url: site.url, transports }).hold("a");
    await told.until("live a");
    await site.drain();
    await site.publish("a", 1);
    await told.until("a: 1", "recovered a 1");
    assertEquals(told.events("a"), ["a: 1"]);
  });
}

Deno.test("where no WebSocket can be opened the client goes on over server-sent events", async () => {
  await using site = await serve();
  let sockets = 0;
  using told = new Told({
    url: site.url,
    transports: ["websocket", "sse"],
    // As behind a proxy that knows no WebSockets.
    webSocketFactory: (url) => {
      sockets++;
      return new WebSocket(url.replace("/_broadcast", "/nowhere"));
    },
  }).hold("a");
  await told.until("live a");
  await site.publish("a", 1);
  await told.until("a: 1");
  // The way that worked is kept.
  site.cut();
  await site.publish("a", 2);
  await told.until("a: 2");
  assertEquals(told.events("a"), ["a: 1", "a: 2"]);
  assertEquals(sockets, 2);
});
