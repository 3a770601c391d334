import { assertEquals, assertMatch } from "@std/assert";
import { type BroadcastError, DriverBroadcaster } from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { ScriptedDriver } from "../core/scripted_driver.ts";
import { PlayedGateway } from "./harness.ts";

Deno.test("the first frame is welcome, with an id of the server's own", async () => {
  await using played = new PlayedGateway();
  const [a, b] = [played.connect(), played.connect()];
  const [welcome] = a.socket.frames;
  assertEquals(welcome?.t, "welcome");
  assertMatch(welcome?.t === "welcome" ? welcome.id : "", /^[0-9a-f-]{36}$/);
  assertEquals(JSON.stringify(welcome) === JSON.stringify(b.socket.frames[0]), false);
  assertEquals(played.gateway.clientCount, 2);
});

Deno.test("guarantee 4: ok means live: what is published after it arrives, as one msg frame", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "news" });
  await client.socket.until(({ frames }) => frames.some(({ t }) => t === "ok"));
  const { id } = await played.broadcaster.publish("news", { event: "n", data: { a: 1 } });
  await played.broadcaster.publish("other", { event: "n", data: 2 });
  assertEquals(client.heard, [
    { t: "ok", c: "news" },
    { t: "msg", c: "news", e: "n", d: { a: 1 }, i: id },
  ]);
  assertEquals(played.gateway.channelCount, 1);
  assertEquals(played.gateway.subscriberCount("news"), 1);
});

Deno.test("a second sub to a live channel is answered ok again and changes nothing", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "news" });
  client.send({ t: "sub", c: "news" });
  await settle();
  client.send({ t: "sub", c: "news" });
  await settle();
  await played.broadcaster.publish("news", { event: "n", data: null, id: "1" });
  assertEquals(client.heard, [
    { t: "ok", c: "news" },
    { t: "ok", c: "news" },
    { t: "msg", c: "news", e: "n", d: null, i: "1" },
  ]);
  assertEquals(played.gateway.subscriberCount("news"), 1);
});

Deno.test("unsub ends a channel; a new sub starts it again", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "news" });
  await settle();
  client.send({ t: "unsub", c: "news" });
  await played.broadcaster.publish("news", { event: "n", data: 1 });
  assertEquals(played.gateway.channelCount, 0);
  client.send({ t: "sub", c: "news" });
  await settle();
  await played.broadcaster.publish("news", { event: "n", data: 2, id: "2" });
  assertEquals(client.heard, [
    { t: "ok", c: "news" },
    { t: "ok", c: "news" },
    { t: "msg", c: "news", e: "n", d: 2, i: "2" },
  ]);
});

Deno.test("refusals name the channel and the reason", async () => {
  await using played = new PlayedGateway();
  played.broadcaster.authorize("private-broken", () => Promise.reject(new Error("Down")));
  const client = played.connect();
  for (const c of ["private-x", "PRIVATE-x", "private-broken", " private-x", "private\u2010x"]) {
    client.send({ t: "sub", c });
  }
  await settle();
  const reasons = new Map(client.heard.map((frame) => {
    const { c, r } = frame as { c: string; r: string };
    return [c, r];
  }));
  assertEquals([...reasons].toSorted(), [
    [" private-x", "invalid channel name"],
    ["PRIVATE-x", "unauthorized"],
    ["private-broken", "authorization failed"],
    ["private-x", "unauthorized"],
    ["private\u2010x", "invalid channel name"],
  ]);
  assertEquals(played.errors.map(({ code }) => code), ["broadcast.authorization_failed"]);
  assertEquals(played.gateway.channelCount, 0);
});

Deno.test("the rule sees who asks", async () => {
  await using played = new PlayedGateway();
  played.broadcaster.authorize("private-*", ({ subject, params }) => subject?.name === params[0]);
  const [ada, bob] = [played.connect({ name: "ada" }), played.connect({ name: "bob" })];
  for (const client of [ada, bob]) client.send({ t: "sub", c: "private-ada" });
  await settle();
  assertEquals(ada.heard, [{ t: "ok", c: "private-ada" }]);
  assertEquals(bob.heard, [{ t: "err", c: "private-ada", r: "unauthorized" }]);
});

