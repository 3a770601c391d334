import { assert, assertEquals } from "@std/assert";
import type { ServerFrame, WirePosition } from "@airwave/broadcast/protocol";
import { FakeGatewaySocket, FakeTime, settle } from "@airwave/broadcast/testing";
import { ChannelEvent } from "@airwave/broadcast";
import { Backlog, BacklogLimit } from "../../gateway/backlog.ts";
import { Flusher } from "../../gateway/flusher.ts";
import { type PlayedClient, PlayedGateway } from "./harness.ts";

/** What the gateway hands to a socket at most before it waits. */
const SOCKET_BYTES = 64 * 1024;
const EVENT_BYTES = 50_000;

/** A peer that takes what it was sent only when the test says so. */
class SlowSocket extends FakeGatewaySocket {
  override send(text: string): void {
    this.bufferedAmount += text.length;
    super.send(text);
  }

  read(): void {
    this.bufferedAmount = 0;
  }
}

/** Publishes numbered events of a size, so that a replay of them is long. */
async function fill(played: PlayedGateway, channel: string, from: number, to: number) {
  for (let n = from; n <= to; n++) {
    const data = { n, text: "x".repeat(EVENT_BYTES) };
    await played.broadcaster.publish(channel, { event: "e", data });
  }
}

/** The position before a channel's first event. */
async function start(played: PlayedGateway, channel: string): Promise<WirePosition> {
  const { position } = await played.broadcaster.subscribe(channel).ready;
  return { e: position?.epoch ?? "", o: 0 };
}

function connect(played: PlayedGateway) {
  const socket = new SlowSocket();
  return { socket, client: played.connect(undefined, "?v=2", socket) };
}

/** Offsets of what came on a channel. */
function offsets({ socket }: PlayedClient, channel: string): (number | undefined)[] {
  const isMsg = (frame: ServerFrame) => frame.t === "msg" && frame.c === channel;
  return socket.frames.filter(isMsg).map((frame) => frame.t === "msg" ? frame.o : undefined);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("a replay of many megabytes flows as a slow client reads, live events behind it", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const p = await start(played, "long");
  await fill(played, "long", 1, 200);
  const { socket, client } = connect(played);
  client.send({ t: "sub", c: "long", n: 1, p });
  client.send({ t: "sub", c: "other", n: 2 });
  await settle();
  assert(offsets(client, "long").length < 5, "it was handed more than its socket takes");
  await fill(played, "long", 201, 210);
  let rounds = 0;
  while (offsets(client, "long").length < 210) {
    assert(socket.bufferedAmount <= SOCKET_BYTES + EVENT_BYTES, `${socket.bufferedAmount} bytes`);
    socket.read();
    await time.tick(20);
    // The other channel does not wait for the long one.
    if (++rounds === 50) {
      await fill(played, "other", 1, 1);
      socket.read();
      await time.tick(20);
      assertEquals(offsets(client, "other"), [1]);
    }
    assert(rounds < 1_000);
  }
  assert(rounds > 50);
  assertEquals(offsets(client, "long"), range(1, 210));
  const ofLong = client.heard.filter((frame) => (frame as { c?: unknown }).c === "long");
  assertEquals(ofLong.slice(0, 1), [
    { t: "ok", c: "long", n: 1, p: { e: p.e, o: 200 }, r: "ok", m: 200 },
  ]);
  assertEquals(socket.closed, undefined);
});

Deno.test("a replay that may not wait is cut off, and each attempt brings the client further", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ maxBacklogBytes: 0 });
  const start_ = await start(played, "long");
  await fill(played, "long", 1, 20);
  const got: (number | undefined)[] = [];
  let attempts = 0;
  while (got.length < 20) {
    assert(++attempts <= 20, "an attempt brought nothing");
    const { socket, client } = connect(played);
    client.send({ t: "sub", c: "long", n: 1, p: { e: start_.e, o: got.length } });
    await settle();
    for (let round = 0; round < 3; round++) {
      socket.read();
      await time.tick(20);
    }
    got.push(...offsets(client, "long"));
    if (got.length < 20) assertEquals(socket.closed?.code, 4100);
    else assertEquals(socket.closed, undefined);
    client.events.closed(1006, "");
  }
  assertEquals(got, range(1, 20));
});

Deno.test("live events behind a replay are bounded like any queue", async () => {
  using _time = new FakeTime();
  await using played = new PlayedGateway({ maxQueuedBytes: 3 * EVENT_BYTES });
  const p = await start(played, "long");
  await fill(played, "long", 1, 20);
  const { socket, client } = connect(played);
  client.send({ t: "sub", c: "long", n: 1, p });
  await settle();
  await fill(played, "long", 21, 22);
  assertEquals(socket.closed, undefined);
  await fill(played, "long", 23, 24);
  assertEquals(socket.closed?.code, 4100);
});

Deno.test("live events that have left count no more", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ maxQueuedBytes: 8 * EVENT_BYTES });
  const { e } = await start(played, "long");
  await fill(played, "long", 1, 20);
  const { socket, client } = connect(played);
  client.send({ t: "sub", c: "long", n: 1, p: { e, o: 15 } });
  await settle();
  for (let n = 21; n <= 60; n++) {
    // It reads as fast as is published, so a few always wait.
    await fill(played, "long", n, n);
    socket.read();
    await time.tick(20);
  }
  assertEquals(socket.closed, undefined);
  const got = offsets(client, "long");
  assert(got.length > 30 && got.length < 45, `${got.length} events`);
  assertEquals(got, range(16, 15 + got.length));
});

Deno.test("a missed event never overtakes one that waits, though there is room again", () => {
  const delivered: (number | undefined)[] = [];
  const sink = {
    hasRoom: false,
    deliver: (_channel: unknown, { position }: ChannelEvent) => delivered.push(position?.offset),
  };
  const flusher = new Flusher();
  const backlog = new Backlog(sink, flusher, new BacklogLimit(1_000), 1_000);
  const channel = { backlog: 0, isReleased: false };
  const event = (offset: number) =>
    new ChannelEvent("c", { id: "i", event: "e", json: "1" }, { epoch: "e", offset });
  backlog.missed(channel, event(1));
  sink.hasRoom = true;
  backlog.missed(channel, event(2));
  assertEquals(delivered, []);
  backlog.flush();
  assertEquals(delivered, [1, 2]);
  assertEquals(channel.backlog, 0);
  flusher.close();
});

Deno.test("what waits is forgotten with its channel and its connection, and the room is free again", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ maxBacklogBytes: 21 * EVENT_BYTES });
  const p = await start(played, "long");
  await fill(played, "long", 1, 20);
  const { client, socket } = connect(played);
  for (let n = 1; n <= 5; n++) {
    client.send({ t: "sub", c: "long", n, p });
    await settle();
    client.send({ t: "unsub", c: "long", n: 100 + n });
    // What waits of a channel that was left is given up when its turn comes.
    for (let round = 0; round < 20; round++) {
      socket.read();
      await time.tick(20);
    }
  }
  assertEquals(socket.closed, undefined);
  assert(offsets(client, "long").length < 5 * 5);
  for (let n = 1; n <= 5; n++) {
    const next = connect(played);
    next.client.send({ t: "sub", c: "long", n, p });
    await settle();
    assertEquals(next.socket.closed, undefined, `connection ${n}`);
    next.client.events.closed(1006, "");
  }
  const [first, second] = [connect(played), connect(played)];
  for (const { client } of [first, second]) client.send({ t: "sub", c: "long", n: 1, p });
  await settle();
  assertEquals([first.socket.closed?.code, second.socket.closed?.code], [undefined, 4100]);
});
