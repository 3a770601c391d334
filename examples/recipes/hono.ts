/** Beside Hono. The gateway comes first, so no middleware is between a client and its upgrade. */
import { type Broadcaster, BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { Hono } from "hono";

export function createApp(broadcaster: Broadcaster) {
  const gateway = new BroadcastGateway({ broadcaster });
  const app = new Hono();

  app.post("/orders/:id/pay", async (context) => {
    const channel = `orders.${context.req.param("id")}`;
    await broadcaster.publish(channel, { event: "paid", data: { total: 12 } });
    return context.body(null, 204);
  });

  return {
    fetch: (request: Request) =>
      gateway.match(request) ? gateway.handler(request) : app.fetch(request),
    close: () => gateway.close(),
  };
}

if (import.meta.main) Deno.serve(createApp(new MemoryBroadcaster()).fetch);
