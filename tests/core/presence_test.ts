import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BroadcastConfigError,
  type BroadcastDriver,
  type BroadcasterOptions,
  type BroadcastError,
  BroadcastSubscribeError,
  type ChannelSink,
  DriverBroadcaster,
  type LeaseStore,
  MemoryBackend,
  MemoryDriver,
  type PresenceInfo,
} from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";

const OUT_OF_REACH = new Error("The backplane is out of reach");

/** A memory node that a test freezes, thaws and ends without a word. */
class Node implements AsyncDisposable {
  readonly errors: BroadcastError[] = [];
  readonly broadcaster: DriverBroadcaster;
  /** What the store's next writes wait for. */
  writeDelay: Promise<void> | undefined;
  /** Whether the store says who is there. */
  canList = true;
  /** How many subscriptions to the backplane are open. */
  subscriptions = 0;
  #state: "alive" | "cut" = "alive";
  readonly #sinks: ChannelSink[] = [];

  constructor(backend: MemoryBackend, options: BroadcasterOptions = {}) {
    const inner = new MemoryDriver(backend);
    const alive = async <T>(run: () => Promise<T>): Promise<T> => {
      if (this.#state === "cut") throw OUT_OF_REACH;
      return await run();
    };
    const leases: LeaseStore = {
      write: async (...args) => {
        await this.writeDelay;
        return await alive(() => inner.leases.write(...args));
      },
      list: (topic) => this.canList ? inner.leases.list(topic) : Promise.reject(OUT_OF_REACH),
      remainingMs: (owners) => alive(() => inner.leases.remainingMs(owners)),
    };
    const driver: BroadcastDriver = {
      abilities: inner.abilities,
      leases,
      publish: (channel, record) => alive(() => inner.publish(channel, record)),
      subscribe: async (channel, sink) => {
        this.#sinks.push(sink);
        const { close } = await inner.subscribe(channel, sink);
        this.subscriptions++;
        return {
          close: () => {
            this.subscriptions--;
            return close();
          },
        };
      },
      read: (channel, after) => inner.read(channel, after),
      close: () => inner.close(),
    };
    this.broadcaster = new DriverBroadcaster(driver, {
      onError: (error) => this.errors.push(error),
      ...options,
    });
  }

  cut(): void {
    this.#state = "cut";
  }

  heal(): void {
    this.#state = "alive";
  }

  /** Announcements were lost, as on a backplane without history. */
  lose(): void {
    for (const sink of this.#sinks) sink.live(undefined);
  }

  /** Watches as a tab of a user does; `told` is what a client would have been told. */
  watch(user?: string, info: Record<string, unknown> = {}): { told: string[]; leave(): void } {
    const told: string[] = [];
    const names = (members: readonly PresenceInfo[]) => members.map(({ id }) => id).sort().join();
    const leave = this.broadcaster.watchPresence(
      "presence-room",
      {
        here: ({ count, members }) => told.push(members ? `here ${names(members)}` : `${count}`),
        join: ({ id }) => told.push(`+${id}`),
        leave: (id) => told.push(`-${id}`),
      },
      user === undefined ? undefined : { id: user, ...info },
    );
    return { told, leave };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broadcaster.close();
  }
}

const members = async (node: Node) =>
  (await node.broadcaster.presence("presence-room")).map(({ id }) => id).sort();

Deno.test("guarantee 10: a user is in once however many tabs and nodes, and leaves with the last", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const watcher = a.watch();
  await time.tick(0);
  const tabs = [a.watch("ada"), a.watch("ada"), b.watch("ada"), b.watch("bob"), b.watch("bob")];
  await time.tick(0);
  assertEquals(watcher.told, ["here ", "+ada", "+bob"]);
  assertEquals(tabs[3]?.told[0], "here ada,bob");
  assertEquals([await members(a), await members(b)], [["ada", "bob"], ["ada", "bob"]]);
  for (const tab of tabs) {
    tab.leave();
    tab.leave();
    await time.tick(4_999);
  }
  assertEquals(watcher.told.slice(3), ["-ada"]);
  await time.tick(1);
  assertEquals(watcher.told.slice(3), ["-ada", "-bob"]);
  assertEquals(await members(b), []);
});

Deno.test("a reload within the grace period does not flap, on another node neither", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const watcher = b.watch();
  await time.tick(0);
  const first = a.watch("ada");
  await time.tick(0);
  first.leave();
  await time.tick(4_000);
  const second = a.watch("ada");
  await time.tick(60_000);
  second.leave();
  await time.tick(4_000);
  b.watch("ada");
  await time.tick(60_000);
  assertEquals(watcher.told, ["here ", "+ada"]);
});

