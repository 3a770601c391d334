import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { BroadcastClientOptions, ChannelPosition } from "@airwave/broadcast/client";
import { BroadcastClientError } from "@airwave/broadcast/client";
import { settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

/** A client that holds channel "c", and what the channel told, in order. */
class Listening extends PlayedClient {
  readonly told: unknown[] = [];
  readonly channel;

  constructor(options: BroadcastClientOptions = {}, after?: ChannelPosition) {
    super(options);
    this.channel = this.client.channel<{ n: number }>("c", { after });
    this.channel.on("n", (data) => this.told.push(data));
    this.channel.onRecovered(({ missed }) => this.told.push(`recovered ${missed}`));
    this.channel.onLost(() => this.told.push("lost"));
  }
}

const sub = (n: number, p?: { e: string; o: number }) => ({ t: "sub", c: "c", n, ...p && { p } });

Deno.test("revision 2 is announced in the URL, beside what stands there", () => {
  using played = new PlayedClient({ url: "ws://fake/live?room=1&v=9" });
  assertEquals(played.socket.url, "ws://fake/live?room=1&v=2");
});

Deno.test("revision 2 is spoken only where the welcome says so, connection by connection", async () => {
  using played = new Listening();
  await played.welcome2();
  assertEquals(played.socket.frames, [sub(1)]);
  played.ok({ o: 7 });
  await played.loseAndRetry();
  await played.welcome();
  assertEquals(played.socket.frames, [{ t: "sub", c: "c" }]);
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.sent("sub"), { ...sub(played.sent("sub").n, { e: "E", o: 7 }) });
});

Deno.test("resume: after a break the client asks from where it stands, and gets each event once", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 5 });
  for (const o of [6, 7]) played.event(o);
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(2, { e: "E", o: 7 }));
  played.ok({ o: 9, r: "ok", m: 2 });
  for (const o of [6, 7, 8, 8, 9, 10, 9]) played.event(o);
  assertEquals(played.told, [6, 7, "recovered 2", 8, 9, 10]);
  assertEquals(played.channel.position, { epoch: "E", offset: 10 });
});

Deno.test("who has not seen one event resumes too, from the position of ok", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 5 });
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(2, { e: "E", o: 5 }));
  played.ok({ o: 5, r: "ok" });
  played.event(6);
  assertEquals(played.told, ["recovered 0", 6]);
});

Deno.test("a cut in the middle of what was missed is a new resume from the last event", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 1 });
  await played.loseAndRetry();
  await played.welcome2();
  played.ok({ o: 4, r: "ok", m: 3 });
  played.event(2);
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(3, { e: "E", o: 2 }));
});

Deno.test("lost: the application is told before it gets what follows, in the new epoch", async () => {
  using played = new Listening();
  const lost: string[] = [];
  played.client.on("lost", ({ channel }) => lost.push(channel));
  await played.welcome2();
  played.ok({ o: 5 });
  await played.loseAndRetry();
  await played.welcome2();
  const { n } = played.sent("sub");
  // In one message, as a gateway may send it.
  played.socket.receive(JSON.stringify([
    { t: "ok", c: "c", n, p: { e: "F", o: 2 }, r: "lost" },
    { t: "msg", c: "c", e: "n", d: 3, i: "3", o: 3 },
  ]));
  assertEquals(played.told, ["lost", 3]);
  assertEquals(lost, ["c"]);
  assertEquals(played.channel.position, { epoch: "F", offset: 3 });
});

Deno.test("what cannot be resumed is lost: a server without history, a server of revision 1", async () => {
  using played = new Listening();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "c", n: 1, r: "none" });
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 1, i: "1" });
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(2));
  played.socket.receive({ t: "ok", c: "c", n: 2, r: "none" });
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 2, i: "2" });
  await played.loseAndRetry();
  await played.welcome();
  played.socket.receive({ t: "ok", c: "c" });
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 3, i: "3" });
  assertEquals(played.told, [1, "lost", 2, "lost", 3]);
});

Deno.test("a hole is never papered over: what follows it is left until it was asked for again", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 1 });
  for (const o of [2, 4, 5]) played.event(o);
  assertEquals(played.told, [2]);
  assertEquals(played.sent("unsub").c, "c");
  assertEquals(played.channel.subscribed, false);
  await played.time.tick(250);
  assertEquals(played.sent("sub"), sub(3, { e: "E", o: 2 }));
  played.event(6);
  played.ok({ o: 6, r: "ok", m: 4 });
  for (const o of [3, 4, 5, 6]) played.event(o);
  assertEquals(played.told, [2, "recovered 4", 3, 4, 5, 6]);
});

Deno.test("skip moves the position without an event", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 1 });
  played.socket.receive({ t: "skip", c: "c", o: 2 });
  played.event(3);
  assertEquals(played.told, [3]);
  assertEquals(played.allSent("unsub"), []);
});

Deno.test("an offset that was skipped over is a hole, too", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 1 });
  played.socket.receive({ t: "skip", c: "c", o: 3 });
  assertEquals(played.allSent("unsub").length, 1);
});

