/** Beside the routes of a plain `Deno.serve`. */
import { type Broadcaster, BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";

const PAY = new URLPattern({ pathname: "/orders/:id/pay" });

export function createApp(broadcaster: Broadcaster) {
  const gateway = new BroadcastGateway({ broadcaster });
  return {
    async fetch(request: Request): Promise<Response> {
      // First, and before anything is awaited: a client may leave while others are asked.
      if (gateway.match(request)) return await gateway.handler(request);
      const { id } = PAY.exec(request.url)?.pathname.groups ?? {};
      if (id === undefined || request.method !== "POST") {
        return new Response("Not found", { status: 404 });
      }
      await broadcaster.publish(`orders.${id}`, { event: "paid", data: { total: 12 } });
      return new Response(null, { status: 204 });
    },
    close: () => gateway.close(),
  };
}

if (import.meta.main) Deno.serve(createApp(new MemoryBroadcaster()).fetch);
