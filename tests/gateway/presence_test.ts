import { assertEquals } from "@std/assert";
import {
  type BroadcastGatewayOptions,
  DriverBroadcaster,
  MemoryBackend,
  MemoryBroadcaster,
  MemoryDriver,
} from "@airwave/broadcast";
import type { HereFrame } from "@airwave/broadcast/protocol";
import { FakeTime } from "@airwave/broadcast/testing";
import { PlayedGateway, type User } from "./harness.ts";

const ROOM = "presence-room";

function node(
  broadcaster: DriverBroadcaster<User> = new MemoryBroadcaster<User>(),
  options: Partial<BroadcastGatewayOptions<User>> = {},
): PlayedGateway {
  broadcaster.authorize("presence-*", ({ subject }) => ({
    authorized: true,
    ...(subject === undefined
      ? {}
      : { presence: { id: subject.name, colour: "red", private: { ip: "127.0.0.1" } } }),
  }));
  return new PlayedGateway(options, broadcaster);
}

Deno.test("the roster comes behind ok and what was missed, then who comes and goes", async () => {
  using time = new FakeTime();
  await using app = node();
  const ada = app.connect({ name: "ada" }, "?v=2");
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  const ok = ada.socket.frames.at(1);
  await app.broadcaster.publish(ROOM, { event: "n", data: 1 });
  const bob = app.connect({ name: "bob" }, "?v=2");
  bob.send({ t: "sub", c: ROOM, n: 1, p: ok?.t === "ok" ? ok.p : undefined });
  await time.tick(0);
  const here = (...ids: string[]): HereFrame => ({
    t: "here",
    c: ROOM,
    m: ids.map((id) => ({ id, colour: "red" })),
  });
  assertEquals(bob.socket.frames.slice(1).map(({ t }) => t), ["ok", "msg", "here"]);
  assertEquals(bob.socket.frames.at(-1), here("ada", "bob"));
  bob.send({ t: "unsub", c: ROOM, n: 2 });
  await time.tick(5_000);
  assertEquals(ada.socket.frames.slice(2).filter(({ t }) => t !== "msg"), [
    here("ada"),
    { t: "join", c: ROOM, m: { id: "bob", colour: "red" } },
    { t: "leave", c: ROOM, u: "bob" },
  ]);
});

Deno.test("guarantee 10: two users, two tabs each, two nodes: one join and one leave each", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  const nodes = [0, 1].map(() => node(new DriverBroadcaster<User>(new MemoryDriver(backend))));
  const watcher = nodes[0]?.connect(undefined, "?v=2");
  watcher?.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  const tabs = nodes.flatMap((node) =>
    ["ada", "bob"].flatMap((name) => [node.connect({ name }, "?v=2"), node.connect({ name })])
  );
  for (const tab of tabs) tab.send({ t: "sub", c: ROOM });
  await time.tick(0);
  for (const tab of tabs) {
    tab.events.closed(1006, "");
    await time.tick(1_000);
  }
  await time.tick(30_000);
  const told = watcher?.socket.frames.slice(3).map((frame) =>
    frame.t === "join" ? `+${frame.m.id}` : frame.t === "leave" ? `-${frame.u}` : frame.t
  ).filter((text) => text !== "ping");
  assertEquals(told, ["+ada", "+bob", "-ada", "-bob"]);
  for (const { gateway, broadcaster } of nodes) {
    await gateway.close();
    await broadcaster.close();
  }
});

Deno.test("revision 1 is present and hears nothing of it", async () => {
  using time = new FakeTime();
  await using app = node();
  const old = app.connect({ name: "old" });
  old.send({ t: "sub", c: ROOM });
  const ada = app.connect({ name: "ada" }, "?v=2");
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  assertEquals(old.heard, [{ t: "ok", c: ROOM }]);
  assertEquals((await app.broadcaster.presence(ROOM)).map(({ id }) => id), ["old", "ada"]);
});

