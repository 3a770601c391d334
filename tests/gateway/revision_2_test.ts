import { assertEquals, assertExists } from "@std/assert";
import { DriverBroadcaster } from "@airwave/broadcast";
import type { ServerFrame } from "@airwave/broadcast/protocol";
import { settle } from "@airwave/broadcast/testing";
import { ScriptedDriver } from "../core/scripted_driver.ts";
import { type PlayedClient, PlayedGateway, type User } from "./harness.ts";

const V2 = "?v=2";

function connect(played: PlayedGateway): PlayedClient {
  return played.connect(undefined, V2);
}

/** The last frame of a type that a client heard. */
function last<Type extends ServerFrame["t"]>(client: PlayedClient, type: Type) {
  const isOne = (frame: ServerFrame): frame is Extract<ServerFrame, { t: Type }> =>
    frame.t === type;
  const frame = client.socket.frames.filter(isOne).at(-1);
  assertExists(frame, `no ${type} came`);
  return frame;
}

Deno.test("revision 2 is welcomed with its number, the ping's interval and the largest frame", async () => {
  await using played = new PlayedGateway({ pingIntervalMs: 1234, maxFrameBytes: 5678 });
  const [frame] = connect(played).socket.frames;
  assertEquals({ ...frame, id: "" }, { t: "welcome", id: "", v: 2, ping: 1234, max: 5678 });
});

Deno.test("who comes back with the position of its ok gets what it missed, once and in order", async () => {
  await using played = new PlayedGateway();
  const first = connect(played);
  first.send({ t: "sub", c: "news", n: 1 });
  await settle();
  const { p } = last(first, "ok");
  assertExists(p);
  assertEquals(first.heard, [{ t: "ok", c: "news", n: 1, p, r: "none" }]);
  first.events.closed(1006, "");
  for (let d = 1; d <= 3; d++) await played.broadcaster.publish("news", { event: "e", data: d });
  const second = connect(played);
  second.send({ t: "sub", c: "news", n: 7, p });
  await settle();
  await played.broadcaster.publish("news", { event: "e", data: 4 });
  await settle();
  const top = { e: p.e, o: 3 };
  assertEquals(second.heard[0], { t: "ok", c: "news", n: 7, p: top, r: "ok", m: 3 });
  assertEquals(
    second.socket.frames.slice(2).map((frame) => frame.t === "msg" && [frame.o, frame.d]),
    [[1, 1], [2, 2], [3, 3], [4, 4]],
  );
});

Deno.test("a position of another epoch is answered lost, and nothing is replayed", async () => {
  await using played = new PlayedGateway();
  await played.broadcaster.publish("news", { event: "e", data: 1 });
  const client = connect(played);
  client.send({ t: "sub", c: "news", n: 1, p: { e: "another", o: 0 } });
  await settle();
  const { p } = last(client, "ok");
  assertEquals(p?.o, 1);
  assertEquals(client.heard, [{ t: "ok", c: "news", n: 1, p, r: "lost" }]);
});

Deno.test("each of several subs for a channel is answered by its number", async () => {
  await using played = new PlayedGateway({ subscribeRate: { burst: 2, perSecond: 0.001 } });
  const client = connect(played);
  for (const n of [1, 2]) client.send({ t: "sub", c: "news", n });
  await settle();
  client.send({ t: "sub", c: "news", n: 3 });
  await settle();
  const { p } = last(client, "ok");
  assertEquals(client.heard, [1, 2, 3].map((n) => ({ t: "ok", c: "news", n, p, r: "none" })));
  assertEquals(played.gateway.subscriberCount("news"), 1);
});

Deno.test("an unsub is answered, whether or not the channel was held", async () => {
  await using played = new PlayedGateway();
  const client = connect(played);
  client.send({ t: "sub", c: "news", n: 1 });
  client.send({ t: "unsub", c: "news", n: 2 });
  client.send({ t: "unsub", c: "other", n: 3 });
  await settle();
  assertEquals(client.heard, [{ t: "ok", c: "news", n: 2 }, { t: "ok", c: "other", n: 3 }]);
});

