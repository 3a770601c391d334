import { FakeTime } from "@airwave/broadcast/testing";
import { assertEquals, assertRejects } from "@std/assert";
import { Deadlines } from "../../core/deadline.ts";

Deno.test("an answer that is there needs no timer; one that is not has its time, and leaves none", async () => {
  using time = new FakeTime();
  const deadlines = new Deadlines();
  assertEquals(await deadlines.race({ authorized: true }, 10), { authorized: true });
  const inTime = deadlines.race(
    new Promise((resolve) => setTimeout(() => resolve("in time"), 9)),
    10,
  );
  const late = assertRejects(() => deadlines.race(new Promise(() => {}), 10));
  // What another library takes for a promise is one.
  const foreign: unknown = { then() {} };
  const foreignLate = assertRejects(() => deadlines.race(foreign, 10));
  await time.tick(10);
  assertEquals(await inTime, "in time");
  await late;
  await foreignLate;
  assertEquals(time.pendingTimers, 0);
});

Deno.test("after close() nothing is answered any more, whatever is there", async () => {
  const deadlines = new Deadlines();
  const waiting = assertRejects(() => deadlines.race(new Promise(() => {}), 1_000_000));
  deadlines.close();
  await waiting;
  await assertRejects(() => deadlines.race(true, 10));
  await assertRejects(() => deadlines.race(Promise.resolve(true), 10));
});
