import { FakeTime } from "@airwave/broadcast/testing";
import { assertEquals } from "@std/assert";
import { TokenBucket } from "../../gateway/rate_limit.ts";

Deno.test("tokens come back with time, also where the time of day is set", async () => {
  using time = new FakeTime();
  const bucket = new TokenBucket({ burst: 2, perSecond: 1 });
  const take = () => [bucket.take(), bucket.take(), bucket.take()];
  assertEquals(take(), [true, true, false]);
  const timeOfDay = Date.now;
  try {
    for (const setMs of [3_600_000, -3_600_000]) {
      Date.now = () => timeOfDay() + setMs;
      assertEquals(take(), [false, false, false]);
      await time.tick(1_000);
      assertEquals(take(), [true, false, false]);
    }
  } finally {
    Date.now = timeOfDay;
  }
});
