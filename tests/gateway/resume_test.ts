import {
  BroadcastGateway,
  DriverBroadcaster,
  MemoryBackend,
  MemoryDriver,
} from "@airwave/broadcast";
import type { ServerFrame, WirePosition } from "@airwave/broadcast/protocol";
import { clientText, FakeGatewaySocket, FakeTime, settle } from "@airwave/broadcast/testing";
import { assert, assertEquals } from "@std/assert";
import { at, record, ScriptedDriver } from "../core/scripted_driver.ts";

/** Plays a client of revision 2. */
function connect(gateway: BroadcastGateway, query = "?v=2") {
  const socket = new FakeGatewaySocket();
  const request = new Request(`http://app.example/_broadcast${query}`);
  const events = gateway.connect(socket, request);
  return {
    socket,
    events,
    sub: async (n: number, p?: WirePosition) => {
      events.message(clientText({ t: "sub", c: "news", n, ...(p === undefined ? {} : { p }) }));
      await settle();
    },
    /** What came since the welcome. */
    get heard(): ServerFrame[] {
      return socket.frames.slice(1);
    },
    get offsets() {
      return socket.frames.flatMap((frame) => frame.t === "msg" ? [frame.o] : []);
    },
  };
}

function overMemory(historySize: number) {
  const broadcaster = new DriverBroadcaster(new MemoryDriver(new MemoryBackend({ historySize })));
  const gateway = new BroadcastGateway({ broadcaster });
  const publish = async (count: number) => {
    for (let i = 0; i < count; i++) await broadcaster.publish("news", { event: "e", data: i });
    await settle();
  };
  return {
    broadcaster,
    gateway,
    publish,
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await broadcaster.close();
    },
  };
}

function positionIn(frames: readonly ServerFrame[]): WirePosition {
  const [ok] = frames;
  assert(ok?.t === "ok" && ok.p !== undefined);
  return ok.p;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("300 events missed: all of them, once, in order, before the live ones", async () => {
  await using node = overMemory(512);
  const first = connect(node.gateway);
  await first.sub(1);
  const p = positionIn(first.heard);
  first.events.closed(1006, "");
  await node.publish(300);
  const second = connect(node.gateway);
  await second.sub(1, p);
  await node.publish(1);
  assertEquals(second.heard[0], {
    t: "ok",
    c: "news",
    n: 1,
    p: { e: p.e, o: 300 },
    r: "ok",
    m: 300,
  });
  assertEquals(second.offsets, range(1, 301));
});

Deno.test("a history that holds all but one of what was missed replays nothing", async () => {
  await using node = overMemory(299);
  const first = connect(node.gateway);
  await first.sub(1);
  const p = positionIn(first.heard);
  first.events.closed(1006, "");
  await node.publish(300);
  const second = connect(node.gateway);
  await second.sub(1, p);
  await node.publish(1);
  assertEquals(second.heard[0], { t: "ok", c: "news", n: 1, p: { e: p.e, o: 300 }, r: "lost" });
  assertEquals(second.offsets, [301]);
});

Deno.test("a half-open connection that dies a minute after its successor lives takes nothing with it", async () => {
  using time = new FakeTime();
  await using node = overMemory(256);
  const old = connect(node.gateway);
  await old.sub(1);
  const p = positionIn(old.heard);
  await node.publish(3);
  // The network is gone, and the client came back; of the old connection nobody has told the server.
  const next = connect(node.gateway);
  await next.sub(1, p);
  assertEquals(node.gateway.subscriberCount("news"), 2);
  for (let second = 0; second < 60; second += 5) {
    next.events.message('{"t":"pong"}');
    await time.tick(5_000);
  }
  assertEquals(old.socket.closed?.code, 4101);
  old.events.closed(1006, "");
  old.events.closed(1006, "");
  old.events.message(clientText({ t: "unsub", c: "news", n: 9 }));
  await node.publish(1);
  assertEquals(next.offsets, [1, 2, 3, 4]);
  assertEquals([node.gateway.clientCount, node.gateway.subscriberCount("news")], [1, 1]);
  assertEquals(next.socket.closed, undefined);
});

Deno.test("position lost: gone, to come back now, and then lost once; revision 1 goes on", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  await using gateway = new BroadcastGateway({ broadcaster });
  const client = connect(gateway);
  const old = connect(gateway, "");
  await client.sub(1);
  await old.sub(1);
  const sink = driver.acknowledge(0, 5);
  await settle();
  const top = { epoch: "new", offset: 2 };
  sink.live(top);
  driver.answerIncomplete(0, top);
  await settle();
  assertEquals(client.heard.slice(1), [
    { t: "gone", c: "news", k: "position_lost", r: "position lost", w: "now" },
  ]);
  sink.event(record(3), { epoch: "new", offset: 3 });
  await client.sub(2, { e: "e", o: 5 });
  sink.event(record(4), { epoch: "new", offset: 4 });
  await settle();
  assertEquals(client.heard.slice(2).map((frame) => frame.t === "msg" ? frame.o : frame), [
    { t: "ok", c: "news", n: 2, p: { e: "new", o: 3 }, r: "lost" },
    4,
  ]);
  assertEquals(old.heard.map((frame) => frame.t === "msg" ? frame.i : frame.t), ["ok", "3", "4"]);
  assertEquals(driver.reads.length, 1);
});

