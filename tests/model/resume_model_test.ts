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

/**
 * Sequences that must be played in every run: what once failed, on broken code too, and what is
 * easily broken.
 */
const CASES: { readonly [what: string]: readonly Command[] } = {
  // Found when live events were not kept while history is read.
  "live events that come while a resume is read": [
    { do: "subscribe", client: 1, channel: 0 },
    { do: "connect", client: 1, node: 0 },
    { do: "wait", turns: 1 },
    { do: "restart", node: 0 },
    { do: "connect", client: 0, node: 0 },
    { do: "connect", client: 1, node: 0 },
    { do: "publish", node: 0, channel: 0 },
    { do: "publish", node: 0, channel: 0 },
    { do: "subscribe", client: 0, channel: 0 },
    { do: "cut unnoticed", client: 0 },
    { do: "publish", node: 0, channel: 0 },
    { do: "publish", node: 0, channel: 0 },
    { do: "publish", node: 0, channel: 0 },
  ],
  "an old connection whose end is noticed after its successor lives on the same node": [
    { do: "subscribe", client: 0, channel: 0 },
    { do: "connect", client: 0, node: 0 },
    { do: "publish", node: 1, channel: 0 },
    { do: "wait", turns: 12 },
    { do: "cut unnoticed", client: 0 },
    { do: "publish", node: 1, channel: 0 },
    { do: "connect", client: 0, node: 0 },
    { do: "wait", turns: 12 },
    { do: "notice" },
    { do: "publish", node: 1, channel: 0 },
  ],
  "a history that is trimmed while the last listener comes back": [
    { do: "subscribe", client: 0, channel: 0 },
    { do: "connect", client: 0, node: 0 },
    { do: "publish", node: 0, channel: 0 },
    { do: "wait", turns: 12 },
    { do: "cut", client: 0 },
    { do: "publish", node: 1, channel: 0 },
    { do: "connect", client: 0, node: 1 },
    { do: "wait", turns: 3 },
    { do: "flood", node: 0, channel: 0 },
    { do: "publish again", node: 0 },
  ],
};

for (const [what, commands] of Object.entries(CASES)) {
  Deno.test(`model: ${what}`, async () => {
    await play(commands, memory);
    await play(commands, late);
  });
}
