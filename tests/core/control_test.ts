import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BroadcastConfigError,
  type BroadcastError,
  BroadcastPublishError,
  BroadcastSubscribeError,
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
  type Position,
  type RevokeTarget,
} from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";
import { Control, CONTROL_TOPIC } from "../../core/control.ts";
import { ErrorReporter } from "../../core/hooks.ts";
import { encodeOrder } from "../../core/orders.ts";
import { ScriptedDriver } from "./scripted_driver.ts";

const OUT_OF_REACH = new Error("The backplane is out of reach");

const CANNOT_LOAD = "Cannot load who is disconnected or revoked";

/** A node over memory whose store a test takes away. */
class Node implements AsyncDisposable {
  readonly errors: BroadcastError[] = [];
  readonly orders: ControlOrder[] = [];
  readonly broadcaster: DriverBroadcaster;
  readonly watch: ControlWatch;
  isCut = false;
  /** What a question to the store waits for. */
  delay: Promise<void> | undefined;
  /** What its answer waits for. */
  answerDelay: Promise<void> | undefined;
  /** What the history waits for once it was read. */
  readDelay: Promise<void> | undefined;
  #host: DriverHost | undefined;
  readonly #sinks = new Map<string, ChannelSink>();
  readonly #backend: MemoryBackend;

  constructor(backend: MemoryBackend) {
    this.#backend = backend;
    const inner = new MemoryDriver(backend);
    const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
      if (this.isCut) throw OUT_OF_REACH;
      return await run();
    };
    const leases: LeaseStore = {
      write: (...args) => guarded(() => inner.leases.write(...args)),
      list: async (topic) => {
        await this.delay;
        const entries = await guarded(() => inner.leases.list(topic));
        await this.answerDelay;
        return entries;
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
      read: async (channel, after) => {
        const read = await guarded(() => inner.read(channel, after));
        await this.readDelay;
        return read;
      },
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
  await a.broadcaster.disconnect({ user: "bob" }, { rememberMs: 20_000 });
  await time.tick(6_000);
  await using b = new Node(backend);
  assertEquals(b.watch.isCurrent, false);
  await time.tick(0);
  assert(b.watch.isCurrent);
  assertEquals(b.orders, [{ type: "revoke", user: "ada" }, { type: "disconnect", user: "bob" }]);
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
  const [error] = b.errors;
  assertEquals([error?.code, error?.status], ["broadcast.subscribe", 503]);
  assertEquals(error?.message, `${CANNOT_LOAD}: ${OUT_OF_REACH.message}`);
  assertEquals(error?.cause, OUT_OF_REACH);
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

Deno.test("guarantee 7: while orders are not known no live event passes, and no missed one", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const heard: string[] = [];
  const listener: ChannelListener = {
    live: ({ recovery, missed }) => void heard.push(`${recovery} ${missed}`),
    event: ({ id }) => void heard.push(id),
    lost: () => void heard.push("lost"),
    ended() {},
  };
  b.broadcaster.listen("private-x", listener);
  await time.tick(0);
  const { position } = await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "1" });
  await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "2" });
  assertEquals(heard.splice(0), ["none 0", "1", "2"]);
  // Its connection is in doubt, and yet what is published arrives.
  b.say("down");
  await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "3" });
  const back = b.broadcaster.listen("private-x", listener, { after: position });
  await time.tick(1_000);
  assertEquals(heard, []);
  // What a gateway does when it hears of the order.
  back.detach();
  b.say("up");
  await time.tick(0);
  assertEquals(heard, ["3"]);
});

Deno.test("guarantee 7: while orders are not known nothing missed is passed on, remembered or read", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  const publish = async (id: string) =>
    (await a.broadcaster.publish("private-x", { event: "n", data: 0, id })).position;
  const first = await publish("1");
  const second = await publish("2");
  await using b = new Node(backend);
  const resume = (after?: Position) => {
    const heard: string[] = [];
    const attachment = b.broadcaster.listen("private-x", {
      live: ({ recovery, missed }) => void heard.push(`${recovery} ${missed}`),
      event: ({ id }) => void heard.push(id),
      lost: () => void heard.push("lost"),
      ended() {},
    }, { after });
    return { heard, attachment };
  };
  resume();
  await time.tick(0);
  await publish("3");
  b.say("down");
  const [remembered, read] = [resume(second), resume(first)];
  const [revoked, alsoRevoked] = [resume(second), resume(first)];
  await time.tick(1_000);
  for (const { heard } of [remembered, read]) assertEquals(heard, []);
  // What a gateway does when it hears of the order.
  for (const { attachment } of [revoked, alsoRevoked]) attachment.detach();
  b.say("up");
  await time.tick(0);
  assertEquals(remembered.heard, ["ok 1", "3"]);
  assertEquals(read.heard, ["ok 2", "2", "3"]);
  assertEquals([revoked.heard, alsoRevoked.heard], [[], []]);
});

