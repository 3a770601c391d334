import { type Broadcaster, BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { createApp as createExpress } from "../../examples/recipes/express.js";
import { broadcasting, payOrder } from "../../examples/recipes/fresh.ts";
import { createApp as createHono } from "../../examples/recipes/hono.ts";
import { createApp as createRoutes } from "../../examples/recipes/routes.ts";
import { listenOnLoopback } from "../servers/listen_on_loopback.ts";
import { type App, Guest, pay, Running } from "./shop.ts";

const APPS = { routes: createRoutes, hono: createHono, "fresh, as a stand-in has it": createFresh };

for (const [name, createApp] of Object.entries(APPS)) {
  Deno.test(`${name}: a payment is heard, and what is no route is not found`, async () => {
    await using broadcaster = new MemoryBroadcaster();
    await using running = new Running(createApp(broadcaster));
    await using guest = new Guest(running.url);
    assertEquals(await guest.hear("orders.7", () => pay(running.url)), { total: 12 });
    const nothing = await fetch(`${running.url}/nothing`);
    await nothing.body?.cancel();
    assertEquals(nothing.status, 404);
  });
}

Deno.test("express: a payment is heard, and what is no route is not found", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const { server, gateway, attachment } = createExpress(broadcaster);
  const url = `http://127.0.0.1:${await listenOnLoopback(server)}`;
  {
    await using guest = new Guest(url);
    assertEquals(await guest.hear("orders.7", () => pay(url)), { total: 12 });
    const nothing = await fetch(`${url}/nothing`);
    await nothing.body?.cancel();
    assertEquals(nothing.status, 404);
  }
  await gateway.close();
  await attachment.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** In the place of Fresh's `App`: a middleware, then a route, the first one called in the same turn. */
function createFresh(broadcaster: Broadcaster): App {
  const gateway = new BroadcastGateway({ broadcaster });
  const [first, route] = [broadcasting(gateway), payOrder(broadcaster)];
  const path = new URLPattern({ pathname: "/orders/:id/pay" });
  return {
    fetch(req) {
      const match = path.exec(req.url);
      const params = { id: match?.pathname.groups.id ?? "" };
      const next = async () => {
        if (match === null) return new Response("Not found", { status: 404 });
        return await route({ req, params, next });
      };
      return first({ req, params, next });
    },
    close: () => gateway.close(),
  };
}