// A client that went away while its rule was asked once stayed subscribed for ever.
Deno.test("leaving while the rule decides leaves nothing behind", async () => {
  await using played = new PlayedGateway();
  const decisions: PromiseWithResolvers<boolean>[] = [];
  played.broadcaster.authorize("slow.*", () => {
    const decision = Promise.withResolvers<boolean>();
    decisions.push(decision);
    return decision.promise;
  });
  const [gone, unsubscribed, returned] = [played.connect(), played.connect(), played.connect()];
  for (const client of [gone, unsubscribed, returned]) client.send({ t: "sub", c: "slow.1" });
  await settle();
  gone.events.closed(1006, "");
  unsubscribed.send({ t: "unsub", c: "slow.1" });
  returned.send({ t: "unsub", c: "slow.1" });
  returned.send({ t: "sub", c: "slow.1" });
  await settle();
  // The decision on the first request of the one who returned must not answer the second.
  for (const decision of decisions.slice(0, 3)) decision.resolve(true);
  await settle();
  assertEquals(played.gateway.channelCount, 0);
  assertEquals([gone.heard, unsubscribed.heard, returned.heard], [[], [], []]);
  decisions[3]?.resolve(true);
  await settle();
  assertEquals(returned.heard, [{ t: "ok", c: "slow.1" }]);
  assertEquals(played.gateway.subscriberCount("slow.1"), 1);
});

Deno.test("a rule that fails for one who left meanwhile is told to nobody", async () => {
  await using played = new PlayedGateway();
  const decision = Promise.withResolvers<boolean>();
  played.broadcaster.authorize("slow.*", () => decision.promise);
  const client = played.connect();
  client.send({ t: "sub", c: "slow.1" });
  await settle();
  client.send({ t: "unsub", c: "slow.1" });
  decision.reject(new Error("Down"));
  await settle();
  assertEquals([client.heard, played.errors], [[], []]);
});

Deno.test("an authorization that expires ends the subscription at that time", async () => {
  using time = new FakeTime();
  const dayMs = 24 * 3_600_000;
  await using played = new PlayedGateway({ pingIntervalMs: dayMs, pongTimeoutMs: dayMs });
  // Further away than a platform timer reaches.
  const expiresAt = time.nowMs + 30 * dayMs;
  played.broadcaster.authorize("private-*", () => ({ authorized: true, expiresAt }));
  const client = played.connect();
  client.send({ t: "sub", c: "private-x" });
  await settle();
  for (let day = 0; day < 30; day++) {
    await time.tick(dayMs - (day === 29 ? 1 : 0));
    client.send({ t: "pong" });
  }
  assertEquals(played.gateway.subscriberCount("private-x"), 1);
  await time.tick(1);
  const last = client.heard.findLast((frame) => (frame as { t: string }).t !== "ping");
  assertEquals(last, { t: "err", c: "private-x", r: "unauthorized" });
  assertEquals(played.gateway.channelCount, 0);
});

Deno.test("guarantee 7: a client publishes only where its channel's rule and the application allow", async () => {
  const asked: unknown[] = [];
  await using played = new PlayedGateway({
    allowClientPublish: ({ channel, event, data, subject }) => {
      asked.push([channel, event, data, subject?.name]);
      return event === "typing";
    },
  });
  played.broadcaster.authorize("private-*", ({ subject }) => subject?.name === "ada");
  const [ada, eve] = [played.connect({ name: "ada" }), played.connect({ name: "eve" })];
  ada.send({ t: "sub", c: "private-x" });
  await settle();
  ada.send({ t: "pub", c: "private-x", e: "typing", d: [1] });
  ada.send({ t: "pub", c: "private-x", e: "money", d: 1 });
  eve.send({ t: "pub", c: "private-x", e: "typing", d: "forged" });
  await settle();
  assertEquals(asked, [
    ["private-x", "typing", [1], "ada"],
    ["private-x", "money", 1, "ada"],
  ]);
  assertEquals(
    ada.heard.map((frame) => [(frame as { t: string }).t, (frame as { r?: string }).r]),
    [
      ["ok", undefined],
      ["msg", undefined],
      ["err", "publish denied"],
    ],
  );
  assertEquals(eve.heard, [{ t: "err", c: "private-x", r: "publish denied" }]);
});

