import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BroadcastClosedError,
  BroadcastConfigError,
  BroadcastOverflowError,
  BroadcastSubscribeError,
  DriverBroadcaster,
  MemoryBroadcaster,
  type SubscribeOptions,
  type SubscriptionOverflow,
} from "@airwave/broadcast";
import { settle } from "@airwave/broadcast/testing";
import { at, record, ScriptedDriver } from "./scripted_driver.ts";

async function subscribed(options: SubscribeOptions = {}) {
  const broadcaster = new MemoryBroadcaster();
  const subscription = broadcaster.subscribe("c", options);
  await subscription.ready;
  const publish = async (...values: unknown[]) => {
    for (const data of values) await broadcaster.publish("c", { event: "n", data });
  };
  return { broadcaster, subscription, publish };
}

Deno.test("an event arrives as a plain object", async () => {
  const { broadcaster, subscription } = await subscribed();
  const { id, position } = await broadcaster.publish("c", { event: "n", data: { a: [1] } });
  assertEquals(await subscription.next(), {
    value: { event: "n", data: { a: [1] }, id, position },
    done: false,
  });
  await broadcaster.close();
});

// Two waiting calls of next() once lost the first: the second overwrote its place.
Deno.test("several next() may wait at once and are served in order", async () => {
  const { broadcaster, subscription, publish } = await subscribed();
  const waiting = [subscription.next(), subscription.next(), subscription.next()];
  await publish(1, 2, 3);
  const results = await Promise.all(waiting);
  assertEquals(results.map(({ done, value }) => [done, value?.data]), [
    [false, 1],
    [false, 2],
    [false, 3],
  ]);
  await broadcaster.close();
});

Deno.test("what is published right after subscribe, without waiting for ready, may come or not; after ready it comes", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("c");
  await subscription.ready;
  await broadcaster.publish("c", { event: "n", data: "after ready" });
  assertEquals((await subscription.next()).value?.data, "after ready");
});

Deno.test("leaving the loop ends the subscription", async () => {
  const { broadcaster, subscription, publish } = await subscribed();
  await publish(1, 2);
  for await (const { data } of subscription) {
    assertEquals(data, 1);
    break;
  }
  assertEquals(await subscription.next(), { value: undefined, done: true });
  await broadcaster.close();
});

Deno.test("await using and unsubscribe end it, also twice, also while next() waits", async () => {
  const { broadcaster, subscription } = await subscribed();
  const waiting = subscription.next();
  {
    await using again = subscription;
    again.unsubscribe();
    again.unsubscribe();
  }
  assertEquals(await waiting, { value: undefined, done: true });
  await broadcaster.close();
});

Deno.test("ready never says live for what was ended before", async () => {
  const broadcaster = new MemoryBroadcaster();
  const [left, closed] = [broadcaster.subscribe("c"), broadcaster.subscribe("c")];
  left.unsubscribe();
  await broadcaster.close();
  for (const { ready } of [left, closed]) await assertRejects(() => ready, BroadcastClosedError);
});

Deno.test("guarantee 2: onLost hears where the channel goes on, and what it throws is reported", async () => {
  const driver = new ScriptedDriver();
  const codes: string[] = [];
  await using broadcaster = new DriverBroadcaster(driver, {
    onError: ({ code }) => codes.push(code),
  });
  const lost: unknown[] = [];
  const subscription = broadcaster.subscribe("c", { onLost: (position) => lost.push(position) });
  const other = broadcaster.subscribe("c", {
    onLost() {
      throw new Error("No");
    },
  });
  await settle();
  const sink = driver.acknowledge(0, 5);
  await settle();
  sink.event(record(8), at(8));
  driver.answerIncomplete(0, at(8));
  await settle();
  sink.event(record(9), at(9));
  assertEquals([lost, codes], [[at(8)], ["broadcast.hook"]]);
  for (const { value } of [await subscription.next(), await other.next()]) {
    assertEquals(value?.position, at(9));
  }
});

Deno.test("closing the broadcaster ends the loop without an error", async () => {
  const { broadcaster, subscription, publish } = await subscribed();
  await publish(1);
  await broadcaster.close();
  const seen: unknown[] = [];
  for await (const { data } of subscription) seen.push(data);
  assertEquals(seen, [1]);
});

