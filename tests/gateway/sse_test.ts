import { assert, assertEquals, assertRejects } from "@std/assert";
import { isBroadcastError, MemoryBroadcaster } from "@airwave/broadcast";
import { parseStreamId } from "@airwave/broadcast/protocol";
import { FakeTime } from "@airwave/broadcast/testing";
import fc from "fast-check";
import { framesFormat } from "../../gateway/sse/format.ts";
import { SseStream } from "../../gateway/sse/stream.ts";
import { SSE_URL, SseReader, Streams } from "./sse_reader.ts";

const FOUR = ["a", "b", "c.3", "d:4"] as const;

Deno.test("a stream begins at once, with headers that keep proxies from holding it back", async () => {
  // Who is asking is never found out here: nothing of the session has come yet.
  await using streams = new Streams({ resolveSubject: () => new Promise(() => {}) });
  const reader = await streams.open({ channels: ["a"] });
  const { status, headers } = reader.response;
  assertEquals(status, 200);
  assertEquals(headers.get("content-type"), "text/event-stream");
  assertEquals(headers.get("cache-control"), "no-store, no-transform");
  assertEquals(headers.get("x-accel-buffering"), "no");
  await reader.until(({ retryMs }) => retryMs !== undefined);
  assert(Number(reader.retryMs) >= 1000 && Number(reader.retryMs) <= 4000);
  assertEquals(reader.messages, []);
  await reader.leave();
});

Deno.test("browsers that lose their server come back spread over three seconds", async () => {
  await using streams = new Streams();
  const waits = [];
  for (let i = 0; i < 50; i++) {
    const reader = await streams.open();
    waits.push(Number((await reader.until(({ retryMs }) => retryMs !== undefined)).retryMs));
    await reader.leave();
  }
  assert(Math.min(...waits) >= 1_000 && Math.max(...waits) <= 4_000, String(waits));
  // Once in a million million times all of so many are closer together.
  assert(Math.max(...waits) - Math.min(...waits) > 1_500, String(waits));
});

Deno.test("one stream carries many channels, as frames of revision 2", async () => {
  await using streams = new Streams();
  const reader = await streams.open({ channels: FOUR });
  await reader.live(...FOUR);
  for (const channel of FOUR) await streams.publish(channel, { on: channel });
  await reader.until(({ frames }) => frames.filter(({ t }) => t === "msg").length === 4);
  assertEquals(reader.frames[0]?.t, "welcome");
  for (const channel of FOUR) assertEquals(reader.data(channel), [{ on: channel }]);
  await reader.leave();
});

Deno.test("every message's id holds the position of every channel", async () => {
  await using streams = new Streams();
  const reader = await streams.open({ channels: FOUR });
  await reader.live(...FOUR);
  for (const channel of FOUR) await streams.publish(channel, 1);
  await streams.publish("b", 2);
  await reader.until((reader) => reader.data("b").length === 2);
  for (const { id = "" } of reader.messages) {
    assertEquals([...parseStreamId(id)?.keys() ?? []], [...FOUR]);
  }
  const positions = parseStreamId(reader.lastEventId ?? "");
  const offsets = Array.from(positions ?? [], ([, p]) => typeof p === "object" && p.o);
  assertEquals(offsets, [1, 2, 1, 1]);
  await reader.leave();
});

Deno.test("Last-Event-ID resumes every channel from where it stood: all of it, once and in order", async () => {
  await using streams = new Streams();
  const first = await streams.open({ channels: FOUR });
  await first.live(...FOUR);
  for (const channel of FOUR) await streams.publish(channel, 1);
  // One is ahead of the others when the stream is cut.
  await streams.publish("b", 2);
  await first.until((reader) => reader.data("b").length === 2);
  const { lastEventId } = first;
  await first.leave();
  for (const channel of FOUR) await streams.publish(channel, 3);
  const second = await streams.open({ channels: FOUR, lastEventId });
  await second.live(...FOUR);
  for (const channel of FOUR) await streams.publish(channel, 4);
  await second.until((reader) => reader.data("d:4").length === 2);
  for (const channel of FOUR) assertEquals(second.data(channel), [3, 4], channel);
  assertEquals(second.recoveries, ["ok", "ok", "ok", "ok"]);
  await second.leave();
});

Deno.test("who has seen no event yet resumes too", async () => {
  await using streams = new Streams();
  const first = await streams.open({ channels: ["a"] });
  const { lastEventId } = await first.live("a");
  await first.leave();
  await streams.publish("a", 1);
  const second = await streams.open({ channels: ["a"], lastEventId });
  await second.until((reader) => reader.data("a").length === 1);
  await second.leave();
});