Deno.test("guarantee 7: a resume whose history is being read ends with an order that comes meanwhile", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const { position } = await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "1" });
  await a.broadcaster.publish("private-x", { event: "n", data: 0, id: "2" });
  const heard: string[] = [];
  const back = b.broadcaster.listen("private-x", {
    live: () => void heard.push("live"),
    event: ({ id }) => void heard.push(id),
    lost: () => void heard.push("lost"),
    ended: () => void heard.push("ended"),
  }, { after: position });
  b.broadcaster.watchControl(() => back.detach());
  const read = Promise.withResolvers<void>();
  b.readDelay = read.promise;
  await time.tick(0);
  await a.broadcaster.revoke({ user: "ada" });
  read.resolve();
  await time.tick(1_000);
  assertEquals(heard, []);
});

/** Orders over a store that the test writes to, and a channel whose words it says. */
function controlAlone(driver = new MemoryDriver()) {
  const errors: BroadcastError[] = [];
  const heard: ControlOrder[] = [];
  const openings: ChannelListener[] = [];
  const detached: ChannelListener[] = [];
  const control = new Control(
    driver,
    new ErrorReporter((error) => errors.push(error)),
    (listener) => {
      openings.push(listener);
      return { detach: () => void detached.push(listener) };
    },
    "up",
  );
  const watch = control.watch((order) => heard.push(order));
  const value = encodeOrder({ type: "disconnect", user: "ada" }, 10_000);
  const store = () =>
    driver.leases.write("!order:1", 10_000, [{ topic: CONTROL_TOPIC, key: "1", value }]);
  return { control, watch, errors, heard, openings, detached, store };
}

Deno.test("guarantee 7: an order whose announcement was lost is found in the store", async () => {
  using time = new FakeTime();
  const { control, watch, heard, store } = controlAlone();
  control.live();
  await time.tick(0);
  assert(watch.isCurrent);
  await store();
  control.lost();
  assertEquals(watch.isCurrent, false);
  await time.tick(0);
  assert(watch.isCurrent && watch.isDisconnected("ada"));
  assertEquals(heard.length, 1);
  control.close();
});

Deno.test("who waits for the orders of a gateway that came after another one waits until they are there", async () => {
  using time = new FakeTime();
  const { control, watch } = controlAlone();
  control.live();
  await time.tick(0);
  watch.close();
  const next = control.watch(() => {});
  let looks = 0;
  Object.defineProperty(control, "isCurrent", {
    get() {
      // Without an end nothing else would have its turn, nor would the answer of the store.
      if (++looks > 3) throw new Error("It does not wait, but looks again and again");
      return Reflect.get(Control.prototype, "isCurrent", control);
    },
  });
  await Promise.all([next.whenCurrent(), time.tick(0).then(() => control.live())]);
  assert(next.isCurrent);
  control.close();
});

Deno.test("who calls off the wait for the orders is not kept until they are known", async () => {
  const { control, watch } = controlAlone();
  const stop = new AbortController();
  const wait = watch.whenCurrent(stop.signal);
  stop.abort();
  await wait;
  await watch.whenCurrent(stop.signal);
  assertEquals(watch.isCurrent, false);
  control.close();
});

Deno.test("orders are listened to again after their channel has failed", async () => {
  using time = new FakeTime();
  const { control, watch, errors, openings, store } = controlAlone();
  control.live();
  await time.tick(0);
  control.ended(new BroadcastSubscribeError("The driver failed"));
  assertEquals([watch.isCurrent, errors.length], [false, 1]);
  await time.tick(1_000);
  assertEquals(openings.length, 2);
  await store();
  control.live();
  await time.tick(0);
  assert(watch.isCurrent && watch.isDisconnected("ada"));
  control.close();
  control.ended(new BroadcastSubscribeError("Late"));
  await time.tick(10_000);
  assertEquals([openings.length, time.pendingTimers], [2, 0]);
});

