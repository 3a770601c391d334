/** Beside Express, under Node as under Deno: the gateway takes the upgrades of Express's own server. */
import { createServer } from "node:http";
import { BroadcastGateway } from "@airwave/broadcast";
import { attach } from "@airwave/broadcast/node";
import express from "express";

/** @param {import("@airwave/broadcast").Broadcaster} broadcaster */
export function createApp(broadcaster) {
  const app = express();

  app.post("/orders/:id/pay", async (request, response) => {
    const channel = `orders.${request.params.id}`;
    await broadcaster.publish(channel, { event: "paid", data: { total: 12 } });
    response.status(204).end();
  });

  const gateway = new BroadcastGateway({ broadcaster });
  const server = createServer(app);
  return { server, gateway, attachment: attach(gateway, server) };
}