Deno.test("publishing is denied without a rule for it, by anything but true, a throw or a time-out", async () => {
  const answers: [answer: () => unknown, failures: number][] = [
    [() => "true", 0],
    [() => 1, 0],
    [() => ({ authorized: true }), 0],
    [() => {
      throw new Error("Bug");
    }, 1],
    [() => Promise.reject(new Error("Down")), 1],
    [() => new Promise(() => {}), 1],
  ];
  await using none = new PlayedGateway();
  const denied = none.connect();
  denied.send({ t: "pub", c: "news", e: "n", d: 1 });
  await settle();
  assertEquals(denied.heard, [{ t: "err", c: "news", r: "publish denied" }]);
  assertEquals(none.errors, []);
  for (const [answer, failures] of answers) {
    await using played = new PlayedGateway({
      authorizationTimeoutMs: 5,
      allowClientPublish: answer as () => boolean,
    });
    await using subscription = played.broadcaster.subscribe("news");
    await subscription.ready;
    const client = played.connect();
    client.send({ t: "pub", c: "news", e: "n", d: 1 });
    await client.socket.until(({ frames }) => frames.length === 2);
    assertEquals(client.heard, [{ t: "err", c: "news", r: "publish denied" }]);
    await played.broadcaster.publish("news", { event: "n", data: "the server's" });
    assertEquals((await subscription.next()).value?.data, "the server's");
    assertEquals(played.errors.length, failures);
  }
});

Deno.test("the rule of a channel that is held is not asked again for a publish on it", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  let asked = 0;
  played.broadcaster.authorize("private-x", () => ++asked > 0);
  const client = played.connect();
  client.send({ t: "sub", c: "private-x" });
  await settle();
  client.send({ t: "pub", c: "private-x", e: "n", d: 1 });
  await settle();
  assertEquals(client.socket.frames.map(({ t }) => t), ["welcome", "ok", "msg"]);
  assertEquals(asked, 1);
});

Deno.test("the log has who came and went; what is a client's fault, or a mistake of ours, is a warning", async () => {
  const logged: string[] = [];
  const logger = {
    debug: (message: string) => logged.push(`debug: ${message}`),
    warn: (message: string) => logged.push(`warn: ${message}`),
    error: (message: string) => logged.push(`error: ${message}`),
  };
  await using played = new PlayedGateway({
    logger,
    maxFrameBytes: 100,
    allowClientPublish: () => false,
  });
  const [good, bad] = [played.connect(), played.connect()];
  bad.events.message("x".repeat(101));
  good.send({ t: "pub", c: "news", e: "n", d: 1 });
  await settle();
  good.events.closed(1000, "");
  const headers = { origin: "http://evil.example", upgrade: "websocket" };
  played.gateway.refusal(new Request("http://app.example/_broadcast", { headers }));
  assertEquals(logged, [
    "debug: Client connected",
    "debug: Client connected",
    "warn: Client disconnected",
    'debug: Refused a publish on channel "news"',
    "debug: Client disconnected",
    "warn: Refused a connection from a foreign origin, see allowedOrigins",
  ]);
});

Deno.test("a client's publishes keep their order, however long each decision takes", async () => {
  const decisions: PromiseWithResolvers<boolean>[] = [];
  await using played = new PlayedGateway({
    allowClientPublish: () => {
      const decision = Promise.withResolvers<boolean>();
      decisions.push(decision);
      return decision.promise;
    },
  });
  await using subscription = played.broadcaster.subscribe("c");
  await subscription.ready;
  const client = played.connect();
  for (const d of [1, 2, 3]) client.send({ t: "pub", c: "c", e: "n", d });
  const seen: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    await settle();
    decisions[i]?.resolve(true);
    seen.push((await subscription.next()).value?.data);
  }
  assertEquals(seen, [1, 2, 3]);
});

