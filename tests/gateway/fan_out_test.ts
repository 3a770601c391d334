/** One channel to all its connections: what leaves together, and that nothing overtakes it. */
import {
  type Attachment,
  ChannelEvent,
  type ChannelListener,
  type ListenerGroup,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { FakeGatewaySocket, settle } from "@airwave/broadcast/testing";
import { assert, assertEquals } from "@std/assert";
import { EventEncoder } from "../../gateway/encoder.ts";
import { FanOut, FanOuts } from "../../gateway/fan_out.ts";
import { Flusher } from "../../gateway/flusher.ts";
import { OutboundQueue } from "../../gateway/outbound_queue.ts";
import type { Revision } from "../../protocol/frames.ts";
import { PlayedGateway, type User } from "./harness.ts";

/** What a client heard, as short as it can be told apart: a number is the data of an event. */
function told(client: { readonly heard: unknown[] }): unknown[] {
  return client.heard.map((frame) => {
    const { t, d, p, o } = frame as { t: string; d?: unknown; p?: { o: number }; o?: number };
    return t === "msg" ? d : p !== undefined ? `${t} ${p.o}` : t === "skip" ? `skip ${o}` : t;
  });
}

async function open(clients: number) {
  const played = new PlayedGateway({ identify: ({ name }) => name });
  const all = Array.from({ length: clients }, (_, i) => {
    const client = played.connect({ name: `user-${i}` }, "?v=2");
    client.send({ t: "sub", c: "c", n: 1 });
    return client;
  });
  await settle();
  let data = 0;
  return {
    ...played,
    played,
    clients: all,
    /** Publishes so many events in this turn, numbered on. */
    publish(count: number, options = {}) {
      for (let i = 0; i < count; i++) {
        played.broadcaster.publish("c", { event: "n", data: ++data }, options);
      }
    },
    [Symbol.asyncDispose]: () => played[Symbol.asyncDispose](),
  };
}

Deno.test("a burst is one message for each client, and the same for all", async () => {
  await using app = await open(3);
  app.publish(1);
  await settle();
  app.publish(5);
  await settle();
  // Who had several gets the next ones together, until there was one.
  app.publish(3);
  await settle();
  app.publish(1);
  await settle();
  app.publish(1);
  // At once.
  for (const { socket } of app.clients) {
    const batches = socket.messages.slice(2).map((text) => [JSON.parse(text)].flat().length);
    assertEquals(batches, [1, 1, 4, 3, 1, 1]);
  }
  for (const client of app.clients) {
    assertEquals(told(client), ["ok 0", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  }
});

Deno.test("guarantee 3: who subscribes amid a burst hears what comes after, the others all", async () => {
  await using app = await open(1);
  app.publish(3);
  const late = app.played.connect(undefined, "?v=2");
  late.send({ t: "sub", c: "c", n: 1 });
  // The rule is asked and the subscription opened within this turn, by promises alone.
  for (let i = 0; i < 100 && late.heard.length === 0; i++) await Promise.resolve();
  app.publish(2);
  await settle();
  assertEquals(told(late), ["ok 3", 4, 5]);
  assertEquals(app.clients.map(told), [["ok 0", 1, 2, 3, 4, 5]]);
});

Deno.test("guarantee 2: who asks again amid a burst is told a position behind which nothing is left", async () => {
  await using app = await open(1);
  const [client] = app.clients;
  app.publish(3);
  client?.send({ t: "sub", c: "c", n: 2 });
  await settle();
  assertEquals(client && told(client), ["ok 0", 1, "ok 1", 2, 3]);
  client?.send({ t: "sub", c: "c", n: 3 });
  await settle();
  assertEquals(client && told(client).at(-1), "ok 3");
});

Deno.test("who asks again before the first event is told where the channel stood", async () => {
  await using app = await open(0);
  app.publish(2);
  const client = app.played.connect(undefined, "?v=2");
  client.send({ t: "sub", c: "c", n: 1 });
  await settle();
  client.send({ t: "sub", c: "c", n: 2 });
  await settle();
  assertEquals(told(client), ["ok 2", "ok 2"]);
});

Deno.test("what came before the end of a subscription or a connection is sent before its word", async () => {
  await using app = await open(4);
  const [unsubscribing, revoked, disconnected, staying] = app.clients;
  app.publish(3);
  unsubscribing?.send({ t: "unsub", c: "c", n: 2 });
  await app.played.broadcaster.revoke({ user: "user-1" });
  await app.played.broadcaster.disconnect({ user: "user-2" });
  await settle();
  assertEquals(unsubscribing && told(unsubscribing), ["ok 0", 1, 2, 3, "ok"]);
  assertEquals(revoked && told(revoked), ["ok 0", 1, 2, 3, "gone"]);
  assertEquals(disconnected && told(disconnected), ["ok 0", 1, 2, 3]);
  assertEquals(disconnected?.socket.closed?.code, 4001);
  app.publish(1);
  await settle();
  assertEquals(staying && told(staying), ["ok 0", 1, 2, 3, 4]);
  assertEquals(unsubscribing && told(unsubscribing).at(-1), "ok");
  assertEquals(app.played.gateway.subscriberCount("c"), 1);
});

Deno.test("an event that leaves one out amid a burst keeps its place for all", async () => {
  await using app = await open(2);
  const [author, other] = app.clients;
  const id = author?.socket.frames[0]?.t === "welcome" ? author.socket.frames[0].id : "";
  app.publish(2);
  app.publish(1, { except: id });
  app.publish(2);
  await settle();
  assertEquals(author && told(author), ["ok 0", 1, 2, "skip 3", 4, 5]);
  assertEquals(other && told(other), ["ok 0", 1, 2, 3, 4, 5]);
});

Deno.test("who is cut off amid a burst takes nothing from the others, nor twice to any", async () => {
  await using played = new PlayedGateway({ maxQueuedBytes: 2_000 });
  const clients = Array.from({ length: 5 }, () => played.connect(undefined, "?v=2"));
  for (const client of clients) client.send({ t: "sub", c: "c", n: 1 });
  await settle();
  const slow = clients[1];
  if (slow !== undefined) slow.socket.bufferedAmount = 64 * 1024;
  for (let data = 1; data <= 40; data++) {
    played.broadcaster.publish("c", { event: "n", data });
  }
  await settle();
  assertEquals(slow?.socket.closed?.code, 4100);
  const all = Array.from({ length: 40 }, (_, i) => i + 1);
  for (const client of clients.filter((client) => client !== slow)) {
    assertEquals(told(client), ["ok 0", ...all]);
  }
  assertEquals(played.gateway.subscriberCount("c"), 4);
});

Deno.test("a client that can take nothing together waits for nothing", async () => {
  await using played = new PlayedGateway();
  const client = played.connect(undefined, "", new FakeGatewaySocket());
  client.send({ t: "sub", c: "c" });
  await settle();
  for (const data of [1, 2, 3]) played.broadcaster.publish("c", { event: "n", data });
  assertEquals(client.heard.length, 4);
});

Deno.test("what came before a connection is closed, or the broadcaster, amid a burst is sent", async () => {
  await using app = await open(2);
  const [closed, staying] = app.clients;
  app.publish(1);
  await settle();
  app.publish(3);
  await app.played.broadcaster.disconnect({ user: "user-0" });
  assertEquals(closed && told(closed), ["ok 0", 1, 2, 3, 4]);
  assertEquals(closed?.socket.closed?.code, 4001);
  await settle();
  app.publish(3);
  await app.played.broadcaster.close();
  await settle();
  assertEquals(staying && told(staying), ["ok 0", 1, 2, 3, 4, 5, 6, 7, "gone"]);
});

Deno.test("who goes while others are told is told nothing more, and nobody twice", async () => {
  const clients: ReturnType<PlayedGateway["connect"]>[] = [];
  await using played = new PlayedGateway({
    onDisconnect: () => clients[3]?.events.closed(1006, ""),
  });
  for (let i = 0; i < 5; i++) {
    const client = played.connect(undefined, "?v=2");
    clients.push(client);
    client.send({ t: "sub", c: "c", n: 1 });
  }
  await settle();
  const [, broken] = clients;
  played.broadcaster.publish("c", { event: "n", data: 1 });
  await settle();
  if (broken !== undefined) {
    broken.socket.send = () => {
      throw new Error("Already closed");
    };
  }
  played.broadcaster.publish("c", { event: "n", data: 2 });
  await settle();
  assertEquals(clients.map((client) => told(client).length), [3, 2, 3, 2, 3]);
  assertEquals(played.gateway.subscriberCount("c"), 3);
});

Deno.test("a burst leaves in messages that a socket takes at once", async () => {
  await using played = new PlayedGateway();
  const client = played.connect(undefined, "?v=2");
  client.send({ t: "sub", c: "c", n: 1 });
  await settle();
  for (let i = 0; i < 12; i++) {
    played.broadcaster.publish("c", { event: "n", data: "x".repeat(20_000) });
  }
  await settle();
  const sizes = client.socket.messages.map(({ length }) => length);
  assertEquals(Math.max(...sizes) <= 64 * 1024, true, `${sizes}`);
  assertEquals(told(client).length, 13);
});

/** A fan-out by itself, and connections that have nothing else. */
function bare() {
  const flusher = new Flusher();
  const fanOut = new FanOut(new EventEncoder(), flusher, 1_000_000);
  const member = (revision: Revision) => {
    const owner = { revision, maxQueuedBytes: 1_000_000, broken() {} };
    const socket = new FakeGatewaySocket();
    const outbound = new OutboundQueue(socket, flusher, owner);
    let asked = 0;
    return {
      index: -1,
      backlog: 0,
      revision,
      outbound,
      socket,
      event() {},
      cutOff() {},
      get isReleased() {
        asked++;
        return false;
      },
      get asked() {
        return asked;
      },
    };
  };
  const event = (offset: number) =>
    new ChannelEvent("c", { id: `${offset}`, event: "n", json: "1" }, { epoch: "e", offset });
  return { flusher, fanOut, member, event };
}

Deno.test("guarantee 6: a connection that let go of a channel is not looked at any more", () => {
  const { flusher, fanOut, member, event } = bare();
  const [left, staying] = [member(2), member(2)];
  for (const one of [left, staying]) fanOut.add(one);
  fanOut.event(event(1));
  fanOut.remove(left);
  fanOut.event(event(2));
  fanOut.flush();
  assertEquals([left.asked, staying.asked], [1, 2]);
  flusher.close();
});

Deno.test("a channel waits for nobody's sake once those who gain from it have left", () => {
  const { flusher, fanOut, member, event } = bare();
  const [merging, plain] = [member(2), member(1)];
  for (const one of [merging, plain]) fanOut.add(one);
  fanOut.remove(merging);
  for (const offset of [1, 2, 3]) fanOut.event(event(offset));
  assertEquals(plain.socket.messages.length, 3);
  flusher.close();
});

Deno.test("guarantee 6: what was handed over at the end of a turn is not kept for the next", async () => {
  const flusher = new Flusher();
  let flushed = 0;
  let ended = 0;
  flusher.holdFanOut({ flush: () => flushed++ });
  flusher.holdForTurn({ endTurn: () => ended++ });
  for (const turn of [1, 2]) {
    flusher.noteSent();
    await settle();
    assertEquals([flusher.turn, flushed, ended], [turn, 1, 1]);
  }
  flusher.close();
});

Deno.test("a channel has one fan-out for as long as a connection holds it", () => {
  const fanOuts = new FanOuts(() => bare().fanOut);
  const first = fanOuts.hold("c");
  const holdsFirst = () => fanOuts.hold("c") === first;
  assertEquals(fanOuts.hold("other") === first, false);
  assertEquals(holdsFirst(), true);
  fanOuts.letGo("c");
  assertEquals(holdsFirst(), true);
  for (let i = 0; i < 2; i++) fanOuts.letGo("c");
  assertEquals(holdsFirst(), false);
});

/** A broadcaster that notes by which group each of its listeners hears. */
class GroupNotes extends MemoryBroadcaster<User> {
  readonly groups: (ListenerGroup | undefined)[] = [];

  override listen(channel: string, listener: ChannelListener): Attachment {
    this.groups.push(listener.group);
    return super.listen(channel, listener);
  }
}

Deno.test("guarantee 6: nothing is kept for a channel that the last connection let go of", async () => {
  const broadcaster = new GroupNotes();
  await using played = new PlayedGateway({}, broadcaster);
  const [first, second] = [played.connect(undefined, "?v=2"), played.connect(undefined, "?v=2")];
  const hold = async (client: typeof first) => {
    client.send({ t: "sub", c: "c", n: 1 });
    await settle();
  };
  await hold(first);
  await hold(second);
  first.send({ t: "unsub", c: "c" });
  await hold(first);
  first.send({ t: "unsub", c: "c" });
  second.events.closed(1006, "");
  await hold(first);
  const [kept, ...later] = broadcaster.groups;
  assert(kept !== undefined);
  assertEquals(later.map((group) => group === kept), [true, true, false]);
});

Deno.test("who is cut off by what leaves before its unsub lets go of the channel once", async () => {
  await using played = new PlayedGateway({ maxQueuedBytes: 1_024 });
  const [slow, other] = ["slow", "other"].map((name) => {
    const client = played.connect({ name }, "?v=2");
    client.send({ t: "sub", c: "c", n: 1 });
    return client;
  });
  await settle();
  assert(slow !== undefined && other !== undefined);
  slow.socket.bufferedAmount = 1_000_000;
  const data = "x".repeat(400);
  // The first waits for room already, and there is none for what is held back.
  const published = [1, 2, 3].map(() => played.broadcaster.publish("c", { event: "n", data }));
  await Promise.all(published);
  slow.send({ t: "unsub", c: "c", n: 2 });
  assertEquals([slow.socket.closed?.code, other.socket.closed], [4100, undefined]);
  assertEquals(played.gateway.subscriberCount("c"), 1);
});
