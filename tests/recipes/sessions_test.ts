import { MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import * as cookie from "../../examples/recipes/cookie_session.ts";
import * as token from "../../examples/recipes/token.ts";
import { Guest, Running } from "./shop.ts";

Deno.test("a user hears her own channel by the cookie of her session, and no other", async () => {
  await using broadcaster = new MemoryBroadcaster<cookie.User>();
  const gateway = cookie.createGateway(broadcaster, {
    find: (id) => Promise.resolve(id === "s1" ? { id: "ada" } : undefined),
  });
  await using running = new Running({
    fetch: gateway.handler,
    close: () => gateway.close(),
  });
  const send = () => broadcaster.publish("private-user.ada", { event: "hello", data: "Ada" });

  await using ada = new Guest(running.url, { cookie: "theme=dark; session=s1" });
  assertEquals(await ada.hear("private-user.ada", send), "Ada");
  assertEquals(await ada.isRefused("private-user.bob"), "unauthorized");

  await using stranger = new Guest(running.url, { cookie: "session=s2" });
  assertEquals(await stranger.isRefused("private-user.ada"), "unauthorized");
});

Deno.test("a user hears her own channel by her token", async () => {
  await using broadcaster = new MemoryBroadcaster<token.User>();
  const gateway = token.createGateway(broadcaster, (text) =>
    Promise.resolve(
      text === "secret" ? { id: "ada", expiresAt: Date.now() + 3_600_000 } : undefined,
    ));
  await using running = new Running({
    fetch: (request) => gateway.match(request) ? gateway.handler(request) : new Response("secret"),
    close: () => gateway.close(),
  });
  const send = () => broadcaster.publish("private-user.ada", { event: "hello", data: "Ada" });

  const { getToken } = token.clientOptions(running.url);
  await using ada = new Guest(running.url, {}, { getToken });
  assertEquals(await ada.hear("private-user.ada", send), "Ada");
});