Deno.test("guarantee 8: bad input is dropped or refused and harms nobody", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const [bad, good] = [played.connect(), played.connect()];
  good.send({ t: "sub", c: "news" });
  await settle();
  const inputs: unknown[] = [
    "",
    "{",
    "null",
    "[]",
    "7",
    '"sub"',
    "{}",
    '{"t":7}',
    '{"t":"sub"}',
    '{"t":"sub","c":7}',
    '{"t":"sub","c":{"toString":1}}',
    '{"t":"pub","c":"news"}',
    '{"t":"pub","c":"news","e":7}',
    '{"t":"welcome","id":"mine"}',
    '{"t":"nonsense","c":"news"}',
    '{"__proto__":{"t":"sub","c":"news"}}',
    '[{"t":"sub","c":"news"}]',
    new ArrayBuffer(8),
    undefined,
    null,
  ];
  for (const input of inputs) bad.events.message(input);
  await settle();
  assertEquals(bad.heard, []);
  bad.send({ t: "pub", c: "news", e: "bad\u0000name", d: 1 });
  bad.send({ t: "pub", c: "no spaces", e: "n", d: 1 });
  await settle();
  assertEquals(bad.heard, [
    { t: "err", c: "news", r: "invalid event name" },
    { t: "err", c: "no spaces", r: "invalid channel name" },
  ]);
  assertEquals(good.heard, [{ t: "ok", c: "news" }]);
  assertEquals(played.gateway.clientCount, 2);
});

Deno.test("a message over the limit in bytes closes with 1009, which means never come back", async () => {
  await using played = new PlayedGateway({ maxFrameBytes: 100 });
  const [fits, large, wide] = [played.connect(), played.connect(), played.connect()];
  const text = (data: string) => JSON.stringify({ t: "pong", d: data });
  const overhead = text("").length;
  fits.events.message(text("x".repeat(100 - overhead)));
  large.events.message(text("x".repeat(101 - overhead)));
  wide.events.message(text("ä".repeat(51 - overhead / 2)));
  assertEquals(fits.socket.closed, undefined);
  assertEquals(large.socket.closed, { code: 1009, reason: "frame too large" });
  assertEquals(wide.socket.closed?.code, 1009);
  const [binary, largeBinary] = [played.connect(), played.connect()];
  binary.events.message(new ArrayBuffer(100));
  largeBinary.events.message(new ArrayBuffer(101));
  assertEquals([binary.socket.closed, largeBinary.socket.closed?.code], [undefined, 1009]);
});

Deno.test("channels per connection are limited, refused ones do not count", async () => {
  await using played = new PlayedGateway({ maxChannelsPerConnection: 2 });
  const client = played.connect();
  for (const c of ["private-no", "a", "b", "c"]) {
    client.send({ t: "sub", c });
    await settle();
  }
  client.send({ t: "unsub", c: "a" });
  client.send({ t: "sub", c: "c" });
  await settle();
  assertEquals(client.heard, [
    { t: "err", c: "private-no", r: "unauthorized" },
    { t: "ok", c: "a" },
    { t: "ok", c: "b" },
    { t: "err", c: "c", r: "too many channels" },
    { t: "ok", c: "c" },
  ]);
});

Deno.test("subscribing and publishing are limited in rate, and come back with time", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({
    allowClientPublish: () => true,
    subscribeRate: { burst: 2, perSecond: 1 },
    publishRate: { burst: 2, perSecond: 1 },
  });
  const client = played.connect();
  for (const c of ["a", "b", "c"]) client.send({ t: "sub", c });
  for (const d of [1, 2, 3]) client.send({ t: "pub", c: "x", e: "n", d });
  await settle();
  assertEquals(client.heard.filter((frame) => (frame as { t: string }).t === "err"), [
    { t: "err", c: "c", r: "rate limited" },
    { t: "err", c: "x", r: "publish rate limited" },
  ]);
  assertEquals(played.gateway.channelCount, 2);
  await time.tick(1_000);
  client.send({ t: "sub", c: "c" });
  await settle();
  assertEquals(client.heard.at(-1), { t: "ok", c: "c" });
});

Deno.test("a client that answers pings stays, one that does not is closed in time", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ pingIntervalMs: 1_000, pongTimeoutMs: 500 });
  const [alive, chatty, dead] = [played.connect(), played.connect(), played.connect()];
  await time.tick(1_000);
  assertEquals([alive, chatty, dead].map(({ heard }) => heard), [
    [{ t: "ping" }],
    [{ t: "ping" }],
    [{ t: "ping" }],
  ]);
  alive.send({ t: "pong" });
  chatty.events.message("anything is a sign of life");
  await time.tick(499);
  assertEquals(dead.socket.closed, undefined);
  await time.tick(1);
  assertEquals(dead.socket.closed, { code: 4101, reason: "ping timeout" });
  assertEquals([alive.socket.closed, chatty.socket.closed], [undefined, undefined]);
  assertEquals(played.gateway.clientCount, 2);
  // The next ping comes an interval after the first, not after its answer.
  await time.tick(499);
  assertEquals(alive.heard.length, 1);
  await time.tick(1);
  assertEquals(alive.heard.length, 2);
});