Deno.test("guarantee 10: clients of revision 1 that come and go leave the others present", async () => {
  using time = new FakeTime();
  await using app = node();
  const [first, second] = [0, 1].map(() => {
    const client = app.connect(undefined, "?v=1");
    client.send({ t: "sub", c: ROOM });
    return client;
  });
  await time.tick(0);
  first?.send({ t: "unsub", c: ROOM });
  await time.tick(0);
  const ada = app.connect({ name: "ada" }, "?v=2");
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  second?.send({ t: "unsub", c: ROOM });
  await time.tick(0);
  const bob = app.connect({ name: "bob" }, "?v=2");
  bob.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  assertEquals(bob.socket.frames.at(-1), {
    t: "here",
    c: ROOM,
    m: [{ id: "ada", colour: "red" }, { id: "bob", colour: "red" }],
  });
  assertEquals(ada.socket.frames.at(-1), { t: "join", c: ROOM, m: { id: "bob", colour: "red" } });
});

Deno.test("what only the server sees stays with the server", async () => {
  using time = new FakeTime();
  await using app = node();
  const ada = app.connect({ name: "ada" }, "?v=2");
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  assertEquals(JSON.stringify(ada.socket.frames).includes("127.0.0.1"), false);
  const [member] = await app.broadcaster.presence(ROOM);
  assertEquals(member?.private, { ip: "127.0.0.1" });
});

Deno.test("a description that is too large is reported, and the subscription fails", async () => {
  using time = new FakeTime();
  const broadcaster = new MemoryBroadcaster<User>();
  broadcaster.authorize(ROOM, () => ({
    authorized: true,
    presence: { id: "ada", bio: "x".repeat(2_000) },
  }));
  await using app = new PlayedGateway({}, broadcaster);
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await time.tick(0);
  assertEquals(ada.socket.frames.slice(1).map(({ t }) => t), ["ok", "gone"]);
  assertEquals(app.errors.map(({ code }) => code), ["broadcast.config"]);
});

Deno.test("leaving within the turn of ok leaves no member behind", async () => {
  using time = new FakeTime();
  await using app = node();
  const ada = app.connect({ name: "ada" }, "?v=2");
  const left = ada.socket.until(({ frames }) => frames.some(({ t }) => t === "ok"))
    .then(() => ada.events.closed(1006, ""));
  ada.send({ t: "sub", c: ROOM, n: 1 });
  await left;
  await time.tick(6_000);
  assertEquals(await app.broadcaster.presence(ROOM), []);
  assertEquals(app.gateway.clientCount, 0);
});

Deno.test("who is cut off by the very ok leaves no member behind", async () => {
  using time = new FakeTime();
  await using app = node(undefined, { maxQueuedBytes: 1_024 });
  const ada = app.connect({ name: "ada" }, "?v=2");
  await time.tick(0);
  // It reads nothing any more: what is said to it soon does not fit.
  ada.socket.bufferedAmount = 2 ** 20;
  const rooms = Array.from({ length: 30 }, (_, n) => `${ROOM}.${n}`);
  for (const [n, c] of rooms.entries()) ada.send({ t: "sub", c, n });
  await time.tick(0);
  assertEquals([ada.socket.closed?.code, app.gateway.clientCount], [4100, 0]);
  await time.tick(5_000);
  for (const room of rooms) assertEquals(await app.broadcaster.presence(room), []);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("who leaves two channels leaves each under its own name", async () => {
  using time = new FakeTime();
  await using app = node();
  const watcher = app.connect(undefined, "?v=2");
  const ada = app.connect({ name: "ada" }, "?v=2");
  for (const client of [watcher, ada]) {
    for (const [n, c] of [ROOM, "presence-hall"].entries()) client.send({ t: "sub", c, n });
  }
  await time.tick(0);
  ada.events.closed(1006, "");
  await time.tick(5_000);
  assertEquals(
    watcher.socket.frames.flatMap((frame) => frame.t === "leave" ? [[frame.c, frame.u]] : []),
    [[ROOM, "ada"], ["presence-hall", "ada"]],
  );
});