Deno.test("a cut in the middle of the missed events goes on from the last one received", async () => {
  await using streams = new Streams();
  const first = await streams.open({ channels: ["a"] });
  const { lastEventId: before } = await first.live("a");
  await first.leave();
  for (let d = 1; d <= 9; d++) await streams.publish("a", d);
  const whole = await streams.open({ channels: ["a"], lastEventId: before });
  await whole.until((reader) => reader.data("a").length === 9);
  await whole.leave();
  // Whatever message was the last that arrived, and the welcome and the answer are messages too.
  for (const [index, { id }] of whole.messages.entries()) {
    const got = whole.messages.slice(0, index + 1).filter(({ data }) => data.includes('"msg"'));
    const again = await streams.open({ channels: ["a"], lastEventId: id });
    await again.live("a");
    await again.until((reader) => got.length + reader.data("a").length >= 9);
    assertEquals([...got.map(({ data }) => JSON.parse(data).d), ...again.data("a")], [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9],
    ]);
    await again.leave();
  }
});

Deno.test("a cut before the first answer forgets no position", async () => {
  await using streams = new Streams({ resolveSubject: () => ({ id: "ada" }) });
  const first = await streams.open({ channels: ["a", "private-b"] });
  const { lastEventId } = await first.live("a");
  await first.leave();
  const second = await streams.open({ channels: ["a", "private-b"], lastEventId });
  await second.until(({ messages }) => messages.length > 0);
  assertEquals(parseStreamId(second.lastEventId ?? ""), parseStreamId(lastEventId ?? ""));
  await second.leave();
});

Deno.test("what cannot be proven complete is said: another epoch, or an id that is not ours", async () => {
  await using streams = new Streams();
  await streams.publish("a", 1);
  const ids = ["1|a+0+another+0", "1|a+", "7", "2|a", "1|a|a"];
  for (const lastEventId of ids) {
    const reader = await streams.open({ channels: ["a"], lastEventId });
    await reader.live("a");
    assertEquals(reader.recoveries, ["lost"], lastEventId);
    assertEquals(reader.data("a"), []);
    await reader.leave();
  }
});

Deno.test("history that was trimmed meanwhile is lost, never a part of it", async () => {
  await using broadcaster = new MemoryBroadcaster({ historySize: 2 });
  await using streams = new Streams({ broadcaster });
  const first = await streams.open({ channels: ["a"] });
  const { lastEventId } = await first.live("a");
  await first.leave();
  for (let d = 1; d <= 3; d++) await broadcaster.publish("a", { event: "e", data: d });
  const second = await streams.open({ channels: ["a"], lastEventId });
  await second.live("a");
  assertEquals(second.recoveries, ["lost"]);
  assertEquals(second.data("a"), []);
  await second.leave();
});

Deno.test("sub and unsub by the uplink survive a reconnect to the same address", async () => {
  await using streams = new Streams();
  const first = await streams.open({ channels: ["a", "b"] });
  await first.live("a", "b");
  assertEquals(
    (await first.say([{ t: "sub", c: "c", n: 1 }, { t: "unsub", c: "a", n: 2 }])).status,
    204,
  );
  await first.live("c");
  await first.until(({ frames }) => frames.some((frame) => frame.t === "ok" && frame.n === 2));
  assertEquals([...parseStreamId(first.lastEventId ?? "")?.keys() ?? []], ["b", "c"]);
  const { lastEventId } = first;
  await first.leave();
  for (const channel of ["a", "b", "c"]) await streams.publish(channel, channel);
  const second = await streams.open({ channels: ["a", "b"], lastEventId });
  await second.live("b", "c");
  await second.until((reader) => reader.data("b").length + reader.data("c").length === 2);
  assertEquals(streams.gateway.subscriberCount("a"), 0);
  assertEquals(second.data("a"), []);
  await second.leave();
});

Deno.test("who lets go of all channels stays without any", async () => {
  await using streams = new Streams();
  const first = await streams.open({ channels: ["a"] });
  await first.live("a");
  await first.say({ t: "unsub", c: "a", n: 1 });
  await first.until(({ frames }) => frames.some((frame) => frame.t === "ok" && frame.n === 1));
  assertEquals(first.lastEventId, "1");
  const second = await streams.open({ channels: ["a"], lastEventId: first.lastEventId });
  await second.say({ t: "sub", c: "b", n: 1 });
  await second.live("b");
  assertEquals(streams.gateway.subscriberCount("a"), 0);
  await first.leave();
  await second.leave();
});