Deno.test("without history there are no positions: a resume is lost, an outage is told as gone", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  await using gateway = new BroadcastGateway({ broadcaster });
  const client = connect(gateway);
  await client.sub(1, { e: "e", o: 5 });
  const { sink, answer } = driver.opening(0);
  sink.live(undefined);
  answer.resolve({ close: () => Promise.resolve() });
  await settle();
  sink.event(record(1), undefined);
  sink.live(undefined);
  await settle();
  assertEquals(client.heard, [
    { t: "ok", c: "news", n: 1, r: "lost" },
    { t: "msg", c: "news", e: "n", d: 1, i: "1" },
    { t: "gone", c: "news", k: "position_lost", r: "position lost", w: "now" },
  ]);
});

Deno.test("a cut while history is read: nothing is said on a connection that is over", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  await using gateway = new BroadcastGateway({ broadcaster });
  const bystander = connect(gateway);
  await bystander.sub(1);
  driver.acknowledge(0, 5);
  await settle();
  const [cut, next] = [connect(gateway), connect(gateway)];
  await cut.sub(1, { e: "e", o: 3 });
  cut.events.closed(1006, "");
  await next.sub(1, { e: "e", o: 3 });
  driver.answerRead(0, [4, 5], 5);
  await settle();
  assertEquals(cut.heard, []);
  assertEquals(next.offsets, [4, 5]);
  assertEquals(gateway.subscriberCount("news"), 2);
});

Deno.test("subs that are under way together: who names the same position is resumed, who does not is told none", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  await using gateway = new BroadcastGateway({
    broadcaster,
    subscribeRate: { burst: 4, perSecond: 0.001 },
  });
  const client = connect(gateway);
  const p = { e: "e", o: 5 };
  await client.sub(1, p);
  await client.sub(2, p);
  await client.sub(3, { e: "e", o: 4 });
  await client.sub(4);
  // Each costs a token, or a client could have any number of answers wait.
  await client.sub(5, p);
  driver.acknowledge(0, 5);
  await settle();
  const [n, top] = [(n: number) => ({ t: "ok", c: "news", n } as const), at(5)];
  const position = { e: top.epoch, o: top.offset };
  assertEquals(client.heard, [
    { t: "err", c: "news", r: "rate limited", n: 5, k: "rate_limited", w: "backoff" },
    { ...n(1), p: position, r: "ok", m: 0 },
    { ...n(2), p: position, r: "ok", m: 0 },
    { ...n(3), p: position, r: "none" },
    { ...n(4), p: position, r: "none" },
  ]);
});

Deno.test("a resume asks the rule like a first subscription", async () => {
  await using node = overMemory(256);
  let isAllowed = true;
  node.broadcaster.authorize("news", () => isAllowed);
  const first = connect(node.gateway);
  await first.sub(1);
  const p = positionIn(first.heard);
  first.events.closed(1006, "");
  await node.publish(1);
  isAllowed = false;
  const second = connect(node.gateway);
  await second.sub(1, p);
  assertEquals(second.heard, [
    { t: "err", c: "news", r: "unauthorized", n: 1, k: "unauthorized", w: "never" },
  ]);
});

Deno.test("a further sub is answered by where the channel stands while its gap is on the way", async () => {
  using time = new FakeTime();
  await using site = overMemory(400);
  const first = connect(site.gateway);
  await first.sub(1);
  const p = positionIn(first.heard);
  first.events.closed(1006, "");
  const data = "x".repeat(64 * 1024);
  for (let i = 0; i < 3; i++) await site.broadcaster.publish("news", { event: "e", data });
  const { socket, sub, events } = connect(site.gateway);
  // A peer that takes one message at a time.
  const send = socket.send.bind(socket);
  socket.send = (text) => {
    send(text);
    socket.bufferedAmount = 64 * 1024;
  };
  const takeOne = async () => {
    socket.bufferedAmount = 0;
    await time.tick(20);
  };
  // The second does not ask to be resumed, and hears what the first missed all the same.
  events.message(clientText({ t: "sub", c: "news", n: 1, p }));
  await sub(2);
  for (const n of [3, 4, 5]) {
    await takeOne();
    await takeOne();
    await sub(n);
  }
  await takeOne();
  let at = 0;
  const stands: number[][] = [];
  for (const frame of socket.frames) {
    if (frame.t === "msg") at = frame.o ?? NaN;
    if (frame.t === "ok" && frame.r === "none") stands.push([frame.p?.o ?? NaN, at]);
  }
  assertEquals([at, stands.length], [3, 4]);
  for (const [told, sent] of stands) assertEquals(told, sent);
});