Deno.test("a late answer to an older request does not touch the newer one", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const first = played.client.channel("c");
  await settle();
  first.leave();
  await settle();
  const second = played.client.channel("c");
  const heard: unknown[] = [];
  second.on("n", (data) => heard.push(data));
  await settle();
  const [older, newer] = played.allSent("sub").map(({ n }) => n);
  played.socket.receive({ t: "ok", c: "c", n: older, p: { e: "E", o: 1 }, r: "none" });
  played.event(2);
  played.socket.receive({ t: "err", c: "c", n: older, r: "no", k: "no", w: "never" });
  played.socket.receive({ t: "gone", c: "c", r: "no", k: "no", w: "never" });
  assertEquals([second.subscribed, heard, played.errors], [false, [], []]);
  played.socket.receive({ t: "ok", c: "c", n: newer, p: { e: "E", o: 2 }, r: "none" });
  played.socket.receive({ t: "err", c: "c", n: older, r: "no", k: "no", w: "never" });
  played.event(3);
  assertEquals([second.subscribed, heard, played.errors], [true, [3], []]);
});

Deno.test("mount, unmount, mount costs no traffic, and the position is kept", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const first = played.client.channel("c");
  await settle();
  played.ok({ o: 1 });
  for (let round = 0; round < 2; round++) {
    first.leave();
    played.client.channel("c").leave();
  }
  const kept = played.client.channel("c");
  await settle();
  assertEquals(played.socket.frames, [sub(1)]);
  assertEquals([kept.subscribed, kept.position?.offset], [true, 1]);
});

Deno.test("ready tells the position behind which events come", async () => {
  using played = new PlayedClient();
  const first = played.client.channel("c");
  await played.welcome2();
  played.ok({ o: 5 });
  assertEquals(await first.ready, { epoch: "E", offset: 5 });
  played.event(6);
  assertEquals(await played.client.channel("c").ready, { epoch: "E", offset: 6 });
});

Deno.test("with each event its id and offset are told, to who listens to one or to all", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  const told: unknown[] = [];
  channel.on("n", (data, info) => told.push([data, info]));
  channel.on("*", (event, data, info) => told.push([event, data, info]));
  await played.welcome2();
  played.ok({ o: 5 });
  played.event(6);
  const info = { id: "id6", offset: 6 };
  assertEquals(told, [[6, info], ["n", 6, info]]);
});

Deno.test("after: a page that loaded a state goes on from its position", async () => {
  using played = new Listening({}, { epoch: "E", offset: 3 });
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(1, { e: "E", o: 3 }));
  played.ok({ o: 5, r: "ok", m: 2 });
  for (const o of [4, 5, 6]) played.event(o);
  assertEquals(played.told, ["recovered 2", 4, 5, 6]);
});

Deno.test("after: a position that the server cannot go on from is lost", async () => {
  using played = new Listening({}, { epoch: "old", offset: 3 });
  await played.welcome2();
  played.ok({ o: 5, r: "lost" });
  assertEquals(played.told, ["lost"]);
});

Deno.test("after: who lets go and holds anew from another position starts there", async () => {
  using played = new Listening();
  await played.welcome2();
  played.ok({ o: 3 });
  for (const o of [4, 5]) played.event(o);
  const { error } = { error: assertThrows(() => played.client.channel("c", { after: at(4) })) };
  assertMatch(String(error), /"after" is for who holds it first/);
  assertEquals(error instanceof BroadcastClientError && error.code, "client.config");
  played.channel.leave();
  const again = played.client.channel("c", { after: at(4) });
  const heard: unknown[] = [];
  again.on("n", (data) => heard.push(data));
  await settle();
  assertEquals(played.socket.frames.slice(1), [
    { t: "unsub", c: "c", n: 2 },
    sub(3, { e: "E", o: 4 }),
  ]);
  played.ok({ o: 5, r: "ok", m: 1 });
  played.event(5);
  assertEquals(heard, [5]);
  again.leave();
  const same = played.client.channel("c", { after: at(5) });
  await settle();
  assertEquals(played.allSent("sub").length, 2);
  same.leave();
  played.client.channel("c", { after: { epoch: "F", offset: 5 } });
  await settle();
  assertEquals(played.allSent("sub").length, 3);
});

function at(offset: number): ChannelPosition {
  return { epoch: "E", offset };
}

Deno.test("refused or ended by verdict: now, later, never", async () => {
  for (const ended of ["err", "gone"] as const) {
    for (const w of ["now", "backoff", "never"] as const) {
      using played = new Listening({ reconnectInitialDelayMs: 1_000 });
      await played.welcome2();
      const { n } = played.sent("sub");
      if (ended === "gone") played.ok({ o: 3 });
      const end = { c: "c", r: "a reason", k: "a_code", w };
      for (let i = 0; i < 2; i++) {
        played.socket.receive(ended === "err" ? { t: "err", n, ...end } : { t: "gone", ...end });
      }
      assertEquals(played.channel.subscribed, false);
      await played.time.tick(1_000);
      const p = ended === "gone" ? { e: "E", o: 3 } : undefined;
      const again = w === "never" ? [] : [sub(2, p)];
      assertEquals(played.socket.frames.slice(1), again, `${ended} ${w}`);
      const told = played.errors.map(({ code, channel, reason }) => [code, channel, reason]);
      const error = ["client.subscribe_refused", "c", "a reason"];
      assertEquals(told, w === "now" ? [] : [error], `${ended} ${w}`);
    }
  }
});