Deno.test("a refused channel is told as err, and asked for again by who comes back", async () => {
  let allowed = false;
  await using streams = new Streams({ maxChannelsPerConnection: 2 });
  streams.broadcaster.authorize("private-a", () => allowed);
  const channels = ["private-a", "no spaces", "b", "c", "d"];
  const first = await streams.open({ channels });
  await first.until(({ frames }) =>
    frames.filter(({ t }) => t === "ok" || t === "err").length === 5
  );
  const refusals = first.frames.flatMap((frame) => frame.t === "err" ? [[frame.c, frame.k]] : []);
  assertEquals(refusals.sort(), [
    ["c", "too_many_channels"],
    ["d", "too_many_channels"],
    ["no spaces", "invalid_channel"],
    ["private-a", "unauthorized"],
  ]);
  const { lastEventId } = first;
  await first.leave();
  allowed = true;
  const second = await streams.open({ channels, lastEventId });
  await second.live("private-a");
  await second.leave();
});

Deno.test("a resume asks the rule like a first subscription", async () => {
  let allowed = true;
  await using streams = new Streams();
  streams.broadcaster.authorize("private-a", () => allowed);
  const first = await streams.open({ channels: ["private-a"] });
  const { lastEventId } = await first.live("private-a");
  await first.leave();
  await streams.publish("private-a", "secret");
  allowed = false;
  const second = await streams.open({ channels: ["private-a"], lastEventId });
  await second.until(({ frames }) => frames.some(({ t }) => t === "err"));
  assertEquals(second.data("private-a"), []);
  await second.leave();
});

Deno.test("a channel whose name has no room in the id is refused, and those before it go on", async () => {
  await using streams = new Streams({ maxFrameBytes: 1024 });
  const names = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(200, "x"));
  const first = await streams.open({ channels: names });
  await first.until(({ frames }) => frames.length === 41);
  const refused = first.frames.flatMap((frame) => frame.t === "err" ? [frame.k] : []);
  assertEquals(refused, Array(5).fill("too_many_channels"));
  // Letting go of one makes room for another.
  await first.say([{ t: "unsub", c: names[0] ?? "", n: 1 }, {
    t: "sub",
    c: names[39] ?? "",
    n: 2,
  }]);
  await first.live(names[39] ?? "");
  await first.leave();
});

Deno.test("who wants no ids gets none, and no name is too long to have room in them", async () => {
  await using streams = new Streams();
  const reader = await streams.open({ url: `${SSE_URL}?ids=no` });
  const names = Array.from({ length: 128 }, (_, n) => `${n}`.padEnd(200, "x"));
  await reader.say(names.map((c, n) => ({ t: "sub", c, n })));
  await reader.live(...names);
  assertEquals(reader.messages.filter(({ id }) => id !== undefined), []);
  await reader.leave();
});

Deno.test("a client that leaves leaves nothing behind", async () => {
  await using streams = new Streams();
  const reader = await streams.open({ channels: FOUR });
  await reader.live(...FOUR);
  assertEquals([streams.gateway.clientCount, streams.gateway.channelCount], [1, 4]);
  await reader.leave();
  assertEquals([streams.gateway.clientCount, streams.gateway.channelCount], [0, 0]);
  assertEquals(streams.disconnections.map(({ code }) => code), [1006]);
  assertEquals((await reader.say({ t: "sub", c: "a", n: 1 })).status, 404);
});

Deno.test("a gateway that closes says so on the stream, and ends it", async () => {
  await using streams = new Streams();
  const reader = await streams.open({ channels: ["a"] });
  await reader.live("a");
  await streams.gateway.close();
  await reader.end();
  const last = reader.messages.at(-1);
  assertEquals(last?.event, "close");
  assertEquals(JSON.parse(last?.data ?? ""), { code: 1001, reason: "going away" });
  assertEquals((await reader.say({ t: "sub", c: "a", n: 1 })).status, 503);
  assertEquals((await streams.open()).response.status, 503);
});

Deno.test("a drain tells the browser itself when to come back", async () => {
  await using streams = new Streams();
  const readers = [
    await streams.open({ channels: ["a"] }),
    await streams.open({ channels: ["a"] }),
  ];
  for (const reader of readers) await reader.live("a");
  const drained = streams.gateway.drain({ deadlineMs: 5_000 });
  for (const reader of readers) await reader.end();
  await drained;
  const byes = readers.flatMap(({ frames }) => frames.flatMap((f) => f.t === "bye" ? [f.ms] : []));
  assertEquals(readers.map(({ retryMs }) => retryMs), byes);
  assertEquals(new Set(readers.map(({ retryMs }) => retryMs)).size, 2);
});