// subscribe() once worked after close(), and nothing ever came.
Deno.test("after close() everything is refused with a clear error", async () => {
  const broadcaster = new MemoryBroadcaster();
  await broadcaster.close();
  assertThrows(() => broadcaster.subscribe("c"), BroadcastClosedError, "closed");
  assertThrows(() => broadcaster.authorize("c", () => true), BroadcastClosedError, "closed");
  await assertRejects(() => broadcaster.authorizeFor("c", undefined), BroadcastClosedError);
  await assertRejects(
    () => broadcaster.publish("c", { event: "n", data: 1 }),
    BroadcastClosedError,
    "Cannot publish on this broadcaster: it is closed",
  );
  await broadcaster.close();
});

Deno.test("bad names and options are refused where they are given", async () => {
  await using broadcaster = new MemoryBroadcaster();
  assertThrows(() => broadcaster.subscribe("no spaces"), BroadcastSubscribeError, "no spaces");
  const bad: unknown[] = [
    { maxQueuedEvents: 0 },
    { maxQueuedBytes: -1 },
    { overflow: "panic" },
    { onOverflow: "no function" },
    { after: { epoch: 1, offset: 1 } },
    { after: { epoch: "e", offset: -1 } },
    { overflw: "close" },
  ];
  for (const options of bad) {
    assertThrows(
      () => broadcaster.subscribe("c", options as SubscribeOptions),
      BroadcastConfigError,
    );
  }
});

async function overflowed(options: SubscribeOptions, values: unknown[]) {
  const overflows: SubscriptionOverflow[] = [];
  const { broadcaster, subscription, publish } = await subscribed({
    ...options,
    onOverflow: (overflow) => overflows.push(overflow),
  });
  await publish(...values);
  return { broadcaster, subscription, overflows };
}

async function takeAll(subscription: AsyncIterator<{ data: unknown }>, count: number) {
  const taken: unknown[] = [];
  for (let i = 0; i < count; i++) {
    const { value } = await subscription.next();
    taken.push(value?.data);
  }
  return taken;
}

Deno.test("overflow drop-oldest keeps the newest and tells each time", async () => {
  const { broadcaster, subscription, overflows } = await overflowed(
    { maxQueuedEvents: 2 },
    [1, 2, 3, 4],
  );
  assertEquals(await takeAll(subscription, 2), [3, 4]);
  assertEquals(overflows, [
    { channel: "c", policy: "drop-oldest", dropped: 1 },
    { channel: "c", policy: "drop-oldest", dropped: 2 },
  ]);
  await broadcaster.close();
});

Deno.test("overflow drop-newest keeps the oldest", async () => {
  const { broadcaster, subscription, overflows } = await overflowed(
    { maxQueuedEvents: 2, overflow: "drop-newest" },
    [1, 2, 3, 4],
  );
  assertEquals(await takeAll(subscription, 2), [1, 2]);
  assertEquals(overflows.map(({ dropped }) => dropped), [1, 2]);
  await broadcaster.close();
});

Deno.test("overflow close hands over what waits, then throws", async () => {
  const { broadcaster, subscription, overflows } = await overflowed(
    { maxQueuedEvents: 2, overflow: "close" },
    [1, 2, 3, 4],
  );
  assertEquals(await takeAll(subscription, 2), [1, 2]);
  const error = await assertRejects(() => subscription.next(), BroadcastOverflowError);
  assertEquals(error.code, "broadcast.overflow");
  assertEquals(await subscription.next(), { value: undefined, done: true });
  assertEquals(overflows.length, 1);
  await broadcaster.close();
});

Deno.test("guarantee 6: the queue is bounded in bytes as well, counted before an event is added", async () => {
  const large = "x".repeat(600);
  const { broadcaster, subscription, overflows } = await overflowed(
    { maxQueuedBytes: 1_000 },
    [large, "small", large, "x".repeat(2_000), "last"],
  );
  assertEquals(await takeAll(subscription, 3), ["small", large, "last"]);
  assertEquals(overflows.length, 2);
  await broadcaster.close();
});

Deno.test("data is shared and therefore frozen", async () => {
  const { broadcaster, subscription, publish } = await subscribed();
  await publish({ list: [1] });
  const { value } = await subscription.next();
  assertThrows(() => (value?.data as { list: number[] }).list.push(2), TypeError);
  await broadcaster.close();
});
