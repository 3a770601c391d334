import { MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { createApp } from "../../examples/recipes/routes.ts";
import { Proxy } from "./proxies.ts";
import { Guest, pay, Running } from "./shop.ts";

for (const name of ["nginx", "caddy"] as const) {
  Deno.test(`${name}: a page on the proxy's origin hears a payment by its WebSocket`, async () => {
    await using broadcaster = new MemoryBroadcaster();
    await using running = new Running(createApp(broadcaster));
    await using proxy = await Proxy.start(name, running.port);
    await using guest = new Guest(proxy.url, { origin: proxy.url });
    assertEquals(await guest.hear("orders.7", () => pay(proxy.url)), { total: 12 });
    await using stranger = new Guest(proxy.url, { origin: "https://evil.example" }, {
      maxReconnectAttempts: 0,
    });
    assertEquals((await stranger.error(() => {})).code, "client.connection_refused");
  });

  Deno.test(`${name}: server-sent events come through as they are sent`, async () => {
    await using broadcaster = new MemoryBroadcaster();
    await using running = new Running(createApp(broadcaster));
    await using proxy = await Proxy.start(name, running.port);
    await using guest = new Guest(proxy.url, {}, {
      transports: ["sse"],
    });
    assertEquals(await guest.hear("orders.7", () => pay(proxy.url)), { total: 12 });
  });
}
