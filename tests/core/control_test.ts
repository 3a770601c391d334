import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BroadcastConfigError,
  type BroadcastError,
  BroadcastPublishError,
  type ChannelListener,
  type ChannelSink,
  type ControlOrder,
  type ControlWatch,
  type DisconnectTarget,
  DriverBroadcaster,
  type DriverHost,
  type LeaseStore,
  MemoryBackend,
  MemoryBroadcaster,
  MemoryDriver,
} from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";

/** A node over memory whose store a test takes away. */
class Node implements AsyncDisposable {
  readonly errors: BroadcastError[] = [];
  readonly orders: ControlOrder[] = [];
  readonly broadcaster: DriverBroadcaster;
  readonly watch: ControlWatch;
  isCut = false;
  /** What a question to the store waits for. */
  delay: Promise<void> | undefined;
  #host: DriverHost | undefined;
  readonly #sinks = new Map<string, ChannelSink>();
  readonly #backend: MemoryBackend;

  constructor(backend: MemoryBackend) {
    this.#backend = backend;
    const inner = new MemoryDriver(backend);
    const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
      if (this.isCut) throw new Error("The backplane is out of reach");
      return await run();
    };
    const leases: LeaseStore = {
      write: (...args) => guarded(() => inner.leases.write(...args)),
      list: async (topic) => {
        await this.delay;
        return await guarded(() => inner.leases.list(topic));
      },
      remainingMs: (owners) => guarded(() => inner.leases.remainingMs(owners)),
    };
    this.broadcaster = new DriverBroadcaster({
      abilities: inner.abilities,
      leases,
      open: (host) => {
        this.#host = host;
        host.health("up");
      },
      publish: (channel, record) => guarded(() => inner.publish(channel, record)),
      subscribe: (channel, sink) => {
        this.#sinks.set(channel, sink);
        return inner.subscribe(channel, {
          live: (top) => sink.live(top),
          event: (record, position) => this.isCut || sink.event(record, position),
        });
      },
      read: (channel, after) => guarded(() => inner.read(channel, after)),
      close: () => inner.close(),
    }, { onError: (error) => this.errors.push(error) });
    this.watch = this.broadcaster.watchControl((order) => this.orders.push(order));
  }

  say(state: "up" | "down"): void {
    this.#host?.health(state);
  }

  cut(): void {
    this.isCut = true;
    this.say("down");
  }

  /** The connection is back, and every channel is told so, the one of orders last of all. */
  async heal(): Promise<void> {
    this.isCut = false;
    for (const [channel, sink] of this.#sinks) {
      const { top } = await this.#backend.read(channel, { epoch: "", offset: 0 });
      sink.live(top);
    }
    this.say("up");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watch.close();
    await this.broadcaster.close();
  }
}

Deno.test("guarantee 7: an order reaches every node once, and is remembered as long as told", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  await time.tick(0);
  await a.broadcaster.revoke({ user: "ada", channel: "private-x" }, { rememberMs: 10_000 });
  await b.broadcaster.disconnect({ user: "bob" }, { rememberMs: 20_000 });
  await a.broadcaster.disconnect({ clientId: "1" });
  await time.tick(0);
  const orders: ControlOrder[] = [
    { type: "revoke", user: "ada", channel: "private-x" },
    { type: "disconnect", user: "bob" },
    { type: "disconnect", clientId: "1" },
  ];
  assertEquals(a.orders, orders);
  assertEquals(b.orders, orders);
  for (const { watch } of [a, b]) {
    assert(watch.isRevoked("ada", "private-x"));
    assertEquals(watch.isRevoked("ada", "private-y"), false);
    assert(watch.isRevoked("bob", "private-x") && watch.isDisconnected("bob"));
    assertEquals([watch.isDisconnected("ada"), watch.isDisconnected("1")], [false, false]);
  }
  await time.tick(9_999);
  assert(b.watch.isRevoked("ada", "private-x"));
  await time.tick(1);
  assertEquals(b.watch.isRevoked("ada", "private-x"), false);
  assert(b.watch.isDisconnected("bob"));
});

Deno.test("guarantee 7: a node that starts later knows what is in force, and for how long", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await a.broadcaster.revoke({ user: "ada" }, { rememberMs: 10_000 });
  await time.tick(6_000);
  await using b = new Node(backend);
  assertEquals(b.watch.isCurrent, false);
  await time.tick(0);
  assert(b.watch.isCurrent);
  assertEquals(b.orders, [{ type: "revoke", user: "ada" }]);
  assert(b.watch.isRevoked("ada", "private-x"));
  await time.tick(4_000);
  assertEquals(b.watch.isRevoked("ada", "private-x"), false);
});

