import { deferred } from "../core/deferred.ts";
import type { BroadcastDriver, ChannelSink } from "../core/driver.ts";
import { DriverBroadcaster } from "../core/driver_broadcaster.ts";
import type { BroadcastEvent, EventRecord } from "../core/event.ts";
import type { LeaseStore } from "../core/leases.ts";
import type { Position } from "../core/position.ts";
import type { BroadcastSubscription } from "../core/subscription.ts";
import { equal, rejects, take, until, within } from "./expect.ts";

/** One backend, private to a case, over which the suite opens one or two nodes. */
export interface ContractBackend extends AsyncDisposable {
  /** Opens a driver over this backend: a node. The suite closes it. */
  driver(): BroadcastDriver | Promise<BroadcastDriver>;
}

/** Registers a case with whatever runs tests: `Deno.test`, `node:test`, `bun:test`. */
export type RegisterTest = (name: string, run: () => Promise<void>) => void;

/** Opens a backend of its own for each case. */
export type OpenBackend = () => ContractBackend | Promise<ContractBackend>;

/** A case over two nodes; `b` is `a` where the driver knows one node only. */
interface Nodes {
  readonly a: DriverBroadcaster;
  readonly b: DriverBroadcaster;
  readonly driver: BroadcastDriver;
}

/**
 * The suite that every driver must pass, in cases named after the duty they hold it to. Each case
 * opens a backend of its own.
 *
 * @example
 * ```ts
 * import { MemoryBackend, MemoryDriver } from "@airwave/broadcast";
 * import { driverContract } from "@airwave/broadcast/testing";
 *
 * const cases: (() => Promise<void>)[] = [];
 * driverContract(
 *   () => {
 *     const backend = new MemoryBackend();
 *     return {
 *       driver: () => new MemoryDriver(backend),
 *       [Symbol.asyncDispose]: () => Promise.resolve(),
 *     };
 *   },
 *   (_name, run) => cases.push(run), // in a test file: Deno.test
 * );
 * for (const run of cases) await run();
 * ```
 */
