import { assertEquals } from "@std/assert";
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