Deno.test("guarantee 10: a crashed node's users leave with its lease, each told once", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  a.watch("ada");
  a.watch("bob");
  const survivor = b.watch("bob");
  await time.tick(20_000);
  a.cut();
  await time.tick(9_000);
  assertEquals(survivor.told, ["here ada,bob"]);
  await time.tick(8_000);
  assertEquals(survivor.told, ["here ada,bob", "-ada"]);
  assertEquals(await members(b), ["bob"]);
});

Deno.test("a node frozen longer than its lease is right again when thawed: no ghost, no double", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const frozen = a.watch("ada");
  const staying = b.watch("bob");
  await time.tick(0);
  a.cut();
  await time.tick(20_000);
  assertEquals(staying.told.at(-1), "-ada");
  const late = b.watch("eve");
  a.heal();
  await time.tick(6_000);
  assertEquals(staying.told, ["here ada,bob", "-ada", "+eve", "+ada"]);
  assertEquals(late.told, ["here bob,eve", "+ada"]);
  assertEquals(frozen.told, ["here ada,bob", "+eve"]);
  assertEquals([await members(a), await members(b)], [["ada", "bob", "eve"], [
    "ada",
    "bob",
    "eve",
  ]]);
});

Deno.test("while the store is out of reach nothing is said to have changed; afterwards all is", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const watcher = b.watch();
  await time.tick(0);
  const ada = a.watch("ada");
  await time.tick(0);
  a.cut();
  ada.leave();
  a.watch("eve");
  await time.tick(6_000);
  assertEquals(watcher.told, ["here ", "+ada"]);
  a.heal();
  await time.tick(2_000);
  assertEquals(watcher.told.slice(2).sort(), ["+eve", "-ada"]);
  assertEquals(a.errors[0]?.code, "broadcast.subscribe");
});

Deno.test("a node that closes keeps its users for the grace period: a deployment does not flap", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using b = new Node(backend);
  const a = new Node(backend);
  a.watch("ada");
  a.watch("eve");
  const watcher = b.watch();
  await time.tick(0);
  await a.broadcaster.close();
  await time.tick(2_000);
  b.watch("ada");
  await time.tick(20_000);
  assertEquals(watcher.told.slice(1), ["-eve"]);
});

Deno.test("a closed node's users are stored for the grace period, not shorter and not for a lease", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using b = new Node(backend);
  const a = new Node(backend);
  a.watch("ada");
  await time.tick(0);
  await a.broadcaster.close();
  await time.tick(4_999);
  assertEquals(await members(b), ["ada"]);
  await time.tick(1);
  assertEquals(await members(b), []);
});

Deno.test("guarantee 10: the end of a node is noticed as its lease runs out, not a beat later", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  await using c = new Node(backend);
  a.watch("ada");
  await time.tick(2_000);
  const survivor = b.watch();
  await time.tick(3_000);
  c.watch("eve");
  await time.tick(17_000);
  // It spoke at 20 s for the last time; the survivor's own beats are at 32 and 37 s.
  a.cut();
  await time.tick(12_999);
  assertEquals(survivor.told, ["here ada", "+eve"]);
  await time.tick(201);
  assertEquals(survivor.told, ["here ada", "+eve", "-ada"]);
});