Deno.test("what a slow peer has no room for waits, in order, and goes when there is room", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  client.socket.bufferedAmount = 64 * 1024;
  for (const data of [1, 2, 3]) await played.broadcaster.publish("c", { event: "n", data });
  assertEquals(client.heard.length, 1);
  assertEquals(played.gateway.clientCount, 1);
  client.socket.bufferedAmount = 0;
  await time.tick(20);
  assertEquals(client.heard.map((frame) => (frame as { d?: unknown }).d), [undefined, 1, 2, 3]);
  await played[Symbol.asyncDispose]();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("guarantee 6: a peer that does not read is cut off before its queue is over the limit", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ maxQueuedBytes: 10_000 });
  const [slow, fast] = [played.connect(), played.connect()];
  for (const client of [slow, fast]) client.send({ t: "sub", c: "c" });
  await settle();
  slow.socket.bufferedAmount = 64 * 1024;
  const data = "x".repeat(900);
  let published = 0;
  while (slow.socket.closed === undefined && published < 100) {
    await played.broadcaster.publish("c", { event: "n", data });
    published++;
  }
  assertEquals(slow.socket.closed, { code: 4100, reason: "slow consumer" });
  // 950 to 1,000 bytes each with its envelope: the eleventh would not have fitted.
  assertEquals(published, 11);
  assertEquals(slow.heard.length, 1);
  assertEquals(fast.heard.length, 1 + published);
  assertEquals(played.gateway.subscriberCount("c"), 1);
  await time.tick(100);
});

Deno.test("one frame larger than the queue may wait in it, the next one may not", async () => {
  await using played = new PlayedGateway({ maxQueuedBytes: 1_024 });
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  client.socket.bufferedAmount = 65_000;
  await played.broadcaster.publish("c", { event: "n", data: "x".repeat(2_000) });
  assertEquals(client.socket.closed, undefined);
  await played.broadcaster.publish("c", { event: "n", data: 1 });
  assertEquals(client.socket.closed?.code, 4100);
});

Deno.test("a socket that fails while its queue is flushed is done with, the others are flushed", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const [broken, good] = [played.connect(), played.connect()];
  for (const client of [broken, good]) client.send({ t: "sub", c: "c" });
  await settle();
  for (const { socket } of [broken, good]) socket.bufferedAmount = 64 * 1024;
  await played.broadcaster.publish("c", { event: "n", data: 1 });
  for (const { socket } of [broken, good]) socket.bufferedAmount = 0;
  broken.socket.send = () => {
    throw new Error("Already closed");
  };
  await time.tick(20);
  assertEquals(good.heard.length, 2);
  assertEquals(played.gateway.clientCount, 1);
});

Deno.test("async hooks that reject are reported and end nothing", async () => {
  await using played = new PlayedGateway({
    onConnect: () => Promise.reject(new Error("The audit table is down")),
    onDisconnect: () => Promise.reject(new Error("The audit table is down")),
  });
  played.connect().events.closed(1000, "");
  await settle();
  assertEquals(played.errors.map(({ code }) => code), ["broadcast.hook", "broadcast.hook"]);
});

Deno.test("what waits for a decision counts in bytes, and is dropped with a client that is cut off", async () => {
  const asked: unknown[] = [];
  const first = Promise.withResolvers<boolean>();
  await using played = new PlayedGateway({
    maxQueuedBytes: 1_024,
    allowClientPublish: ({ data }) => {
      asked.push(data);
      return first.promise;
    },
  });
  const client = played.connect();
  const large = "x".repeat(600);
  client.send({ t: "pub", c: "c", e: "n", d: 1 });
  client.send({ t: "pub", c: "c", e: "n", d: large });
  client.send({ t: "pub", c: "c", e: "n", d: large });
  await settle();
  assertEquals(client.heard, [{ t: "err", c: "c", r: "publish rate limited" }]);
  await played.gateway.close();
  first.resolve(true);
  await settle();
  assertEquals(asked, [1]);
});

