import { assert } from "@std/assert";
import { SqliteDriver } from "../../examples/own_driver/sqlite_driver.ts";
import { ROOT } from "../../scripts/project.ts";
import { driverContract } from "../../testing/driver_contract.ts";

driverContract(
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "airwave-sqlite-" });
    return {
      driver: () => new SqliteDriver(`${folder}/events.db`),
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
  (name, run) => Deno.test(`SQLite: ${name}`, run),
);

Deno.test("the example of a driver is an afternoon's work", () => {
  const lines = Deno.readTextFileSync(`${ROOT}/examples/own_driver/sqlite_driver.ts`).split("\n");
  assert(lines.length - 1 <= 100, `${lines.length - 1} lines`);
});
