import { assert, assertEquals, assertMatch } from "@std/assert";
import { monotonicUlid } from "@std/ulid";

Deno.test("a ULID carries its time in ten digits, whoever stands in for the module", () => {
  const ulid = monotonicUlid(281_474_976_710_655); // the last millisecond that fits
  assertMatch(ulid, /^7ZZZZZZZZZ[0-9A-HJKMNP-TV-Z]{16}$/);
});

Deno.test("ULIDs of one millisecond, and of a clock that steps back, sort as they were made", () => {
  const now = 281_474_976_710_655;
  const made = Array.from({ length: 1000 }, (_, at) => monotonicUlid(now - at % 3));
  assertEquals([...made].sort(), made);
  assertEquals(new Set(made).size, made.length);
  assert(made.every((ulid) => ulid.length === 26));
});
