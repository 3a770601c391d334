import { assertEquals } from "@std/assert";
import { closingLine, readCounts, sum } from "./counts.ts";

Deno.test("readCounts reads the summary of a run", () => {
  assertEquals(readCounts("ok | 4 passed | 0 failed (1s)\n", true), { passed: 4, failed: 0 });
  assertEquals(
    readCounts(
      "running 3 tests\n\nFAILED | 12 passed (1 step) | 3 failed | 1 ignored (4ms)\n",
      false,
    ),
    { passed: 12, failed: 3 },
  );
});

Deno.test("readCounts believes the last summary, not what a test printed", () => {
  const output = "ok | 900 passed | 0 failed (1s)\n\nok | 1 passed | 0 failed (1s)\n";
  assertEquals(readCounts(output, true), { passed: 1, failed: 0 });
});

Deno.test("readCounts counts a run without summary, or with a false one, as a failure", () => {
  assertEquals(readCounts("error: Type checking failed.\n", false), { passed: 0, failed: 1 });
  assertEquals(readCounts("", true), { passed: 0, failed: 1 });
  assertEquals(readCounts("ok | 4 passed | 0 failed (1s)\n", false), { passed: 4, failed: 1 });
});

Deno.test("the closing line sums all runs", () => {
  const total = sum([{ passed: 4, failed: 0 }, { passed: 2, failed: 1 }]);
  assertEquals(closingLine(total), "6 passed, 1 failed");
});