Deno.test("many who come at once are announced in parts, and all arrive", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  const watcher = b.watch();
  await time.tick(0);
  for (let user = 0; user < 1_000; user++) a.watch(`${user}`);
  await time.tick(0);
  assertEquals(new Set(watcher.told.slice(1)).size, 1_000);
});

Deno.test("a word that could not be stored does not come back over a later one", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend, { presenceGraceMs: 0 });
  await using b = new Node(backend);
  const watcher = b.watch();
  await time.tick(0);
  const write = Promise.withResolvers<void>();
  a.writeDelay = write.promise;
  const ada = a.watch("ada");
  await time.tick(0);
  ada.leave();
  await time.tick(0);
  a.cut();
  write.resolve();
  await time.tick(0);
  a.heal();
  await time.tick(2_000);
  assertEquals([watcher.told, await members(b)], [["here "], []]);
});

Deno.test("a node believes itself, not the store, of its own users", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  const ada = a.watch("ada");
  const watcher = a.watch();
  await time.tick(0);
  ada.leave();
  a.cut();
  await time.tick(5_000);
  a.lose();
  await time.tick(0);
  assertEquals(await members(a), ["ada"]);
  assertEquals(watcher.told, ["here ada", "-ada"]);
});

Deno.test("above the limit only the number is told, at most once a second", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend, { maxPresenceMembers: 2, presenceGraceMs: 0 });
  const watcher = a.watch();
  await time.tick(0);
  const tabs = ["1", "2", "3", "4"].map((user) => a.watch(user));
  await time.tick(1_000);
  assertEquals(watcher.told, ["here ", "+1", "+2", "4"]);
  assertEquals(a.watch().told, ["4"]);
  tabs[0]?.leave();
  tabs[1]?.leave();
  await time.tick(1_000);
  assertEquals(watcher.told.slice(4), ["here 3,4"]);
  tabs[2]?.leave();
  await time.tick(0);
  assertEquals(watcher.told.slice(5), ["-3"]);
});

Deno.test("presence refuses other channels, large descriptions, and drivers without leases", async () => {
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  const listener = { here() {}, join() {}, leave() {} };
  await assertRejects(() => a.broadcaster.presence("room"), BroadcastSubscribeError, "presence-");
  a.watch("bob", { bio: "x".repeat(1_024 - '{"id":"bob","bio":""}'.length) }).leave();
  assertThrows(
    () => a.watch("ada", { bio: "x".repeat(1_100) }),
    BroadcastConfigError,
    "at most 1024 bytes, got 1121",
  );
  const { abilities } = new MemoryDriver(backend);
  const bare: BroadcastDriver = {
    abilities,
    publish: () => Promise.resolve(undefined),
    subscribe: () => Promise.resolve({ close: () => Promise.resolve() }),
    read: () => Promise.reject(new Error("never asked")),
    close: () => Promise.resolve(),
  };
  await using without = new DriverBroadcaster(bare);
  assertThrows(
    () => without.watchPresence("presence-room", listener, { id: "ada" }),
    BroadcastConfigError,
    "keeps no leases",
  );
});

Deno.test("what strangers write into the store or announce is no member", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  const topic = "!presence:presence-room";
  const values = [
    "",
    "{",
    "null",
    "[]",
    "[1]",
    "[1,null]",
    '["1",{"id":"k"}]',
    '[1.5,{"id":"k"}]',
    '[1,{"id":"other"}]',
    '[1,{"id":7}]',
  ];
  for (const [i, value] of values.entries()) {
    await backend.leases.write(`${i}`, 60_000, [{ topic, key: "k", value }]);
  }
  const watcher = a.watch("ada");
  await time.tick(0);
  const announcements = [
    "7",
    "null",
    "{}",
    '{"n":1,"w":[["k",1,{"id":"k"}]]}',
    '{"n":"x","w":7}',
    '{"n":"x","w":[7,null,"k",{"0":"k","1":1,"2":{"id":"k"}},[1],[7,1,{"id":7}]]}',
    '{"n":"x","w":[["k",1,{"id":"z"}],["k","1",{"id":"k"}],["k",1.5,{"id":"k"}]]}',
  ];
  for (const [i, json] of announcements.entries()) {
    backend.publish(topic, { id: String(i), event: "presence", json });
  }
  await time.tick(0);
  assertEquals(watcher.told, ["here ada"]);
  assertEquals(a.errors, []);
});