Deno.test("a publish is acknowledged with id and position; the same id again delivers once", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const [author, reader] = [connect(played), connect(played)];
  reader.send({ t: "sub", c: "chat", n: 1 });
  await settle();
  for (const n of [5, 6]) author.send({ t: "pub", c: "chat", e: "m", d: "Hi", n, i: "mine" });
  await settle();
  const p = { e: last(reader, "ok").p?.e ?? "", o: 1 };
  assertEquals(author.heard, [5, 6].map((n) => ({ t: "ok", c: "chat", n, i: "mine", p })));
  assertEquals(reader.heard.slice(1), [
    { t: "msg", c: "chat", e: "m", d: "Hi", i: "mine", o: 1 },
  ]);
});

Deno.test("no client can take an id before the application does, or deliver one of its own twice", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const [attacker, reader] = [connect(played), connect(played)];
  reader.send({ t: "sub", c: "orders", n: 1 });
  await settle();
  const id = "order-42-paid";
  attacker.send({ t: "pub", c: "orders", e: "m", d: "false", n: 1, i: id });
  await settle();
  await played.broadcaster.publish("orders", { event: "m", data: "true", id });
  // Who repeats an id that it saw is told of the first one, whoever published that.
  attacker.send({ t: "pub", c: "orders", e: "m", d: "again", n: 2, i: id });
  await settle();
  const heard = reader.socket.frames.flatMap((frame) => frame.t === "msg" ? [frame.d] : []);
  assertEquals(heard, ["false", "true"]);
  assertEquals(last(attacker, "ok").p?.o, 1);
});

Deno.test("an id that breaks the rule refuses the publish, with a code of its own", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const client = connect(played);
  const ids = ["", "a\nb", "x\ud800", "x".repeat(199), "x".repeat(198)];
  for (const i of ids) client.send({ t: "pub", c: "chat", e: "m", d: 1, n: 1, i });
  await settle();
  assertEquals(
    client.socket.frames.slice(1).map((frame) => frame.t === "err" ? frame.k : frame.t),
    [...Array(4).fill("publish_refused"), "ok"],
  );
  assertEquals(played.errors, []);
});

Deno.test("a client may publish more over time than may wait at once", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true, maxQueuedBytes: 1_024 });
  const client = connect(played);
  for (const n of [1, 2, 3]) {
    client.send({ t: "pub", c: "chat", e: "m", d: "x".repeat(600), n });
    await settle();
  }
  assertEquals(client.socket.frames.map(({ t }) => t), ["welcome", "ok", "ok", "ok"]);
});

Deno.test("a publish that the store does not take may be tried again, and is reported", async () => {
  const broadcaster = new DriverBroadcaster<User>(new ScriptedDriver());
  await using played = new PlayedGateway({ allowClientPublish: () => true }, broadcaster);
  const client = connect(played);
  client.send({ t: "pub", c: "chat", e: "m", d: 1, n: 1 });
  await settle();
  assertEquals(client.heard, [
    { t: "err", c: "chat", r: "publish failed", n: 1, k: "publish_failed", w: "backoff" },
  ]);
  assertEquals(played.errors.map(({ code }) => code), ["broadcast.publish"]);
});

Deno.test("a refusal has number, code and verdict", async () => {
  await using played = new PlayedGateway();
  const client = connect(played);
  client.send({ t: "sub", c: "private-x", n: 1 });
  await settle();
  client.send({ t: "pub", c: "chat", e: "m", d: 1, n: 2 });
  await settle();
  assertEquals(client.heard, [
    { t: "err", c: "private-x", r: "unauthorized", n: 1, k: "unauthorized", w: "never" },
    { t: "err", c: "chat", r: "publish denied", n: 2, k: "publish_denied", w: "never" },
  ]);
});

Deno.test("x leaves the publisher out: revision 2 hears skip, revision 1 nothing, others the event", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const [author, other] = [connect(played), connect(played)];
  for (const client of [author, other]) client.send({ t: "sub", c: "chat", n: 1 });
  await settle();
  author.send({ t: "pub", c: "chat", e: "m", d: 1, x: true });
  await settle();
  assertEquals(author.heard.slice(1), [{ t: "skip", c: "chat", o: 1 }]);
  assertEquals(last(other, "msg").o, 1);
  const old = played.connect();
  old.send({ t: "sub", c: "chat" });
  await settle();
  const { id: except } = last(old, "welcome");
  await played.broadcaster.publish("chat", { event: "m", data: 2 }, { except });
  assertEquals(old.heard, [{ t: "ok", c: "chat" }]);
});

