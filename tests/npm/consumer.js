/**
 * An application that installed the package: it imports every export, and an event goes from a
 * publisher over a gateway to a client. Ends by itself, which it cannot with anything left open.
 */
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";
import { serve as serveOnBun } from "@airwave/broadcast/bun";
import "@airwave/broadcast/gateway";
import { serve } from "@airwave/broadcast/node";
import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
import { isChannelName } from "@airwave/broadcast/protocol";
import { RedisBroadcaster } from "@airwave/broadcast/redis";
import { FakeTime } from "@airwave/broadcast/testing";
import { WebSocket } from "ws";

const broadcaster = new MemoryBroadcaster();
const gateway = new BroadcastGateway({ broadcaster });

async function receive(port, webSocketFactory) {
  const client = new BroadcastClient({
    url: `ws://127.0.0.1:${port}/_broadcast`,
    webSocketFactory,
  });
  const received = new Promise((resolve, reject) => {
    client.on("error", reject);
    client.channel("news").on("headline", resolve);
  });
  await new Promise((resolve) => client.on("subscribed", resolve));
  await broadcaster.publish("news", { event: "headline", data: { title: "It works" } });
  const { title } = await received;
  client.disconnect();
  return title;
}

const imported = [PostgresBroadcaster, RedisBroadcaster, FakeTime, isChannelName];
console.log(imported.every((value) => typeof value === "function"));

const server = await serve(gateway, { port: 0, hostname: "127.0.0.1" });
console.log(await receive(server.port, (url) => new WebSocket(url)));
await server.close();

if ("Deno" in globalThis) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, gateway.handler);
  console.log(await receive(server.addr.port, (url) => new globalThis.WebSocket(url)));
  await server.shutdown();
}
if ("Bun" in globalThis) {
  const server = serveOnBun(gateway, { port: 0, hostname: "127.0.0.1" });
  console.log(await receive(server.port, (url) => new globalThis.WebSocket(url)));
  await server.close();
}
await gateway.close();
await broadcaster.close();
