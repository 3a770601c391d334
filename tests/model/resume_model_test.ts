import { type BroadcastDriver, MemoryBackend, MemoryDriver } from "@airwave/broadcast";
import { LateDriver } from "./late_driver.ts";
import { type Command, play, resumeModel, type ResumeModelOptions } from "./resume_model.ts";

function over(wrap: (driver: MemoryDriver) => BroadcastDriver): ResumeModelOptions {
  return {
    open: (historySize) => {
      const backend = new MemoryBackend({ historySize });
      return {
        driver: () => wrap(new MemoryDriver(backend)),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    runs: 500,
    patienceMs: 5_000,
  };
}

const memory = over((driver) => driver);
const late = over((driver) => new LateDriver(driver));

Deno.test("model: nobody misses an event, has one twice, or is told lost without need", () =>
  resumeModel(memory));

Deno.test("model: nor does anybody where the driver is late, says things twice and has outages", () =>
  resumeModel(late));

/** Sequences that found something once, each with what it was. */
const CASES: { readonly [what: string]: readonly Command[] } = {};

for (const [what, commands] of Object.entries(CASES)) {
  Deno.test(`model: ${what}`, async () => {
    await play(commands, memory);
    await play(commands, late);
  });
}
