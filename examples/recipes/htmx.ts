/**
 * A page of htmx, without a client of ours: it reads one channel as events by their names, and each
 * of them has it fetch its fragment anew. The page's script is htmx_page.ts.
 */
import { type Broadcaster, BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";

const PAY = new URLPattern({ pathname: "/orders/:id/pay" });

// The list is loaded when the stream is live, so nothing falls between the two; then by each event.
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Shop</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }</style>
<script type="module" src="/page.js"></script>
<body hx-sse:connect="/_broadcast/sse?c=orders.7&amp;as=events">
  <h1>Order 7</h1>
  <div id="root"
    hx-get="/payments"
    hx-trigger="htmx:sse:after:connection from:body once, paid from:body delay:20ms">
  </div>
</body>
</html>`;

export function createApp(broadcaster: Broadcaster) {
  const gateway = new BroadcastGateway({ broadcaster });
  let sales = 0;
  return {
    async fetch(request: Request): Promise<Response> {
      if (gateway.match(request)) return await gateway.handler(request);
      const { pathname } = new URL(request.url);
      if (pathname === "/") return html(PAGE);
      if (pathname === "/payments") return html(`Sales: ${sales}`);
      const { id } = PAY.exec(request.url)?.pathname.groups ?? {};
      if (id === undefined || request.method !== "POST") {
        return new Response("Not found", { status: 404 });
      }
      sales += 12;
      await broadcaster.publish(`orders.${id}`, { event: "paid", data: { total: 12 } });
      return new Response(null, { status: 204 });
    },
    close: () => gateway.close(),
  };
}

function html(body: string): Response {
  return new Response(body, { headers: { "content-type": "text/html; charset=utf-8" } });
}

if (import.meta.main) Deno.serve(createApp(new MemoryBroadcaster()).fetch);