Deno.test("a node keeps its lease however many rooms come and go beside the first", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  await using b = new Node(backend);
  a.watch("ada");
  const watcher = b.watch();
  const listener = { here() {}, join() {}, leave() {} };
  for (let room = 0; room < 30; room++) {
    const leave = a.broadcaster.watchPresence(`presence-${room}`, listener);
    await time.tick(1_000);
    leave();
  }
  assertEquals([watcher.told, await members(b)], [["here ada"], ["ada"]]);
});

Deno.test("guarantee 6: nothing is left of a room that everybody has left, and it opens again", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  for (let round = 0; round < 2; round++) {
    const watcher = a.watch();
    const ada = a.watch("ada");
    await time.tick(0);
    watcher.leave();
    ada.leave();
    await time.tick(0);
    assertEquals([a.subscriptions, await members(a)], [1, ["ada"]]);
    await time.tick(5_000);
    assertEquals([watcher.told.length, ada.told], [1, ["here ada"]]);
    assertEquals([a.subscriptions, time.pendingTimers], [0, 0]);
    assertEquals(await backend.leases.list("!presence:presence-room"), []);
  }
});

Deno.test("who stops watching hears nothing more, and is the end of a room that nobody is in", async () => {
  using time = new FakeTime();
  await using a = new Node(new MemoryBackend());
  const watcher = a.watch();
  const other = a.watch();
  await time.tick(0);
  watcher.leave();
  const ada = a.watch("ada");
  assertEquals([watcher.told, other.told], [["here "], ["here ", "+ada"]]);
  ada.leave();
  await time.tick(5_000);
  // It leaves while a beat waits for the store.
  const write = Promise.withResolvers<void>();
  a.writeDelay = write.promise;
  await time.tick(5_000);
  other.leave();
  write.resolve();
  await time.tick(0);
  assertEquals([a.subscriptions, time.pendingTimers], [0, 0]);
});

Deno.test("who leaves and comes back while the store is out of reach is there afterwards", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend, { presenceGraceMs: 0 });
  await using b = new Node(backend);
  const ada = a.watch("ada");
  await time.tick(0);
  a.cut();
  ada.leave();
  await time.tick(0);
  a.watch("ada");
  await time.tick(0);
  a.heal();
  await time.tick(1_000);
  assertEquals(await members(b), ["ada"]);
});

Deno.test("a node's word that comes back late is not told again", async () => {
  using time = new FakeTime();
  await using a = new Node(new MemoryBackend(), { presenceGraceMs: 0 });
  const watcher = a.watch();
  await time.tick(0);
  const write = Promise.withResolvers<void>();
  a.writeDelay = write.promise;
  a.watch("ada").leave();
  await time.tick(0);
  write.resolve();
  await time.tick(0);
  assertEquals(watcher.told, ["here ", "+ada", "-ada"]);
});

Deno.test("a store that does not say who is there is told of, and asked again", async () => {
  using time = new FakeTime();
  await using a = new Node(new MemoryBackend());
  const channel = "presence-room";
  a.canList = false;
  const error = await assertRejects(() => members(a), BroadcastSubscribeError);
  assertEquals(
    error.message,
    `Cannot list who is on channel "${channel}": ${OUT_OF_REACH.message}`,
  );
  const watcher = a.watch();
  await time.tick(0);
  const [reported] = a.errors;
  assertEquals(
    reported?.message,
    `Cannot load who is on channel "${channel}": ${OUT_OF_REACH.message}`,
  );
  for (const it of [error, reported]) {
    assertEquals([it?.status, it?.context, it?.cause], [503, { channel }, OUT_OF_REACH]);
  }
  a.canList = true;
  await time.tick(1_000);
  assertEquals(watcher.told, ["here "]);
});