Deno.test("a live subscription that the server ends is gone, with code and verdict", async () => {
  await using played = new PlayedGateway();
  const client = connect(played);
  client.send({ t: "sub", c: "news", n: 1 });
  await settle();
  await played.broadcaster.close();
  await settle();
  assertEquals(client.heard.slice(1), [
    { t: "gone", c: "news", k: "subscription_failed", r: "subscription failed", w: "backoff" },
  ]);
  assertEquals(played.gateway.channelCount, 0);
});

Deno.test("a batch is read frame by frame, in order", async () => {
  await using played = new PlayedGateway();
  const client = connect(played);
  client.events.message(
    '[{"t":"sub","c":"a","n":1},7,{"t":"sub"},{"t":"sub","c":"b","n":2}]',
  );
  await settle();
  assertEquals(client.socket.frames.flatMap((frame) => frame.t === "ok" ? [frame.n] : []), [1, 2]);
});

Deno.test("what was held back for the turn's end leaves before the connection is closed", async () => {
  await using played = new PlayedGateway();
  const client = connect(played);
  for (const n of [1, 2]) client.send({ t: "unsub", c: "news", n });
  await played.gateway.close();
  assertEquals(client.heard, [1, 2].map((n) => ({ t: "ok", c: "news", n })));
  assertEquals(client.socket.closed?.code, 1001);
});

Deno.test("rates count frames, not messages, and a batch waits by its own size", async () => {
  await using played = new PlayedGateway({
    allowClientPublish: () => true,
    publishRate: { burst: 30, perSecond: 0.001 },
    // Room for the batch once, not once for each frame in it.
    maxQueuedBytes: 4_096,
  });
  const client = connect(played);
  const pubs = Array.from({ length: 32 }, (_, n) => ({ t: "pub", c: "chat", e: "m", d: n, n }));
  client.events.message(JSON.stringify(pubs));
  await settle();
  const answers = client.socket.frames.flatMap((frame) =>
    frame.t === "ok" ? ["ok"] : frame.t === "err" ? [frame.k] : []
  );
  assertEquals(answers.filter((answer) => answer === "ok").length, 30);
  assertEquals(answers.filter((answer) => answer === "publish_rate_limited").length, 2);
});

Deno.test("without numbers, a sub is answered without one, an unsub and a publish are not", async () => {
  await using played = new PlayedGateway({ allowClientPublish: () => true });
  const client = connect(played);
  client.send({ t: "sub", c: "news" });
  await settle();
  client.send({ t: "unsub", c: "news" });
  client.send({ t: "pub", c: "chat", e: "m", d: 1 });
  client.send({ t: "pub", c: "chat", e: "", d: 1 });
  await settle();
  assertEquals(client.heard, [
    { t: "ok", c: "news", p: last(client, "ok").p, r: "none" },
    { t: "err", c: "chat", r: "invalid event name", k: "invalid_event", w: "never" },
  ]);
});

Deno.test("a frame that ends the connection ends the batch it stands in", async () => {
  await using played = new PlayedGateway({
    allowClientPublish: () => true,
    maxQueuedBytes: 1_024,
  });
  const client = connect(played);
  client.socket.bufferedAmount = 1_000_000;
  const unsubs = Array.from({ length: 100 }, (_, n) => ({ t: "unsub", c: "news", n }));
  const batch = [...unsubs, { t: "pub", c: "chat", e: "m", d: "unheard" }];
  await using witness = played.broadcaster.subscribe("chat");
  await witness.ready;
  client.events.message(JSON.stringify(batch));
  assertEquals(client.socket.closed?.code, 4100);
  await settle();
  await played.broadcaster.publish("chat", { event: "m", data: "next" });
  assertEquals((await witness.next()).value?.data, "next");
});

Deno.test("revision 1 has one word for a publish that failed, whatever the reason, and no id of its own", async () => {
  await using played = new PlayedGateway({
    allowClientPublish: () => true,
    maxFrameBytes: 2 * 1024 * 1024,
  });
  const [old, client] = [played.connect(), connect(played)];
  const d = "x".repeat(1024 * 1024);
  old.send({ t: "pub", c: "chat", e: "m", d: 1, n: 1, i: "" });
  old.send({ t: "pub", c: "chat", e: "m", d, n: 2, i: "a" });
  client.send({ t: "pub", c: "chat", e: "m", d, n: 3, i: "a" });
  await settle();
  assertEquals(old.heard, [{ t: "err", c: "chat", r: "publish failed" }]);
  assertEquals(client.heard, [
    { t: "err", c: "chat", r: "publish refused", n: 3, k: "publish_refused", w: "never" },
  ]);
});