Deno.test("guarantee 7: a node that cannot ask the store knows that it does not know", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await time.tick(0);
  await using b = new Node(backend);
  b.isCut = true;
  await time.tick(2_500);
  assertEquals([b.watch.isCurrent, b.errors.length], [false, 3]);
  await a.broadcaster.disconnect({ user: "ada" });
  b.isCut = false;
  await time.tick(1_000);
  assert(b.watch.isCurrent && b.watch.isDisconnected("ada"));
  b.say("down");
  assertEquals(b.watch.isCurrent, false);
  let waited = false;
  b.watch.whenCurrent().then(() => waited = true);
  await time.tick(0);
  assertEquals(waited, false);
  b.say("up");
  await time.tick(0);
  assert(b.watch.isCurrent && waited);
});

Deno.test("guarantee 7: after an outage orders are known before events pass, in whatever order they come", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const heard: string[] = [];
  const listener: ChannelListener = {
    live() {},
    event: ({ id }) => void heard.push(id),
    lost: () => void heard.push("lost"),
    ended() {},
  };
  const attachment = b.broadcaster.listen("private-x", listener);
  // What a gateway does when somebody is revoked.
  b.broadcaster.watchControl(() => attachment.detach());
  b.broadcaster.listen("private-y", { ...listener, event: ({ id }) => void heard.push(`y ${id}`) });
  await time.tick(0);
  await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "before" });
  b.cut();
  await a.broadcaster.revoke({ user: "ada", channel: "private-x" });
  await a.broadcaster.publish("private-x", { event: "n", data: 1, id: "missed" });
  await a.broadcaster.publish("private-y", { event: "n", data: 1, id: "missed" });
  const { promise, resolve } = Promise.withResolvers<void>();
  b.delay = promise;
  await b.heal();
  await a.broadcaster.publish("private-x", { event: "n", data: 2, id: "live" });
  await a.broadcaster.publish("private-y", { event: "n", data: 2, id: "live" });
  await time.tick(0);
  assertEquals(heard, ["before"]);
  resolve();
  await time.tick(0);
  assertEquals(heard, ["before", "y missed", "y live"]);
});

Deno.test("an order that could not be given says so", async () => {
  await using a = new Node(new MemoryBackend());
  a.isCut = true;
  const error = await assertRejects(
    () => a.broadcaster.revoke({ user: "ada" }),
    BroadcastPublishError,
    "Cannot revoke on all nodes",
  );
  assertEquals(error.status, 503);
  assertEquals(a.orders, []);
});

Deno.test("a target that is none is refused with the rule", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const targets: readonly unknown[] = [{}, { user: "" }, { user: 7 }, { clientId: "\0" }, {
    user: "a",
    clientId: "b",
  }, { user: "a", channel: "x" }];
  for (const target of targets) {
    await assertRejects(
      () => broadcaster.disconnect(target as DisconnectTarget),
      BroadcastConfigError,
      "Cannot disconnect",
    );
  }
  await assertRejects(
    () => broadcaster.revoke({ user: "" }),
    BroadcastConfigError,
    "Cannot revoke",
  );
  await assertRejects(
    () => broadcaster.revoke({ user: "a", channel: "no spaces" }),
    BroadcastConfigError,
    "Cannot revoke",
  );
  await assertRejects(
    () => broadcaster.revoke({ user: "a" }, { rememberMs: 1 }),
    BroadcastConfigError,
    "rememberMs",
  );
});

Deno.test("what strangers announce or store as an order is none", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await time.tick(0);
  const texts = [
    "7",
    "null",
    "{}",
    '{"type":"disconnect","user":7,"rememberMs":1000}',
    '{"type":"revoke","rememberMs":1000}',
    '{"type":"revoke","user":"a"}',
    '{"type":"revoke","user":"a","channel":7,"rememberMs":9}',
  ];
  for (const [i, json] of texts.entries()) {
    backend.publish("!control", { id: String(i), event: "order", json });
    await backend.leases.write(String(i), 60_000, [{ topic: "!control", key: "k", value: json }]);
  }
  await using b = new Node(backend);
  await time.tick(0);
  assertEquals([a.orders, b.orders, a.errors, b.errors], [[], [], [], []]);
  assert(b.watch.isCurrent);
});

Deno.test("sendToUser publishes on the user's own channel", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("private-~ada=20l");
  await subscription.ready;
  await broadcaster.sendToUser("ada l", { event: "n", data: 1 });
  assertEquals((await subscription.next()).value?.data, 1);
  await assertRejects(
    () => broadcaster.sendToUser("é".repeat(40), { event: "n", data: 1 }),
    BroadcastPublishError,
    "1 to 200 characters",
  );
});