Deno.test("what is decided for a client that left is told to nobody, and waits for nothing", async () => {
  using time = new FakeTime();
  const decision = Promise.withResolvers<boolean>();
  await using played = new PlayedGateway({ allowClientPublish: () => decision.promise });
  const client = played.connect();
  client.send({ t: "pub", c: "c", e: "n", d: 1 });
  await settle();
  client.socket.bufferedAmount = 64 * 1024;
  client.events.closed(1006, "");
  decision.resolve(false);
  await time.tick(20);
  assertEquals([client.heard, time.pendingTimers], [[], 0]);
});

Deno.test("one event larger than a socket's share still goes to a peer that keeps up", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  await played.broadcaster.publish("c", { event: "n", data: "x".repeat(500_000) });
  assertEquals(client.heard.length, 2);
});

Deno.test("connections end once, with the reason, whoever ends them", async () => {
  await using played = new PlayedGateway();
  const subject = { name: "ada" };
  const client = played.connect(subject);
  client.send({ t: "sub", c: "c" });
  await settle();
  client.events.closed(1005, "");
  client.events.closed(1006, "again");
  client.send({ t: "sub", c: "d" });
  await settle();
  assertEquals(played.disconnections.map(({ subject, code }) => [subject, code]), [[
    subject,
    1005,
  ]]);
  assertEquals([played.gateway.clientCount, played.gateway.channelCount], [0, 0]);
  const other = played.connect();
  await played.gateway.close();
  assertEquals(other.socket.closed, { code: 1001, reason: "going away" });
  assertEquals(played.disconnections.length, 2);
});

Deno.test("hooks that throw are reported and harm nobody", async () => {
  const errors: BroadcastError[] = [];
  const bug = () => {
    throw new Error("Bug");
  };
  await using played = new PlayedGateway({
    onConnect: bug,
    onDisconnect: bug,
    onError: (error) => {
      errors.push(error);
      bug();
    },
    logger: { debug: bug, warn: bug, error: bug },
  });
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  assertEquals(client.heard, [{ t: "ok", c: "c" }]);
  client.events.closed(1000, "");
  assertEquals(played.gateway.clientCount, 0);
  assertEquals(errors.length > 0 && errors.every(({ code }) => code === "broadcast.hook"), true);
});

Deno.test("a socket that fails to send is done with", async () => {
  await using played = new PlayedGateway();
  const [broken, good] = [played.connect(), played.connect()];
  for (const client of [broken, good]) client.send({ t: "sub", c: "c" });
  await settle();
  broken.socket.send = () => {
    throw new Error("Already closed");
  };
  await played.broadcaster.publish("c", { event: "n", data: 1, id: "1" });
  await played.broadcaster.publish("c", { event: "n", data: 2, id: "2" });
  assertEquals(good.heard.length, 3);
  assertEquals(played.disconnections.map(({ code }) => code), [1006]);
  assertEquals(played.gateway.clientCount, 1);
  assertEquals(played.gateway.subscriberCount("c"), 1);
});

Deno.test("a subscription that the backplane refuses is told to the client, and reported with the cause", async () => {
  const driver = new ScriptedDriver();
  await using played = new PlayedGateway({}, new DriverBroadcaster(driver));
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  const cause = new Error("Connection refused");
  driver.opening(0).answer.reject(cause);
  await settle();
  assertEquals(client.heard, [{ t: "err", c: "c", r: "subscription failed" }]);
  assertEquals(played.errors.map(({ code, cause }) => [code, cause]), [
    ["broadcast.subscribe", cause],
  ]);
});

Deno.test("a broadcaster that closes ends its channels with a word to the client", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.send({ t: "sub", c: "c" });
  await settle();
  await played.broadcaster.close();
  client.send({ t: "sub", c: "d" });
  await settle();
  assertEquals(client.heard, [
    { t: "ok", c: "c" },
    { t: "err", c: "c", r: "subscription failed" },
    { t: "err", c: "d", r: "subscription failed" },
  ]);
  assertEquals(played.gateway.channelCount, 0);
});