Deno.test("a channel that is refused over and over is asked for less and less often", async () => {
  const { random } = Math;
  Math.random = () => 1;
  try {
    using played = new Listening({ reconnectInitialDelayMs: 100, reconnectMaxDelayMs: 400 });
    await played.welcome2();
    for (const waitMs of [100, 200, 400, 400]) {
      const { n } = played.sent("sub");
      played.socket.receive({ t: "err", c: "c", n, r: "r", k: "k", w: "backoff" });
      await played.time.tick(waitMs - 1);
      assertEquals(played.sent("sub").n, n, String(waitMs));
      await played.time.tick(1);
      assertEquals(played.sent("sub").n, n + 1, String(waitMs));
    }
    played.ok();
    played.socket.receive({ t: "gone", c: "c", r: "r", k: "k", w: "backoff" });
    await played.time.tick(100);
    assertEquals(played.allSent("sub").length, 6);
  } finally {
    Math.random = random;
  }
});

Deno.test("a refused channel that was left, or whose connection is gone, sets nothing off", async () => {
  using played = new Listening();
  await played.welcome2();
  const { n } = played.sent("sub");
  played.socket.receive({ t: "err", c: "c", n, r: "r", k: "k", w: "backoff" });
  played.channel.leave();
  await played.time.tick(20_000);
  assertEquals(played.allSent("sub").length, 1);
  played.client.disconnect();
  assertEquals(played.time.pendingTimers, 0);
});

Deno.test("bye: back after its time, not before, and resumed", async () => {
  using played = new Listening();
  const gone: string[] = [];
  played.client.on("close", ({ reason }) => gone.push(reason));
  await played.welcome2();
  played.ok({ o: 3 });
  const { socket } = played;
  socket.receive({ t: "bye", r: "draining", ms: 3_000 });
  assertEquals([gone, socket.closed?.code], [["draining"], 1000]);
  assertEquals(played.closes, [{ code: 1000, willReconnect: true }]);
  await played.time.tick(2_999);
  assertEquals(played.opened, 1);
  await played.time.tick(1);
  assertEquals(played.opened, 2);
  await played.welcome2();
  assertEquals(played.sent("sub"), sub(2, { e: "E", o: 3 }));
});

Deno.test("a channel that waits to be asked for again is asked once on the next connection", async () => {
  using played = new Listening({ reconnectInitialDelayMs: 60_000, reconnectMaxDelayMs: 60_000 });
  await played.welcome2();
  const { n } = played.sent("sub");
  played.socket.receive({ t: "err", c: "c", n, r: "r", k: "k", w: "backoff" });
  played.client.disconnect();
  assertEquals(played.time.pendingTimers, 0);
  played.client.connect();
  await played.welcome2();
  for (let minute = 0; minute < 2; minute++) {
    await played.time.tick(30_000);
    played.socket.receive({ t: "ping" });
    await played.time.tick(30_000);
    played.socket.receive({ t: "ping" });
  }
  assertEquals(played.allSent("sub").length, 1);
});

Deno.test("what stands in a batch behind the end of a connection is not heard", async () => {
  using played = new Listening({ getToken: () => Promise.resolve("t") });
  await settle();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  played.ok({ o: 0 });
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  played.channel.on("n", () => played.client.disconnect());
  const event = (o: number) => ({ t: "msg", c: "c", e: "n", d: o, i: `${o}`, o });
  const accepted = { t: "ok", c: "", n: played.sent("auth").n };
  played.socket.receive(JSON.stringify([event(1), event(2), accepted]));
  assertEquals([played.told, played.client.state], [[1], "disconnected"]);
  assertEquals(played.time.pendingTimers, 0);
});

Deno.test("what one frame says is told together, before what a listener sets off", async () => {
  using played = new Listening();
  const told: string[] = [];
  await played.welcome2();
  played.ok({ o: 0 });
  await played.loseAndRetry();
  played.client.on("subscribed", () => {
    told.push("subscribed");
    played.client.disconnect();
  });
  played.client.on("lost", () => told.push("lost"));
  played.client.on("close", () => told.push("close"));
  await played.welcome2();
  played.ok({ r: "lost" });
  assertEquals(told, ["subscribed", "lost", "close"]);
});

Deno.test("a listener that leaves its channel is the last one of it that is called", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  const heard: string[] = [];
  channel.on("n", () => {
    heard.push("first");
    channel.leave();
  });
  channel.on("n", () => heard.push("second"));
  await played.welcome2();
  played.ok({ o: 0 });
  played.event(1);
  assertEquals(heard, ["first"]);
});