Deno.test("what cannot be said, or renewed, is told of and tried again each second, by one timer", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using a = new Node(backend);
  a.watch();
  await time.tick(0);
  a.cut();
  for (const user of ["ada", "bob", "eve"]) {
    a.watch(user);
    await time.tick(0);
  }
  assertEquals([a.errors.length, time.pendingTimers], [3, 1]);
  assertEquals(
    a.errors[0]?.message,
    `Cannot tell who is on channel "presence-room": ${OUT_OF_REACH.message}`,
  );
  a.heal();
  await time.tick(1_000);
  assertEquals(await members(a), ["ada", "bob", "eve"]);
  a.errors.length = 0;
  a.cut();
  await time.tick(7_000);
  assertEquals(
    a.errors.map(({ message }) => message),
    Array(3).fill(`Cannot keep the lease of channel "presence-room": ${OUT_OF_REACH.message}`),
  );
});

Deno.test("a watcher that throws is told of as what it is", async () => {
  using time = new FakeTime();
  await using a = new Node(new MemoryBackend());
  const cause = new Error("Not today");
  a.broadcaster.watchPresence("presence-room", {
    here: () => {
      throw cause;
    },
    join() {},
    leave() {},
  });
  await time.tick(0);
  assertEquals(a.errors.map(({ code, cause }) => [code, cause]), [["broadcast.hook", cause]]);
});

Deno.test("guarantee 9: close waits for what is being said, and leaves no timer where that fails", async () => {
  using time = new FakeTime();
  const node = new Node(new MemoryBackend(), { maxPresenceMembers: 1 });
  const ada = node.watch("ada");
  await time.tick(0);
  const write = Promise.withResolvers<void>();
  node.writeDelay = write.promise;
  // From here on the number is told, in a second.
  node.watch("bob");
  await time.tick(0);
  let isClosed = false;
  const closing = node.broadcaster.close().then(() => isClosed = true);
  await time.tick(0);
  assertEquals(isClosed, false);
  node.cut();
  write.resolve();
  await closing;
  ada.leave();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("who watches twice with one listener is told twice, and goes on after the first end", async () => {
  using time = new FakeTime();
  await using node = new Node(new MemoryBackend());
  const told: string[] = [];
  const listener = {
    here: () => told.push("here"),
    join: ({ id }: PresenceInfo) => told.push(`+${id}`),
    leave: (id: string) => told.push(`-${id}`),
  };
  const leaves = [0, 1].map(() => node.broadcaster.watchPresence("presence-room", listener));
  await time.tick(0);
  assertEquals(told.splice(0), ["here", "here"]);
  leaves[0]?.();
  node.watch("ada");
  await time.tick(0);
  assertEquals(told, ["+ada"]);
});

Deno.test("guarantee 10: who ends a watch late takes nobody from the room that was opened since", async () => {
  using time = new FakeTime();
  await using node = new Node(new MemoryBackend());
  const bob = node.watch("bob");
  await time.tick(0);
  let late: ReturnType<Node["watch"]> | undefined;
  // Told that the last one is gone, the last watcher goes as well, and another one comes.
  const leave = node.broadcaster.watchPresence("presence-room", {
    here() {},
    join() {},
    leave() {
      leave();
      late = node.watch("eve");
    },
  });
  bob.leave();
  await time.tick(5_000);
  const ada = node.watch("ada");
  await time.tick(0);
  assertEquals(ada.told, ["here ada,eve"]);
  assertEquals(late?.told, ["here eve", "+ada"]);
});

Deno.test("guarantee 9: after close no timer of presence is left", async () => {
  using time = new FakeTime();
  const node = new Node(new MemoryBackend());
  node.watch("ada").leave();
  node.watch("bob");
  await time.tick(0);
  await node.broadcaster.close();
  assertEquals(time.pendingTimers, 0);
});
