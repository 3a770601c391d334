import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AnyBroadcastError,
  BroadcastClosedError,
  BroadcastConfigError,
  type BroadcastDriver,
  BroadcastError,
  type BroadcastEventInit,
  BroadcastPublishError,
  DriverBroadcaster,
  type DriverHost,
  type EventRecord,
  type HealthChange,
  type LeaseStore,
  MemoryBroadcaster,
  type MemoryBroadcasterOptions,
} from "@airwave/broadcast";
import { settle } from "@airwave/broadcast/testing";
import { ScriptedDriver } from "./scripted_driver.ts";

Deno.test("publish mints ids that sort in the order of publishing", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const ids: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    ids.push((await broadcaster.publish("c", { event: "n", data: i })).id);
  }
  assertEquals(ids.toSorted(), ids);
  assertEquals(new Set(ids).size, 1_000);
});

Deno.test("positions count from 1 without holes, per channel", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const offset = async (channel: string) =>
    (await broadcaster.publish(channel, { event: "n", data: null })).position?.offset;
  assertEquals([await offset("a"), await offset("b"), await offset("a")], [1, 1, 2]);
});

Deno.test("publish refuses what breaks a rule, with the rule and the value, and stores nothing", async () => {
  await using broadcaster = new MemoryBroadcaster({ maxEventBytes: 100 });
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const cases: [string, unknown, string][] = [
    ["no spaces", { event: "n", data: 1 }, "a channel name is"],
    ["private\u2010x", { event: "n", data: 1 }, "a channel name is"],
    ["x".repeat(201), { event: "n", data: 1 }, "a channel name is"],
    ["c", { event: "", data: 1 }, "an event name is"],
    ["c", { event: "a\nb", data: 1 }, "an event name is"],
    ["c", { event: 7, data: 1 }, "got 7"],
    ["c", { event: "n", data: 1, id: "a\u0000b" }, "an event id is"],
    ["c", { event: "n", data: 1, id: "x\ud800" }, "halves of surrogate pairs"],
    ["c", { event: "n", data: circular }, "data must be a JSON value"],
    ["c", { event: "n", data: 1n }, "data must be a JSON value"],
    ["c", { event: "n", data: () => 1 }, "data must be a JSON value"],
    ["c", { event: "n", data: Symbol("s") }, "data must be a JSON value"],
    ["c", { event: "n", data: "ä".repeat(50) }, "at most 100 bytes"],
    ["c", null, "the event must be an object"],
    ["c", "text", "the event must be an object"],
  ];
  for (const [channel, event, rule] of cases) {
    const error = await assertRejects(
      () => broadcaster.publish(channel, event as BroadcastEventInit),
      BroadcastPublishError,
      rule,
    );
    assertEquals([error.code, error.status], ["broadcast.publish", 400]);
  }
  const { position } = await broadcaster.publish("c", { event: "n", data: undefined });
  assertEquals(position?.offset, 1);
});

Deno.test("an id that a client chose never meets one of the application's, however either looks", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("c");
  await subscription.ready;
  const ids = ["x", "~x", "~cx", "~ax", "~~x", "~c~ax", "~", "~c", "~a"];
  for (const id of ids) {
    for (const isIdFromClient of [true, false, true, false]) {
      const receipt = await broadcaster.publish("c", { event: "e", data: 1, id }, {
        isIdFromClient,
      });
      assertEquals(receipt.id, id);
    }
  }
  const { position } = await broadcaster.publish("c", { event: "e", data: 1 });
  assertEquals(position?.offset, 2 * ids.length + 1);
  for (const id of ids) {
    assertEquals((await subscription.next()).value?.id, id);
    assertEquals((await subscription.next()).value?.id, id);
  }
  const tooLong = { event: "e", data: 1, id: "x".repeat(199) };
  await broadcaster.publish("c", tooLong);
  await assertRejects(
    () => broadcaster.publish("c", tooLong, { isIdFromClient: true }),
    BroadcastPublishError,
    "at most 198 characters",
  );
});

