/** What comes and goes for days leaves nothing behind: the heap after each round of it is flat. */
import { assert, assertEquals } from "@std/assert";
import { MemoryBroadcaster } from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";
import { collectGarbage } from "../collect_garbage.ts";
import { PlayedGateway, type User } from "./harness.ts";

const ROUNDS = 5;
/** The backend knows the last 100,000 ids again: the warm-up fills that up, and its table of them. */
const WARM_UP_EVENTS = 150_000;
const EVENTS = 20_000;
const USERS = 500;

/** Far below what one object for each name of a round would take, which is 100 bytes each at least. */
const MAX_GROWTH_BYTES = 500_000;

Deno.test("guarantee 6: names that are published on, users, tokens and orders leave nothing behind", async () => {
  using time = new FakeTime();
  const broadcaster = new MemoryBroadcaster<User>({ historyMaxChannels: 100 });
  broadcaster.authorize("presence-*", ({ subject }) => ({
    authorized: true,
    ...(subject === undefined ? {} : { presence: { id: subject.name } }),
  }));
  await using app = new PlayedGateway({
    identify: ({ name }) => name,
    resolveToken: (name) => ({ name, expiresAt: Date.now() + 60_000 }),
  }, broadcaster);
  let name = 0;
  const publish = async (events: number) => {
    for (let i = 0; i < events; i++) {
      const id = `id-${++name}`;
      await broadcaster.publish(`channel-${name}`, { event: "n", data: 0, id });
    }
  };
  const round = async () => {
    await publish(EVENTS);
    const clients = Array.from({ length: USERS }, () => {
      const client = app.connect(undefined, "?v=2");
      client.send({ t: "auth", n: 1, k: `user-${++name}` });
      client.send({ t: "sub", c: `presence-${name}`, n: 2 });
      client.send({ t: "sub", c: `channel-${name}`, n: 3 });
      return client;
    });
    await time.tick(0);
    assertEquals(clients.every(({ socket }) => socket.frames.some(({ t }) => t === "here")), true);
    for (let i = 0; i < USERS; i++) {
      await broadcaster.revoke({ user: `user-${name - i}` }, { rememberMs: 1_000 });
    }
    for (const { events } of clients) events.closed(1006, "");
    await time.tick(60_000);
    assertEquals(app.gateway.clientCount, 0);
  };
  const heap: number[] = [];
  await publish(WARM_UP_EVENTS);
  for (let i = 0; i < ROUNDS; i++) {
    await round();
    app.disconnections.length = 0;
    collectGarbage();
    heap.push(Deno.memoryUsage().heapUsed);
  }
  // The first round still warms up.
  const growth = (heap.at(-1) ?? NaN) - (heap[1] ?? NaN);
  assert(growth < MAX_GROWTH_BYTES, `${growth} bytes more: ${heap.join(", ")}`);
});
