/** The client's tokens on a real gateway, over real sockets and in real time. */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient, type BroadcastClientError } from "@airwave/broadcast/client";
import { listen, type Listening } from "../gateway/listeners.ts";

interface Passing {
  readonly id: string;
  readonly expiresAt: number;
}

/** A server that asks for tokens, and one client of it. */
class Application implements AsyncDisposable {
  readonly broadcaster = new MemoryBroadcaster<Passing>();
  readonly gateway: BroadcastGateway<Passing>;
  #server: Listening | undefined;
  readonly connections: string[] = [];
  readonly refreshes: string[] = [];

  private constructor(resolveToken: (token: string) => Passing | undefined) {
    this.broadcaster.authorize("private-*", ({ subject }) => subject !== undefined);
    this.gateway = new BroadcastGateway<Passing>({
      broadcaster: this.broadcaster,
      resolveToken: (token) => {
        this.refreshes.push(token);
        return resolveToken(token);
      },
      identify: ({ id }) => id,
      onConnect: ({ id }) => this.connections.push(id),
    });
  }

  static async open(resolveToken: (token: string) => Passing | undefined): Promise<Application> {
    const app = new Application(resolveToken);
    app.#server = await listen(app.gateway);
    return app;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server?.port}/_broadcast`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.#server?.shutdown();
    await this.broadcaster.close();
  }
}

Deno.test("a token that expires every 2 s under constant events: all of them, once, on one connection", async () => {
  await using app = await Application.open((token) => ({
    id: token,
    expiresAt: Date.now() + 2_000,
  }));
  using client = new BroadcastClient({ url: app.url, getToken: () => "ada" });
  const seen: unknown[] = [];
  const channel = client.channel("private-x");
  const total = 500;
  const all = Promise.withResolvers<void>();
  channel.on("tick", (number) => {
    if (seen.push(number) === total) all.resolve();
  });
  await deadline(channel.ready, 10_000);
  const numbers = Array.from({ length: total }, (_, i) => i);
  const ticking = setInterval(() => {
    app.broadcaster.publish("private-x", { event: "tick", data: numbers.shift() });
    if (numbers.length === 0) clearInterval(ticking);
  }, 10);
  await deadline(all.promise, 60_000);
  assertEquals(seen, Array.from({ length: total }, (_, i) => i));
  assertEquals(app.connections.length, 1);
  assert(app.refreshes.length >= 4, `${app.refreshes.length} tokens`);
});

Deno.test("a refused refresh ends in one clear error, not a loop", async () => {
  let isWelcome = true;
  await using app = await Application.open((token) =>
    isWelcome ? { id: token, expiresAt: Date.now() + 500 } : undefined
  );
  using client = new BroadcastClient({ url: app.url, getToken: () => "ada" });
  const errors: BroadcastClientError[] = [];
  const over = Promise.withResolvers<void>();
  client.on("error", (error) => errors.push(error));
  client.on("close", ({ willReconnect }) => willReconnect || over.resolve());
  await deadline(client.channel("private-x").ready, 10_000);
  isWelcome = false;
  await deadline(over.promise, 30_000);
  assertEquals(client.state, "disconnected");
  assertEquals(errors.map(({ code }) => code), ["client.connection_refused"]);
  assert(app.connections.length <= 2, `${app.connections.length} connections`);
});

Deno.test("a client that slept past the expiry comes back with a fresh token, and misses nothing", async () => {
  await using app = await Application.open((token) => {
    const [id = "", until = ""] = token.split(" ");
    return { id, expiresAt: Number(until) };
  });
  let isAsleep = false;
  using client = new BroadcastClient({
    url: app.url,
    // Asleep, nothing runs: no fresh token is sent in time.
    getToken: () => isAsleep ? new Promise(() => {}) : `ada ${Date.now() + 600}`,
  });
  const channel = client.channel("private-x");
  const seen: unknown[] = [];
  const back = Promise.withResolvers<void>();
  channel.on("news", (data) => {
    seen.push(data);
    back.resolve();
  });
  channel.onLost(() => seen.push("lost"));
  await deadline(channel.ready, 10_000);
  isAsleep = true;
  const closed = Promise.withResolvers<number>();
  client.on("close", ({ code }) => closed.resolve(code));
  assertEquals(await deadline(closed.promise, 10_000), 4104);
  await app.broadcaster.publish("private-x", { event: "news", data: "missed" });
  isAsleep = false;
  await deadline(back.promise, 30_000);
  assertEquals(seen, ["missed"]);
});
