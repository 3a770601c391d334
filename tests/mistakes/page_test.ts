/** The page and the tests have the same mistakes. */
import { assert, assertEquals } from "@std/assert";
import { read } from "../links.ts";
import { rows } from "./mistake.ts";

const FILES = [
  "tests/mistakes/options_test.ts",
  "tests/mistakes/gateway_test.ts",
  "tests/mistakes/process_test.ts",
  "tests/mistakes/postgres_test.ts",
  "tests/drivers_on_servers/redis_mistakes_test.ts",
  "tests/drivers_on_servers/postgres_mistakes_test.ts",
  "tests/e2e/mistakes_test.ts",
  "tests/npm/mistakes_test.ts",
];

Deno.test("every mistake of docs/troubleshooting.md is made by a test, and the other way round", () => {
  const code = FILES.map(read).join("\n");
  const made = [...code.matchAll(/\bmistake\(\s*"([^"]+)"/g)].map(([, name]) => name);
  const described = rows().map(({ mistake }) => mistake);
  assert(described.length >= 22);
  assertEquals(described.toSorted(), made.toSorted());
});