Deno.test("pings are comments; who takes them is alive, who does not is cut off", async () => {
  using time = new FakeTime();
  await using streams = new Streams({ pingIntervalMs: 1000, pongTimeoutMs: 500 });
  const reader = await streams.open();
  await reader.secret();
  for (let pings = 1; pings <= 5; pings++) {
    const read = reader.until(({ comments }) => comments.length === pings);
    await time.tick(1000);
    await read;
  }
  assertEquals(reader.messages.length, 1);
  assertEquals(streams.gateway.clientCount, 1);
  // One that was taken before stands for this one: the reader asks for one chunk ahead.
  await time.tick(2000);
  assertEquals(streams.gateway.clientCount, 0);
  assertEquals(streams.disconnections.map(({ code }) => code), [4101]);
});

Deno.test("a reader that is too slow is cut off by the bytes that wait for it", async () => {
  await using streams = new Streams({ maxQueuedBytes: 256 * 1024 });
  const slow = await streams.open({ channels: ["a"] });
  const fast = await streams.open({ channels: ["a"] });
  await slow.live("a");
  await fast.live("a");
  const big = "x".repeat(16 * 1024);
  let sent = 0;
  while (streams.gateway.clientCount === 2) {
    await streams.publish("a", big);
    sent++;
    await fast.until((reader) => reader.data("a").length === sent);
  }
  // What waits in the queue, and what was handed over before it began to wait.
  assert(sent * 16 > 256 && sent * 16 < 256 + 128, `${sent} events of 16 KiB`);
  assertEquals(streams.disconnections.map(({ code }) => code), [4100]);
  // What waited for it is gone with it: it comes back and resumes.
  await assertRejects(() => slow.end(), Error, "4100 slow consumer");
  await fast.leave();
});

Deno.test("10,000 events with hostile ids, names and payloads come back exactly as published", async () => {
  await using streams = new Streams();
  const frames = await streams.open({ channels: ["a"] });
  const events = await streams.open({
    url: "http://app.example/_broadcast/sse?as=events",
    channels: ["a"],
  });
  await frames.live("a");
  const hostile = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 30 }),
    fc.array(
      fc.constantFrom(
        "\r",
        "\n",
        "\r\n\r\n",
        "data: ",
        "id: 1",
        "event: x",
        ":",
        " ",
        "é",
        "\u0000",
        "\u2028",
        "😀",
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    ).map((parts) => parts.join("")),
    fc.constantFrom("message", "error", "open", "close", "__proto__", "constructor"),
  );
  const published: { event: string; data: unknown; id: string }[] = [];
  let refused = 0;
  const wanted = fc.record({
    id: fc.tuple(hostile, fc.uuid()).map((parts) => parts.join("")),
    event: hostile,
    data: fc.oneof(hostile, fc.jsonValue({ stringUnit: "binary" })),
  }, { noNullPrototype: true });
  for (const event of fc.sample(wanted, { numRuns: 10_000, seed: 20_261_124 })) {
    try {
      await streams.broadcaster.publish("a", event);
    } catch (error) {
      // A name or an id with a control character is refused where it is published.
      if (!isBroadcastError(error) || error.status !== 400) throw error;
      refused++;
      continue;
    }
    published.push({ ...event, data: JSON.parse(JSON.stringify(event.data)) });
    if (published.length % 100 > 0) continue;
    await frames.until((reader) => reader.messages.length > published.length + 1);
    await events.until((reader) => reader.messages.length >= published.length);
  }
  await frames.until((reader) => reader.messages.length > published.length + 1);
  await events.until((reader) => reader.messages.length >= published.length);
  assert(published.length > 3_000 && refused > 3_000, `${published.length} published`);
  const asFrames = frames.frames.slice(2).map((frame) =>
    frame.t === "msg" && { event: frame.e, data: frame.d, id: frame.i }
  );
  assertEquals(asFrames, published);
  const asEvents = events.messages.map(({ event, data }) => ({ event, data: JSON.parse(data) }));
  assertEquals(asEvents, published.map(({ event, data }) => ({ event, data })));
  await frames.leave();
  await events.leave();
});

Deno.test("JSON that another program wrote over several lines stays one message", async () => {
  const text = '{"t":"msg","c":"a","e":"x","d":[\r1,\n2,\r\n3\n\n],"i":"7","o":1}';
  const stream = new SseStream({
    asked: [],
    format: framesFormat("secret"),
    hasIds: true,
    parse: (text) => JSON.parse(text),
    onEnd() {},
  });
  stream.send(text);
  const reader = await SseReader.open(() => new Response(stream.body));
  await reader.until(({ messages }) => messages.length > 0);
  assertEquals(reader.frames, [JSON.parse(text)]);
  await reader.leave();
});
