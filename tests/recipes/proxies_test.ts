import { deadline } from "@std/async";
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { createApp } from "../../examples/recipes/routes.ts";
import { Proxy, replaceOnce } from "./proxies.ts";
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

/** Also a busy machine is through by then. */
const PATIENCE_MS = 60_000;

Deno.test("nginx: a time-out below the ping interval ends connections, and each of them resumes", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const gateway = new BroadcastGateway({ broadcaster });
  await using running = new Running({ fetch: gateway.handler, close: () => gateway.close() });
  await using proxy = await Proxy.start(
    "nginx",
    running.port,
    (text) => replaceOnce(text, "proxy_read_timeout 90s;", "proxy_read_timeout 1s;"),
  );
  await using guest = new Guest(proxy.url);
  const { client } = guest;
  const held = client.channel("c");
  await deadline(held.ready, PATIENCE_MS);
  for (let time = 0; time < 2; time++) {
    const closed = Promise.withResolvers<boolean>();
    const stop = client.on("close", ({ willReconnect }) => closed.resolve(willReconnect));
    const recovered = new Promise<number>((resolve) =>
      held.onRecovered(({ missed }) => resolve(missed))
    );
    assertEquals(await deadline(closed.promise, PATIENCE_MS), true);
    stop();
    await broadcaster.publish("c", { event: "n", data: time });
    assertEquals(await deadline(recovered, PATIENCE_MS), 1);
  }
});

Deno.test("nginx: where it passes no WebSocket on, a page goes on over server-sent events", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using running = new Running(createApp(broadcaster));
  await using proxy = await Proxy.start(
    "nginx",
    running.port,
    (text) => replaceOnce(text, "proxy_set_header Upgrade $http_upgrade;", ""),
  );
  await using guest = new Guest(proxy.url, {}, { transports: ["websocket", "sse"] });
  assertEquals(await guest.hear("orders.7", () => pay(proxy.url)), { total: 12 });
});
