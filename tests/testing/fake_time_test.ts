import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@airwave/broadcast/testing";

Deno.test("timers fire when they are due, in that order, those due together as they were set", async () => {
  using time = new FakeTime(1_000);
  const fired: string[] = [];
  setTimeout(() => fired.push("b"), 20);
  setTimeout(() => fired.push("a"), 10);
  setTimeout(() => fired.push("c"), 20);
  const interval = setInterval(() => fired.push(`every 15 at ${Date.now()}`), 15);
  clearTimeout(setTimeout(() => fired.push("never"), 5));
  await time.tick(30);
  assertEquals(fired, ["a", "every 15 at 1015", "b", "c", "every 15 at 1030"]);
  clearInterval(interval);
  assertEquals([time.pendingTimers, time.nowMs], [0, 1_030]);
});

Deno.test("promises that a timer settles are worked off before the next timer", async () => {
  using time = new FakeTime();
  const order: string[] = [];
  setTimeout(() => Promise.resolve().then(() => order.push("promise of the first")), 10);
  setTimeout(() => order.push("second"), 10);
  await time.tick(10);
  assertEquals(order, ["promise of the first", "second"]);
});

Deno.test("a timer set by a timer fires within the same tick", async () => {
  using time = new FakeTime();
  let fired = 0;
  setTimeout(() => setTimeout(() => fired++, 10), 10);
  await time.tick(19);
  assertEquals(fired, 0);
  await time.tick(1);
  assertEquals(fired, 1);
});

Deno.test("the platform's own timers and clock are back afterwards", () => {
  const { setTimeout: before } = globalThis;
  const { now } = Date;
  const { now: monotonic } = performance;
  {
    using _time = new FakeTime(0);
    assertEquals(globalThis.setTimeout === before, false);
    assertEquals([Date.now(), performance.now()], [0, 0]);
  }
  assertEquals([globalThis.setTimeout === before, Date.now === now], [true, true]);
  assertEquals(performance.now === monotonic, true);
});

Deno.test("a timer is what the platform's own is, and can be cleared and started anew", async () => {
  const own = setTimeout(() => {});
  clearTimeout(own);
  using time = new FakeTime();
  let rang = 0;
  const timer: unknown = setTimeout(() => rang++, 10);
  assertEquals(typeof timer, typeof own);
  if (typeof timer !== "object") return;
  assert(timer !== null && "unref" in timer && typeof timer.unref === "function");
  assert("refresh" in timer && typeof timer.refresh === "function");
  assertEquals(timer.unref(), timer);
  await time.tick(9);
  timer.refresh();
  await time.tick(9);
  assertEquals(rang, 0);
  await time.tick(1);
  assertEquals(rang, 1);
  clearTimeout(setTimeout(() => rang++, 10));
  await time.tick(10);
  assertEquals([rang, time.pendingTimers], [1, 0]);
});

Deno.test("a timer that was set before is cleared all the same", async () => {
  let rang = 0;
  const before = setTimeout(() => rang++);
  {
    using _time = new FakeTime();
    clearTimeout(before);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(rang, 0);
});
