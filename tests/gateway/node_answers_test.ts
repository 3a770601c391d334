/** How the listener on `node:http` answers what is no WebSocket. */
import { BroadcastGateway, type DisconnectionInfo, MemoryBroadcaster } from "@airwave/broadcast";
import { attach } from "@airwave/broadcast/node";
import { assertEquals, assertRejects } from "@std/assert";
import { createServer } from "node:http";
import { listenOnLoopback } from "../servers/listen_on_loopback.ts";

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
    const port = await listenOnLoopback(http);
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
