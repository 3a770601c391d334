import { assertEquals } from "@std/assert";
import { NodeProcess } from "../nodes/node_process.ts";
import { describe, jitter, WHOLE } from "./trial.ts";

Deno.test("guarantee 2: over memory, which a kill empties, every client is told so", async () => {
  await using node = await NodeProcess.start({ driver: "memory", name: "jitter" });
  const options = { ...WHOLE, durationMs: 15_000, kill: true };
  const result = await jitter([node], options, ({ lost, seen }) => lost >= seen.size);
  console.log(describe(result));
  const { toldLost, twice, outOfOrder } = result;
  assertEquals({ toldLost, twice, outOfOrder }, {
    toldLost: WHOLE.clients,
    twice: 0,
    outOfOrder: 0,
  });
});
