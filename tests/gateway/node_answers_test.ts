/** How the listener on `node:http` answers what is no WebSocket. */
import { BroadcastGateway, type DisconnectionInfo, MemoryBroadcaster } from "@airwave/broadcast";
import { attach } from "@airwave/broadcast/node";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import v8 from "node:v8";
import vm from "node:vm";
import { respond } from "../../gateway/node/http.ts";

/** A failure is a test that fails, not one that hangs. */
const timeout = 20_000;

Deno.test(
  "a client that left while its stream was decided about is let go of",
  { timeout },
  async () => {
    const [asked, decision, left, ended] = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<boolean>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<DisconnectionInfo>(),
    ];
    await using broadcaster = new MemoryBroadcaster();
    broadcaster.authorize("private-x", () => {
      asked.resolve();
      return decision.promise;
    });
    await using gateway = new BroadcastGateway({ broadcaster, onDisconnect: ended.resolve });
    const http = createServer((message, response) => {
      response.once("close", left.resolve);
      attachment.handler(message, response);
    });
    const attachment = attach(gateway, http);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const bound = http.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    const client = new AbortController();
    const address = `http://127.0.0.1:${port}/_broadcast/sse?as=events&c=private-x`;
    const answer = fetch(address, { signal: client.signal });
    await asked.promise;
    client.abort();
    await assertRejects(() => answer);
    await left.promise;
    decision.resolve(true);
    assertEquals((await ended.promise).code, 1006);
    assertEquals([gateway.clientCount, gateway.channelCount], [0, 0]);
    await attachment.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  },
);

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
  v8.setFlagsFromString("--expose-gc");
  const gc: () => void = vm.runInNewContext("gc");
  const [warmUp, waits] = [10_000, 100_000];
  const heap: number[] = [];
  const response = new SlowAnswer();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (response.waits === warmUp || response.waits === waits) {
        gc();
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