export function driverContract(open: OpenBackend, test: RegisterTest): void {
  const withNodes = (name: string, run: (nodes: Nodes) => Promise<void>) =>
    test(`driver contract: ${name}`, async () => {
      await using backend = await open();
      const driver = await backend.driver();
      await using a = new DriverBroadcaster(driver);
      if (!driver.abilities.multiNode) return await run({ a, b: a, driver });
      await using b = new DriverBroadcaster(await backend.driver());
      await run({ a, b, driver });
    });

  withNodes("every kind of JSON arrives as it was published", async ({ a, b }) => {
    await using subscription = await subscribed(b, "json");
    const values = [null, false, 0, -1.5, "", "5", "null", '{"a":1}', "e\u0301 😀 \u2028", [], {}, [
      [1, { __proto__: null, constructor: "x" }],
    ]];
    for (const data of values) await a.publish("json", { event: "value", data });
    const events = await take(subscription, values.length);
    equal(events.map(({ data }) => data), values, "data");
  });

  withNodes("a large event arrives whole", async ({ a, b }) => {
    await using subscription = await subscribed(b, "large");
    const data = "ä".repeat(450_000);
    await a.publish("large", { event: "value", data });
    const [event] = await take(subscription, 1);
    equal(event?.data === data, true, "equality of the data");
  });

  withNodes(
    "guarantee 4: what is published after ready arrives, on every node",
    async ({ a, b }) => {
      for (let round = 0; round < 20; round++) {
        await using subscription = await subscribed(b, `ready.${round}`);
        await a.publish(`ready.${round}`, { event: "first", data: round });
        equal((await take(subscription, 1)).map(({ data }) => data), [round], "data");
      }
    },
  );

  withNodes("guarantee 1: all nodes see one order", async ({ a, b, driver }) => {
    await using onA = await subscribed(a, "order");
    await using onB = await subscribed(b, "order");
    const publishes = Array.from(
      { length: 200 },
      (_, i) => (i % 2 === 0 ? a : b).publish("order", { event: "n", data: i }),
    );
    await Promise.all(publishes);
    const [seenOnA, seenOnB] = await Promise.all([take(onA, 200), take(onB, 200)]);
    equal(new Set(seenOnA.map(({ data }) => data)).size, 200, "number of different events");
    equal(seenOnB.map(idAndPosition), seenOnA.map(idAndPosition), "the other node's order");
    if (driver.abilities.history) {
      const offsets = seenOnA.map(({ position }) => position?.offset);
      equal(offsets, Array.from({ length: 200 }, (_, i) => i + 1), "offsets");
    }
  });

  withNodes("channels do not hear each other", async ({ a, b }) => {
    const names = ["a", "A", "a.b", "a:b", "a/b", "a;b", "a@b=c", "private-a", "__proto__"];
    const subscriptions = await Promise.all(names.map((name) => subscribed(b, name)));
    await Promise.all(names.map((name) => a.publish(name, { event: "name", data: name })));
    await Promise.all(names.map((name) => a.publish(name, { event: "end", data: name })));
    for (const [i, subscription] of subscriptions.entries()) {
      const events = await take(subscription, 2);
      const expected = [["name", names[i]], ["end", names[i]]];
      equal(events.map(({ event, data }) => [event, data]), expected, `events on ${names[i]}`);
      subscription.unsubscribe();
    }
  });

  withNodes("whom an event leaves out travels with it", async ({ driver }) => {
    const records: EventRecord[] = [];
    const both = deferred<void>();
    const subscription = await driver.subscribe("except", {
      live() {},
      event(record) {
        if (records.push(record) === 2) both.resolve();
      },
    });
    await driver.publish("except", { ...record("1"), except: "a connection" });
    const top = await driver.publish("except", record("2"));
    await within(both.promise, "both events");
    equal(records.map(({ except }) => except ?? "nobody"), ["a connection", "nobody"], "live");
    await subscription.close();
    if (top === undefined) return;
    const read = await driver.read("except", { ...top, offset: 0 });
    const stored = read.complete ? read.events : [];
    equal(
      stored.map(({ record }) => record.except ?? "nobody"),
      ["a connection", "nobody"],
      "stored",
    );
  });

  withNodes("a closed subscription hears nothing more", async ({ driver }) => {
    const closed = new RecordingSink();
    const subscription = await driver.subscribe("closed", closed);
    await driver.publish("closed", record("1"));
    await closed.until("1");
    await subscription.close();
    const open = new RecordingSink();
    const other = await driver.subscribe("closed", open);
    await driver.publish("closed", record("2"));
    await open.until("2");
    await other.close();
    equal(closed.heard, ["live", "1"], "what the closed sink heard");
  });

  withNodes("live is said once, before the first event", async ({ driver }) => {
    const sink = new RecordingSink();
    await driver.publish("live", record("before"));
    const subscription = await driver.subscribe("live", sink);
    await driver.publish("live", record("after"));
    await sink.until("after");
    equal(sink.heard, ["live", "after"], "what the sink heard");
    await subscription.close();
  });

  withNodes("many open and close the same channel at once", async ({ a, b }) => {
    for (let round = 0; round < 10; round++) {
      const opened = Array.from({ length: 10 }, () => a.subscribe("busy"));
      for (const subscription of opened.slice(1)) subscription.unsubscribe();
      const [kept] = opened;
      if (kept === undefined) return;
      await within(kept.ready, "ready");
      await b.publish("busy", { event: "n", data: round });
      equal((await take(kept, 1)).map(({ data }) => data), [round], "data");
      kept.unsubscribe();
    }
  });

  const withLeases = (name: string, run: (a: LeaseStore, b: LeaseStore) => Promise<void>) =>
    test(`driver contract: ${name}`, async () => {
      await using backend = await open();
      const driver = await backend.driver();
      await using _a = new DriverBroadcaster(driver);
      const { leases } = driver;
      if (leases === undefined) return;
      if (!driver.abilities.multiNode) return await run(leases, leases);
      const other = await backend.driver();
      await using _b = new DriverBroadcaster(other);
      if (other.leases === undefined) throw new Error("One node has leases, the other has none");
      await run(leases, other.leases);
    });

  withLeases("leased entries are listed on every node, by topic", async (a, b) => {
    const values = ["", "1", "ü\u2028😀", '{"a":[1]}', "x".repeat(2_000)];
    const changes = values.map((value, i) => ({ topic: "t", key: `key ${i}`, value }));
    await a.write("a", 60_000, changes);
    const other = [{ topic: "t", key: "key 0", value: "b" }, {
      topic: "u",
      key: "__proto__",
      value: "",
    }];
    await b.write("b", 60_000, other);
    equal(
      await listed(b, "t"),
      [...values.map((v, i) => `a key ${i} ${v}`), "b key 0 b"],
      "entries",
    );
    equal(await listed(a, "u"), ["b __proto__ "], "entries of the other topic");
    equal(await listed(a, "none"), [], "entries of no topic");
  });

  withLeases("a leased entry is replaced and taken away by its owner alone", async (a, b) => {
    const change = (value: string | undefined) => [{ topic: "t", key: "k", value }];
    const lease = await a.write("a", 60_000, change("1"));
    await b.write("b", 60_000, change("2"));
    equal(await a.write("a", 60_000, change("3")), lease, "name of the lease that goes on");
    equal(await listed(b, "t"), ["a k 3", "b k 2"], "entries after the replacement");
    await b.write("b", 60_000, change(undefined));
    await b.write("b", 60_000, change(undefined));
    equal(await listed(a, "t"), ["a k 3"], "entries after the end of one");
  });

  withLeases("entries go with the lease, and a later lease finds none of them", async (a, b) => {
    await a.write("kept", 60_000, [{ topic: "t", key: "k", value: "1" }]);
    const short = await a.write("short", 50, [{ topic: "t", key: "k", value: "1" }]);
    await until(async () => (await listed(b, "t")).length === 1, "the end of the lease");
    equal(await listed(b, "t"), ["kept k 1"], "entries after it");
    const remaining = await b.remainingMs(["kept", "short", "never"]);
    equal([...remaining.keys()], ["kept"], "leases that hold");
    const keptMs = remaining.get("kept") ?? 0;
    equal(keptMs > 0 && keptMs <= 60_000, true, "sense of the remaining time");
    const other = await a.write("short", 60_000, []);
    equal(other === short, false, "sameness of the lease before and after");
    equal(await listed(b, "t"), ["kept k 1"], "entries of the new lease");
    await a.write("kept", 1, []);
    await until(async () => (await listed(b, "t")).length === 0, "the end of a lease cut short");
  });

  withNodes("after close everything is refused, and closing twice is fine", async ({ driver }) => {
    await driver.close();
    await driver.close();
    await rejects(() => driver.publish("closed", record("1")), "publish");
    await rejects(() => driver.subscribe("closed", new RecordingSink()), "subscribe");
  });

  const withHistory = (name: string, run: (nodes: Nodes) => Promise<void>) =>
    withNodes(name, (nodes) => nodes.driver.abilities.history ? run(nodes) : Promise.resolve());

  withHistory("guarantee 3: the same id is delivered and stored once", async ({ a, b }) => {
    await using subscription = await subscribed(b, "once");
    const first = await a.publish("once", { event: "n", data: 1, id: "same" });
    const again = await b.publish("once", { event: "n", data: 1, id: "same" });
    const other = await a.publish("once", { event: "n", data: 2, id: "other" });
    equal(again, first, "receipt of the second publish");
    equal(other.position?.offset, 2, "offset of the next event");
    const events = await take(subscription, 2);
    equal(events.map(({ id }) => id), ["same", "other"], "ids");
  });

  withHistory("read tells a whole gap from one that cannot be proven", async ({ driver }) => {
    const positions: Position[] = [];
    for (const id of ["1", "2", "3"]) {
      const position = await driver.publish("read", record(id));
      if (position !== undefined) positions.push(position);
    }
    const [one, , three] = positions;
    if (one === undefined || three === undefined) throw new Error("No position with history on");
    const rest = await driver.read("read", one);
    equal(
      rest.complete ? rest.events.map(({ record }) => record.id) : "incomplete",
      ["2", "3"],
      "events after the first",
    );
    const none = await driver.read("read", three);
    equal(none.complete ? none.events.length : "incomplete", 0, "events after the last");
    const future = await driver.read("read", { ...three, offset: three.offset + 1 });
    equal(future.complete, false, "completeness after an offset that does not exist");
    const foreign = await driver.read("read", { ...one, epoch: "another" });
    equal(foreign.complete, false, "completeness in another epoch");
    equal(foreign.top, three, "top");
  });

  withHistory(
    "guarantee 2: a resume gets what was missed, once, then what is live",
    async ({ a, b }) => {
      await using before = await subscribed(b, "resume");
      for (let i = 1; i <= 5; i++) await a.publish("resume", { event: "n", data: i });
      const [, second] = await take(before, 5);
      await using resumed = b.subscribe("resume", { after: second?.position });
      const start = await within(resumed.ready, "ready");
      equal([start.recovery, start.missed], ["ok", 3], "recovery");
      await a.publish("resume", { event: "n", data: 6 });
      equal((await take(resumed, 4)).map(({ data }) => data), [3, 4, 5, 6], "data");
    },
  );

  withHistory("a resume amid publishing has no hole, double or swap", async ({ a, b }) => {
    const total = 200;
    await using first = await subscribed(a, "race");
    const { position } = await first.ready;
    const resumes: BroadcastSubscription[] = [];
    for (let i = 1; i <= total; i++) {
      if (i % 20 === 0) resumes.push(b.subscribe("race", { after: position }));
      await a.publish("race", { event: "n", data: i });
    }
    for (const resumed of resumes) {
      equal((await within(resumed.ready, "ready")).recovery, "ok", "recovery");
      const offsets = (await take(resumed, total)).map(({ position }) => position?.offset);
      equal(offsets, Array.from({ length: total }, (_, i) => i + 1), "offsets");
      resumed.unsubscribe();
    }
  });

  withHistory("a position is told before anything was published", async ({ a, b }) => {
    await using first = await subscribed(b, "fresh");
    const { position } = await first.ready;
    equal(position?.offset, 0, "offset of an empty channel");
    first.unsubscribe();
    await a.publish("fresh", { event: "n", data: 1 });
    await using second = b.subscribe("fresh", { after: position });
    equal((await within(second.ready, "ready")).missed, 1, "missed events");
  });
}

async function listed(leases: LeaseStore, topic: string): Promise<string[]> {
  const entries = await leases.list(topic);
  return entries.map(({ owner, key, value }) => `${owner} ${key} ${value}`).sort();
}

async function subscribed(
  node: DriverBroadcaster,
  channel: string,
): Promise<BroadcastSubscription> {
  const subscription = node.subscribe(channel);
  await within(subscription.ready, `ready on ${channel}`);
  return subscription;
}

function idAndPosition({ id, position }: BroadcastEvent): unknown {
  return [id, position];
}

function record(id: string): EventRecord {
  return { id, event: "n", json: JSON.stringify(id) };
}

/** Keeps what a driver said, and tells when it said a certain thing. */
class RecordingSink implements ChannelSink {
  readonly heard: string[] = [];
  readonly #waiting = new Map<string, () => void>();

  live(): void {
    this.#hear("live");
  }

  event({ id }: EventRecord): void {
    this.#hear(id);
  }

  until(what: string): Promise<void> {
    if (this.heard.includes(what)) return Promise.resolve();
    return within(new Promise((resolve) => this.#waiting.set(what, resolve)), what);
  }

  #hear(what: string): void {
    this.heard.push(what);
    this.#waiting.get(what)?.();
  }
}