Deno.test("what a driver is given says whom to leave out, whether the id is new, and how large it is", async () => {
  const records: EventRecord[] = [];
  const driver = new ScriptedDriver();
  driver.publish = (_, record) => {
    records.push(record);
    return Promise.resolve(undefined);
  };
  await using broadcaster = new DriverBroadcaster(driver);
  const { id } = await broadcaster.publish("c", { event: "n", data: 1 }, { except: "some one" });
  await broadcaster.publish("c", { event: "n", data: "ä", id: "1" });
  assertEquals(records, [
    { id, event: "n", json: "1", except: "some one", isNew: true, bytes: 28 },
    { id: "1", event: "n", json: '"ä"', except: undefined, isNew: false, bytes: 6 },
  ]);
  for (const except of ["", "a\nb", 7, null]) {
    await assertRejects(
      () => broadcaster.publish("c", { event: "n", data: 1 }, { except: except as string }),
      BroadcastPublishError,
      'option "except" must be a connection\'s id',
    );
  }
  await broadcaster.close();
  await assertRejects(
    () => broadcaster.publish("c", { event: "n", data: 1 }),
    BroadcastClosedError,
  );
  assertEquals(records.length, 2);
});

Deno.test("data that cannot be serialised is refused with the cause", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const publish = (data: unknown) =>
    assertRejects(
      () => broadcaster.publish("c", { event: "n", data }),
      BroadcastPublishError,
      "data must be a JSON value",
    );
  const cause = new Error("Not today");
  const thrown = await publish({
    toJSON: () => {
      throw cause;
    },
  });
  assertEquals([thrown.context, thrown.cause], [{ channel: "c" }, cause]);
  assertStringIncludes(thrown.message, "Not today");
  assertEquals("cause" in await publish(() => {}), false);
});

Deno.test("data nested deeper than the stack does not end the process", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("c");
  await subscription.ready;
  let deep: unknown = null;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  const outcome = await broadcaster.publish("c", { event: "n", data: deep })
    .then(() => "published", (error: BroadcastError) => error.code);
  // Whether a runtime can serialise it differs; that it arrives whole or is refused must not.
  if (outcome === "published") assert(Array.isArray((await subscription.next()).value?.data));
  else assertEquals(outcome, "broadcast.publish");
});

Deno.test("guarantee 12: a publish that the driver fails says so, with the cause", async () => {
  await using broadcaster = new DriverBroadcaster(new ScriptedDriver());
  const error = await assertRejects(
    () => broadcaster.publish("c", { event: "n", data: 1 }),
    BroadcastPublishError,
  );
  assertEquals(error.status, 503);
  assertInstanceOf(error.cause, Error);
  assertEquals(error.cause.message, "The store is down");
});

Deno.test("names of the language are ordinary names", async () => {
  await using broadcaster = new MemoryBroadcaster();
  for (const name of ["__proto__", "constructor", "hasOwnProperty"]) {
    await using subscription = broadcaster.subscribe(name);
    await subscription.ready;
    await broadcaster.publish(name, { event: name, data: { [name]: 1 } });
    const { value } = await subscription.next();
    assertEquals(value?.event, name);
    assert(Object.hasOwn(value?.data as object, name));
  }
});

Deno.test("options: an unknown name or a bad value is refused with the rule", () => {
  const cases: [unknown, string][] = [
    [{ histroySize: 1 }, 'unknown option "histroySize"'],
    [{ historySize: -1 }, "an integer of at least 0, got -1"],
    [{ historySize: "10" }, 'got "10"'],
    [{ historyTtlMs: 2 ** 31 }, "from 1 to 2147483647"],
    [{ historyTtlMs: 0 }, "from 1 to 2147483647"],
    [{ historyMaxChannels: 0 }, "an integer of at least 1, got 0"],
    [{ authorizationTimeoutMs: 0 }, "from 1 to"],
    [{ maxEventBytes: 1.5 }, "got 1.5"],
    [{ defaultAccess: "open" }, 'one of "allow", "deny"'],
    [{ onError: 1 }, "a function"],
    [null, "options must be an object"],
  ];
  for (const [options, rule] of cases) {
    const error = assertThrows(
      () => new MemoryBroadcaster(options as MemoryBroadcasterOptions),
      BroadcastConfigError,
      rule,
    );
    assertStringIncludes(error.message, "Cannot create");
  }
  new MemoryBroadcaster({
    historySize: 0,
    historyTtlMs: 1,
    historyMaxBytes: 0,
    historyMaxChannels: 1,
  });
});

Deno.test("errors: code, status, context and cause; the code narrows the type", () => {
  const cause = new Error("underneath");
  const error: AnyBroadcastError = new BroadcastPublishError("Cannot publish", {
    context: { channel: "c" },
    cause,
  });
  assertInstanceOf(error, BroadcastError);
  assertEquals(error.name, "BroadcastPublishError");
  assertEquals(error.context, { channel: "c" });
  assertEquals(error.cause, cause);
  const narrowed = (error: AnyBroadcastError): BroadcastPublishError | undefined => {
    switch (error.code) {
      case "broadcast.publish":
        return error;
      default:
        return undefined;
    }
  };
  assertEquals(narrowed(error), error);
  assertEquals(narrowed(new BroadcastConfigError("x")), undefined);
});

