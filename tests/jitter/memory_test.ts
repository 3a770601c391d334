import { NodeProcess } from "../nodes/node_process.ts";
import { assertPerfect, jitter, WHOLE } from "./trial.ts";

Deno.test("guarantees 1, 2, 3: 500 clients on a bad network over memory", async () => {
  await using node = await NodeProcess.start({ driver: "memory", name: "jitter" });
  assertPerfect(await jitter([node], { ...WHOLE, kill: false }));
});
