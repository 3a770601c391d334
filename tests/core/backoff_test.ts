import { assert } from "@std/assert";
import { backoffMs } from "../../core/backoff.ts";

Deno.test("a pause doubles up to its bound, and is never less than half of it", () => {
  const expected = [[0, 25], [1, 50], [5, 800], [6, 1_000], [7, 1_000], [10_000, 1_000]] as const;
  for (const [failures, mostMs] of expected) {
    for (let i = 0; i < 100; i++) {
      const ms = backoffMs(failures, { initialMs: 25, maxMs: 1_000 });
      assert(ms >= mostMs / 2 && ms <= mostMs, `${ms} after ${failures} failures`);
    }
  }
});
