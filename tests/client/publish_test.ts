import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { ClientPublishResult } from "@airwave/broadcast/client";
import { settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

/** What became of publishes, in the order they settled. */
function watch(...results: Promise<ClientPublishResult>[]): unknown[] {
  const settled: unknown[] = [];
  results.forEach((result, index) => result.then((value) => settled.push([index, value])));
  return settled;
}

Deno.test("a publish settles with its id and position", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const settled = watch(played.client.channel("c").publish("n", 1));
  const { n, i = "", ...pub } = played.sent("pub");
  assertEquals(pub, { t: "pub", c: "c", e: "n", d: 1 });
  assertMatch(i, /^\d+(-\d+){3}$/);
  await settle();
  assertEquals(settled, []);
  played.socket.receive({ t: "ok", c: "c", n, i, p: { e: "E", o: 7 } });
  await settle();
  assertEquals(settled, [[0, { ok: true, id: i, position: { epoch: "E", offset: 7 } }]]);
});

Deno.test("no data arrives as null", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  played.client.channel("c").publish("n", undefined);
  assertEquals(played.sent("pub").d, null);
});

Deno.test("a refused publish settles with code and reason, and never rejects", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const channel = played.client.channel("c");
  const settled = watch(channel.publish("n", 1), channel.publish("n", 2));
  const [first, second] = played.allSent("pub");
  assert(first && second);
  // In another order than they were sent: a rate limit answers at once.
  const limited = { r: "publish rate limited", k: "publish_rate_limited", w: "backoff" } as const;
  played.socket.receive({ t: "err", c: "c", n: second.n, ...limited });
  const denied = { r: "publish denied", k: "publish_denied", w: "never" } as const;
  played.socket.receive({ t: "err", c: "c", n: first.n, ...denied });
  await settle();
  assertEquals(settled, [
    [1, { ok: false, id: second.i, code: limited.k, reason: limited.r }],
    [0, { ok: false, id: first.i, code: denied.k, reason: denied.r }],
  ]);
  assertEquals(played.errors.map(({ code, channel, reason }) => [code, channel, reason]), [
    ["client.publish_refused", "c", limited.r],
    ["client.publish_refused", "c", denied.r],
  ]);
  assertEquals(channel.subscribed, false);
  await played.time.tick(60_000);
  assertEquals(played.allSent("pub").length, 2);
});

Deno.test("an unacknowledged publish survives a reconnect: in order, under the same id", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const channel = played.client.channel("c");
  const data = { text: "as it was" };
  const settled = watch(channel.publish("n", data), channel.publish("n", 2));
  data.text = "changed since";
  const sent = played.allSent("pub");
  const [{ n = 0, i = "" } = {}] = sent;
  played.socket.receive({ t: "ok", c: "c", n, i });
  await played.loseAndRetry();
  const third = channel.publish("n", 3);
  await played.welcome2();
  const again = played.allSent("pub");
  assertEquals(again.map(({ d }) => d), [2, 3]);
  assertEquals(again[0], sent[1]);
  assertEquals(sent[0]?.d, { text: "as it was" });
  assertEquals(played.socket.frames.map((frame) => (frame as { t: string }).t), [
    "sub",
    "pub",
    "pub",
  ]);
  for (const { n, i } of again) played.socket.receive({ t: "ok", c: "c", n, i });
  assertEquals((await third).ok, true);
  assertEquals(settled.length, 2);
  await played.loseAndRetry();
  await played.welcome2();
  assertEquals(played.allSent("pub"), []);
});

Deno.test("a server of revision 1 confirms nothing, and the result says just that", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  const settled = watch(channel.publish("n", 1));
  await settle();
  assertEquals(settled, []);
  await played.welcome();
  const [result] = await Promise.all([channel.publish("n", 2)]);
  assertEquals(
    played.allSent("pub"),
    [1, 2].map((d) => ({ t: "pub", c: "c", e: "n", d })) as never,
  );
  const { id } = result;
  const reason = "this server confirms nothing";
  assertEquals(result, { ok: false, id, code: "unconfirmed", reason });
  assertEquals(settled.length, 1);
  assertEquals(played.errors, []);
});

Deno.test("the outbox is full with what waits and what is unacknowledged together", async () => {
  using played = new PlayedClient({ outboxLimit: 2 });
  await played.welcome2();
  const channel = played.client.channel("c");
  channel.publish("n", 1);
  await played.loseAndRetry();
  channel.publish("n", 2);
  const result = await channel.publish("n", 3);
  assertEquals([result.ok, result.ok || result.code], [false, "outbox_full"]);
  await played.welcome2();
  const [first] = played.allSent("pub");
  played.socket.receive({ t: "ok", c: "c", n: first?.n, i: first?.i });
  channel.publish("n", 4);
  assertEquals(played.allSent("pub").map(({ d }) => d), [1, 2, 4]);
});

Deno.test("others and id: this connection is left out, and a result's id tries again", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const channel = played.client.channel("c");
  channel.publish("n", 1, { others: true, id: "mine" });
  channel.publish("n", 2);
  const [first, second] = played.allSent("pub");
  assertEquals(first, { t: "pub", c: "c", e: "n", d: 1, n: first?.n ?? 0, i: "mine", x: true });
  assertEquals(second && "x" in second, false);
  assertNotEquals(second?.i, "mine");
});

Deno.test("publishes survive disconnect and connect", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const settled = watch(played.client.channel("c").publish("n", 1));
  const { i } = played.sent("pub");
  played.client.disconnect();
  await settle();
  assertEquals(settled, []);
  played.client.connect();
  await played.welcome2();
  assertEquals(played.sent("pub").i, i);
});

// The server leaves out a connection, and knows nothing of the one that takes its place.
Deno.test("others: the page does not get its own event back after a resume, and the position moves", async () => {
  using played = new PlayedClient({ outboxLimit: 2 });
  const channel = played.client.channel("c");
  const heard: unknown[] = [];
  channel.on("n", (data) => heard.push(data));
  await played.welcome2();
  played.ok({ o: 0 });
  channel.publish("n", 1, { others: true, id: "id1" });
  channel.publish("n", 2, { id: "id2" });
  await played.loseAndRetry();
  await played.welcome2();
  played.ok({ o: 3, r: "ok", m: 3 });
  for (const o of [1, 2, 3]) played.event(o);
  assertEquals([heard, channel.position?.offset], [[2, 3], 3]);
});

Deno.test("others: only the last ones are remembered", async () => {
  using played = new PlayedClient({ outboxLimit: 2 });
  const channel = played.client.channel("c");
  const heard: unknown[] = [];
  channel.on("n", (data) => heard.push(data));
  await played.welcome2();
  played.ok({ o: 0 });
  for (const i of [1, 2, 3]) {
    channel.publish("n", i, { others: true, id: `id${i}` });
    const { n } = played.sent("pub");
    played.socket.receive({ t: "ok", c: "c", n, i: `id${i}`, p: { e: "E", o: i } });
  }
  for (const o of [1, 2, 3]) played.event(o);
  assertEquals(heard, [1]);
});

Deno.test("an answer to a publish that is settled already is not news", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  const publish = played.client.channel("c").publish("n", 1);
  const { n, i } = played.sent("pub");
  played.socket.receive({ t: "ok", c: "c", n, i });
  played.socket.receive({ t: "err", c: "c", n, r: "publish failed", k: "publish_failed" });
  assertEquals([(await publish).ok, played.errors], [true, []]);
});