Deno.test("health follows what the driver says, once per change, and ends with close", async () => {
  const driver = new ScriptedDriver();
  let host: DriverHost | undefined;
  const remote: BroadcastDriver = {
    abilities: driver.abilities,
    open: (given) => host = given,
    publish: (channel, record) => driver.publish(channel, record),
    subscribe: (channel, sink) => driver.subscribe(channel, sink),
    read: (channel, after) => driver.read(channel, after),
    close: () => driver.close(),
  };
  const changes: HealthChange[] = [];
  const errors: BroadcastError[] = [];
  const broadcaster = new DriverBroadcaster(remote, {
    onHealth: (change) => changes.push(change),
    onError: (error) => errors.push(error),
  });
  const states = [broadcaster.health];
  const gone = new Error("gone");
  for (const [state, cause] of [["up"], ["up"], ["down", gone], ["up"]] as const) {
    host?.health(state, cause);
    states.push(broadcaster.health);
  }
  const failure = new BroadcastPublishError("The driver failed");
  host?.report(failure);
  assertEquals(errors, [failure]);
  await broadcaster.close();
  host?.health("up");
  states.push(broadcaster.health);
  assertEquals(states, ["connecting", "up", "up", "down", "up", "closed"]);
  assertEquals(changes, [
    { old: "connecting", new: "up" },
    { old: "up", new: "down", cause: gone },
    { old: "down", new: "up" },
    { old: "up", new: "closed" },
  ]);
});

Deno.test("a driver that cannot lose its backplane is up until it is closed", async () => {
  const broadcaster = new MemoryBroadcaster();
  assertEquals(broadcaster.health, "up");
  await broadcaster.close();
  assertEquals(broadcaster.health, "closed");
});

Deno.test("what a callback throws, at once or later, is told to onError; what that throws ends there", async () => {
  const cause = new Error("Not today");
  const throwing = () => {
    throw cause;
  };
  const callbacks: (() => unknown)[] = [throwing, () => Promise.reject(cause)];
  for (const callback of callbacks) {
    for (const fail of callbacks) {
      const errors: BroadcastError[] = [];
      const broadcaster = new MemoryBroadcaster({
        onHealth: () => callback(),
        onError: (error) => {
          errors.push(error);
          return fail();
        },
      });
      await broadcaster.close();
      await settle();
      assertEquals(
        errors.map(({ code, message, cause }) => [code, message, cause]),
        [["broadcast.hook", "onHealth threw: Not today", cause]],
      );
    }
  }
});

Deno.test("a listener that closes the broadcaster when it is told of its end waits for that one end", async () => {
  const driver = new ScriptedDriver();
  let ends = 0;
  const closed = Promise.withResolvers<void>();
  driver.close = () => {
    ends++;
    return closed.promise;
  };
  const broadcaster = new DriverBroadcaster(driver);
  let inner: Promise<void> | undefined;
  broadcaster.listen("c", {
    live() {},
    event() {},
    lost() {},
    ended: () => inner = broadcaster.close(),
  });
  const outer = broadcaster.close();
  assertEquals(inner, outer);
  closed.resolve();
  await outer;
  assertEquals(ends, 1);
});

Deno.test("what is under way while the broadcaster is closed says that it was closed, and why", async () => {
  const never = Promise.withResolvers<never>();
  const driver = new ScriptedDriver();
  const leases: LeaseStore = {
    write: () => never.promise,
    list: () => never.promise,
    remainingMs: () => never.promise,
  };
  const broadcaster = new DriverBroadcaster({
    abilities: driver.abilities,
    leases,
    publish: () => never.promise,
    subscribe: (channel, sink) => driver.subscribe(channel, sink),
    read: (channel, after) => driver.read(channel, after),
    close: () => Promise.resolve(never.reject(new Error("cut off"))),
  });
  const underWay = [
    broadcaster.publish("c", { event: "e", data: 1 }),
    broadcaster.revoke({ user: "ada" }),
    broadcaster.disconnect({ user: "ada" }),
    broadcaster.presence("presence-c"),
  ];
  const refused = underWay.map((call) => assertRejects(() => call, BroadcastClosedError));
  await broadcaster.close();
  for (const { cause } of await Promise.all(refused)) assertInstanceOf(cause, Error);
});