Deno.test("orders are listened to once for all gateways, until the last of them has closed", async () => {
  using time = new FakeTime();
  const { control, watch, heard, openings, detached, store } = controlAlone();
  const second = control.watch(() => {});
  control.live();
  await store();
  control.lost();
  await time.tick(0);
  watch.close();
  watch.close();
  assertEquals([openings.length, detached.length, heard.length], [1, 0, 1]);
  assert(second.isDisconnected("ada"));
  second.close();
  assertEquals([openings.length, detached.length], [1, 1]);
  assertEquals(second.isDisconnected("ada"), false);
  const third = control.watch((order) => heard.push(order));
  assertEquals([openings.length, third.isCurrent], [2, false]);
  control.live();
  await time.tick(0);
  assert(third.isCurrent && third.isDisconnected("ada"));
  assertEquals(heard.length, 2);
  control.close();
});

Deno.test("where no gateway is left nobody waits for the orders, and nothing asks for them", async () => {
  using time = new FakeTime();
  const { control, watch, errors } = controlAlone();
  control.live();
  await time.tick(0);
  control.ended(new BroadcastSubscribeError("The driver failed"));
  let isOver = false;
  watch.whenCurrent().then(() => isOver = true);
  await time.tick(0);
  assertEquals([isOver, errors.length, time.pendingTimers], [false, 1, 1]);
  control.close();
  await time.tick(0);
  assertEquals([isOver, watch.isCurrent, time.pendingTimers], [true, true, 0]);
});

Deno.test("an answer of the store that comes after the last gateway has closed says nothing to the next", async () => {
  using time = new FakeTime();
  await using node = new Node(new MemoryBackend());
  const { promise, resolve } = Promise.withResolvers<void>();
  node.answerDelay = promise;
  await time.tick(0);
  node.watch.close();
  resolve();
  await time.tick(0);
  await node.broadcaster.disconnect({ user: "ada" });
  const second = node.broadcaster.watchControl(() => {});
  assertEquals(second.isCurrent, false);
  await time.tick(0);
  assert(second.isCurrent && second.isDisconnected("ada"));
});

Deno.test("who gives an order carries it out at once, and once, for as long as told", async () => {
  using time = new FakeTime();
  const { control, watch, heard } = controlAlone();
  const order = { type: "disconnect", user: "eve" } as const;
  await control.give(order, { rememberMs: 10_000 });
  assertEquals(heard, [order]);
  control.live();
  await time.tick(9_999);
  assertEquals([watch.isDisconnected("eve"), heard.length], [true, 1]);
  await time.tick(1);
  assertEquals(watch.isDisconnected("eve"), false);
  await control.give({ type: "disconnect", user: "bob" }, {});
  await time.tick(5 * 60_000 - 1);
  assert(watch.isDisconnected("bob"));
  await time.tick(1);
  assertEquals(watch.isDisconnected("bob"), false);
  await control.give(order, { rememberMs: 1_000 });
  assert(watch.isDisconnected("eve"));
  control.close();
});

Deno.test("guarantee 6: where no gateway listens no order is kept", async () => {
  using _time = new FakeTime();
  const { control, watch } = controlAlone();
  watch.close();
  await control.give({ type: "disconnect", user: "eve" }, {});
  assertEquals(watch.isDisconnected("eve"), false);
});

Deno.test("a gateway that throws at an order is told of, and keeps no other from hearing it", async () => {
  using _time = new FakeTime();
  const { control, errors, heard, watch } = controlAlone();
  watch.close();
  const cause = new Error("Not today");
  control.watch(() => {
    throw cause;
  });
  control.watch((order) => heard.push(order));
  await control.give({ type: "disconnect", user: "eve" }, {});
  assertEquals(heard.length, 1);
  assertEquals(errors.map(({ code, cause }) => [code, cause]), [["broadcast.hook", cause]]);
  control.close();
});

