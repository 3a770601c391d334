/**
 * The listener on `node:http`, as a program for Node: prints its port, lets everybody publish, and on
 * a SIGTERM closes everything and is over when nothing is left of it.
 */
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { serve } from "@airwave/broadcast/node";
import process from "node:process";

const broadcaster = new MemoryBroadcaster();
const gateway = new BroadcastGateway({ broadcaster, allowClientPublish: () => true });
const server = await serve(gateway, { port: 0, hostname: "127.0.0.1" });

process.once("SIGTERM", async () => {
  await gateway.close();
  await server.close();
  await broadcaster.close();
});

console.log(server.port);
