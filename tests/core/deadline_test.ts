import { FakeTime } from "@airwave/broadcast/testing";
import { assertEquals, assertRejects } from "@std/assert";
import { Deadlines } from "../../core/deadline.ts";

Deno.test("an answer that is there needs no timer; one that is not has its time, and leaves none", async () => {
  using time = new FakeTime();
  const deadlines = new Deadlines();
  const atOnce = deadlines.race({ authorized: true }, 10);
  assertEquals(time.pendingTimers, 0);
  assertEquals(await atOnce, { authorized: true });
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

Deno.test("a wait that failed says how: as the answer did, or by what is known of why there is none", async () => {
  using time = new FakeTime();
  const deadlines = new Deadlines();
  const cause = new Error("The database is down");
  assertEquals(await assertRejects(() => deadlines.race(Promise.reject(cause), 10)), cause);
  const failure = async (why?: () => unknown) => {
    const error = await assertRejects(
      () => deadlines.race(new Promise(() => {}), 10, why),
      Error,
      "No answer within 10 ms",
    );
    return ["cause" in error, error.cause];
  };
  const failures = Promise.all([failure(), failure(() => undefined), failure(() => cause)]);
  await time.tick(10);
  assertEquals(await failures, [[false, undefined], [false, undefined], [true, cause]]);
});

Deno.test("after close() nothing is answered any more, whatever is there", async () => {
  using time = new FakeTime();
  const deadlines = new Deadlines();
  const waiting = assertRejects(() => deadlines.race(new Promise(() => {}), 1_000_000));
  deadlines.close();
  await waiting;
  await assertRejects(() => deadlines.race(true, 10));
  await assertRejects(() => deadlines.race(Promise.resolve(true), 10));
  assertEquals(time.pendingTimers, 0);
});