Deno.test("a driver that keeps no leases takes no order, and lets events pass all the same", async () => {
  using time = new FakeTime();
  const driver = new ScriptedDriver();
  const errors: BroadcastError[] = [];
  await using broadcaster = new DriverBroadcaster(driver, { onError: (e) => errors.push(e) });
  const watch = broadcaster.watchControl(() => {});
  await time.tick(0);
  assertEquals([watch.isCurrent, driver.openings.length, errors], [true, 0, []]);
  for (const give of ["disconnect", "revoke"] as const) {
    const error = await assertRejects(
      () => broadcaster[give]({ user: "ada" }),
      BroadcastConfigError,
      "keeps no leases",
    );
    assertEquals(error.code, "broadcast.config");
  }
});

Deno.test("an outage is told of by who cannot load, not by orders that nobody asks for", async () => {
  using time = new FakeTime();
  await using node = new Node(new MemoryBackend());
  await time.tick(0);
  node.cut();
  await time.tick(5_000);
  assertEquals(node.errors, []);
});

Deno.test("an order that runs out while it is loaded is carried out no more", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await a.broadcaster.disconnect({ user: "ada" }, { rememberMs: 10_000 });
  await using b = new Node(backend);
  b.answerDelay = new Promise((resolve) => setTimeout(resolve, 10_000));
  await time.tick(10_000);
  assert(b.watch.isCurrent);
  assertEquals(b.orders, []);
});

Deno.test("guarantee 7: orders that were loaded while the backplane was away are loaded again", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using b = new Node(backend);
  b.say("down");
  await time.tick(0);
  assertEquals(b.watch.isCurrent, false);
  b.say("up");
  await time.tick(0);
  assert(b.watch.isCurrent);
});

Deno.test("guarantee 7: a backplane that says again and again that it is up keeps no event waiting", async () => {
  using time = new FakeTime();
  await using node = new Node(new MemoryBackend());
  await time.tick(0);
  assert(node.watch.isCurrent);
  node.delay = new Promise(() => {});
  node.say("up");
  assert(node.watch.isCurrent);
});

Deno.test("an order that could not be given, or only be stored, says so", async () => {
  await using a = new Node(new MemoryBackend());
  const order = { type: "revoke", user: "ada" } as const;
  const refused = async (run: () => Promise<void>) => {
    const error = await assertRejects(
      run,
      BroadcastPublishError,
      `Cannot revoke on all nodes: ${OUT_OF_REACH.message}`,
    );
    assertEquals([error.status, error.context, error.cause], [503, { order }, OUT_OF_REACH]);
  };
  a.isCut = true;
  await refused(() => a.broadcaster.revoke({ user: "ada" }));
  assertEquals(a.orders, []);
  const driver = new MemoryDriver();
  driver.publish = () => Promise.reject(OUT_OF_REACH);
  const { control } = controlAlone(driver);
  await refused(() => control.give(order, {}));
  control.close();
});

Deno.test("a target that is none is refused with the rule", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const targets: readonly unknown[] = [null, undefined, 7, "ada", {}, { user: "" }, { user: 7 }, {
    clientId: "\0",
  }, {
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
  const revocations: readonly unknown[] = [null, undefined, 7, "ada", { user: "" }, {
    user: "ada",
    chanel: "private-x",
  }];
  for (const target of revocations) {
    await assertRejects(
      () => broadcaster.revoke(target as RevokeTarget),
      BroadcastConfigError,
      "Cannot revoke",
    );
  }
  await assertRejects(
    () => broadcaster.revoke({ user: "a", channel: "no spaces" }),
    BroadcastConfigError,
    "Cannot revoke",
  );
  await assertRejects(
    () => broadcaster.revoke({ user: "a" }, { rememberMs: 999 }),
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
    "{",
    "7",
    "null",
    "{}",
    '{"type":"disconnect","user":7,"rememberMs":1000}',
    '{"type":"revoke","rememberMs":1000}',
    '{"type":"revoke","user":"a"}',
    '{"type":"disconnect","user":"a","rememberMs":"1000"}',
    '{"type":"other","user":"a","rememberMs":1000}',
    '{"type":"other","clientId":"1","rememberMs":1000}',
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
  await assertRejects(
    () => broadcaster.sendToUser("ada", { event: "n", data: 1 }, { except: "" }),
    BroadcastPublishError,
    'option "except"',
  );
  for (const user of ["", "\0", "\ud800", "x".repeat(201)]) {
    await assertRejects(
      () => broadcaster.sendToUser(user, { event: "n", data: 1 }),
      BroadcastPublishError,
      "a user id is",
    );
  }
});
