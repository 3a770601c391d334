/** Runs the recipe for Express: somebody pays, and a client hears of it. */
import { MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";
import { WebSocket } from "ws";
import { createApp } from "../../examples/recipes/express.js";

const broadcaster = new MemoryBroadcaster();
const { server, gateway, attachment } = createApp(broadcaster);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
const client = new BroadcastClient({
  url: `ws://127.0.0.1:${port}/_broadcast`,
  webSocketFactory: (url) => new WebSocket(url),
});
const orders = client.channel("orders.7");
const paid = new Promise((resolve) => orders.on("paid", resolve));
await orders.ready;
await fetch(`http://127.0.0.1:${port}/orders/7/pay`, { method: "POST" });
console.log((await paid).total);

client.disconnect();
await gateway.close();
await attachment.close();
server.closeAllConnections();
server.close();
await broadcaster.close();
