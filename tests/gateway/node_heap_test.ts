/** What the listener on `node:http` keeps of an answer that goes on. */
import { assert, assertEquals } from "@std/assert";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { respond } from "../../gateway/node/http.ts";
import { collectGarbage } from "../collect_garbage.ts";

/** An answer whose reader has to be waited for after each piece. */
class SlowAnswer extends ServerResponse {
  waits = 0;

  constructor() {
    super(new IncomingMessage(new Socket()));
  }
  override writeHead(): this {
    return this;
  }
  override flushHeaders(): void {}
  override write(): boolean {
    this.waits++;
    queueMicrotask(() => this.emit("drain"));
    return false;
  }
  override end(): this {
    return this;
  }
}

Deno.test("an answer that goes on for days keeps nothing of each time that its reader was waited for", async () => {
  const [warmUp, waits] = [10_000, 100_000];
  const heap: number[] = [];
  const response = new SlowAnswer();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (response.waits === warmUp || response.waits === waits) {
        collectGarbage();
        heap.push(Deno.memoryUsage().heapUsed);
      }
      if (response.waits === waits) controller.close();
      else controller.enqueue(new Uint8Array(1));
    },
  }, { highWaterMark: 0 });
  await respond(response, new Response(body));
  assertEquals([heap.length, response.waits], [2, waits]);
  const growth = (heap[1] ?? NaN) - (heap[0] ?? NaN);
  // It was 300 for each wait.
  assert(growth < 10 * (waits - warmUp), `${growth} bytes more`);
});
