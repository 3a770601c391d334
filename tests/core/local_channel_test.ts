import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BroadcastClosedError,
  BroadcastConfigError,
  BroadcastSubscribeError,
  DriverBroadcaster,
} from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { liveChannel, Recorder } from "./recorder.ts";
import { at, record, ScriptedDriver } from "./scripted_driver.ts";

Deno.test("ready waits for the backplane's acknowledgement", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  await settle();
  assertEquals(recorder.heard, []);
  driver.acknowledge(0, 7);
  await settle();
  assertEquals(recorder.heard, ["live"]);
  assertEquals(recorder.start, { position: at(7), recovery: "none", missed: 0 });
});

Deno.test("events between the acknowledgement and the listener's start are not lost", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  await settle();
  const { sink } = driver.opening(0);
  driver.acknowledge(0, 7);
  // Acknowledged, but nobody was told yet: the start must then stand behind this event.
  sink.event(record(8), at(8));
  await settle();
  sink.event(record(9), at(9));
  assertEquals(recorder.start?.position, at(8));
  assertEquals(recorder.heard, ["live", 9]);
});

Deno.test("an event before the acknowledgement is not taken: it is in the history that this tells of", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const recorder = new Recorder();
  broadcaster.listen("c", recorder, { after: at(7) });
  await settle();
  driver.opening(0).sink.event(record(8), at(8));
  driver.acknowledge(0, 8);
  await settle();
  driver.answerRead(0, [8], 8);
  await settle();
  assertEquals(recorder.heard, ["live", 8]);
});

Deno.test("guarantee 5: five listeners open one upstream subscription, the last one closes it", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const attachments = Array.from({ length: 5 }, () => broadcaster.listen("c", new Recorder()));
  await settle();
  driver.acknowledge(0);
  await settle();
  assertEquals(driver.openings.length, 1);
  for (const attachment of attachments.slice(1)) attachment.detach();
  await settle();
  assertEquals(driver.opening(0).closeAsked, false);
  attachments[0]?.detach();
  await settle();
  assertEquals(driver.opening(0).closeAsked, true);
});

Deno.test("guarantee 5: leaving while the upstream subscription opens does not leak it", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const recorder = new Recorder();
  const attachment = broadcaster.listen("c", recorder);
  await settle();
  attachment.detach();
  await settle();
  driver.acknowledge(0);
  await settle();
  assertEquals(driver.opening(0).closeAsked, true);
  assertEquals(recorder.heard, []);
});

Deno.test("coming and going within a turn asks the backplane for nothing", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  broadcaster.listen("c", new Recorder()).detach();
  await settle();
  assertEquals(driver.openings.length, 0);
});

Deno.test("coming back while the upstream subscription closes opens a new one after it", async () => {
  const { driver, broadcaster, attachment } = await liveChannel();
  attachment.detach();
  await settle();
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  await settle();
  assertEquals(driver.openings.length, 1);
  driver.opening(0).closed.resolve();
  await settle();
  assertEquals(driver.openings.length, 2);
  const sink = driver.acknowledge(1);
  await settle();
  // What the first subscription still says is no longer anybody's business.
  driver.opening(0).sink.event(record(1), at(1));
  driver.opening(0).sink.live(undefined);
  assertEquals(recorder.heard, ["live"]);
  sink.event(record(1), at(1));
  assertEquals(recorder.heard, ["live", 1]);
  await broadcaster.close();
});

Deno.test("a backplane that refuses is told to every listener, and the next try is a new one", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const [first, second] = [new Recorder(), new Recorder()];
  broadcaster.listen("c", first);
  const subscription = broadcaster.subscribe("c");
  await settle();
  const cause = new Error("Connection refused");
  driver.opening(0).answer.reject(cause);
  const error = await assertRejects(() => subscription.ready);
  assertEquals(first.heard, ["ended"]);
  assertEquals(first.error?.code, "broadcast.subscribe");
  assertEquals(first.error?.status, 503);
  assertEquals(first.error?.cause, cause);
  assertEquals(error, first.error);
  broadcaster.listen("c", second);
  await settle();
  driver.acknowledge(1);
  await settle();
  driver.opening(0).sink.live(at(1));
  driver.opening(0).sink.live(undefined);
  assertEquals(second.heard, ["live"]);
});

Deno.test("an upstream subscription that cannot be closed is reported, and the next try is a new one", async () => {
  const { driver, broadcaster, attachment, errors } = await liveChannel();
  attachment.detach();
  await settle();
  const cause = new Error("Connection lost");
  driver.opening(0).closed.reject(cause);
  await settle();
  assertEquals(errors.map(({ code, cause }) => [code, cause]), [["broadcast.subscribe", cause]]);
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  await settle();
  driver.acknowledge(1);
  await settle();
  assertEquals(recorder.heard, ["live"]);
  await broadcaster.close();
});

// A database that was down at the first subscription was once an unhandled rejection.
Deno.test("who only iterates learns of a refusal from next(), and nothing goes unhandled", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const subscription = broadcaster.subscribe("c");
  await settle();
  driver.opening(0).answer.reject(new Error("Connection refused"));
  await assertRejects(() => subscription.next(), BroadcastSubscribeError);
  assertEquals(await subscription.next(), { value: undefined, done: true });
});

Deno.test("an event that comes twice or late is dropped", async () => {
  const { broadcaster, recorder, sink } = await liveChannel(5);
  for (const offset of [6, 6, 5, 7, 1, 8]) sink.event(record(offset), at(offset));
  assertEquals(recorder.heard, ["live", 6, 7, 8]);
  await broadcaster.close();
});

Deno.test("guarantee 2: a gap is read from history before anything newer passes", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.event(record(8), at(8));
  sink.event(record(9), at(9));
  assertEquals(recorder.heard, ["live"]);
  assertEquals(driver.reads.map(({ after }) => after), [at(5)]);
  driver.answerRead(0, [6, 7, 8], 8);
  await settle();
  assertEquals(recorder.heard, ["live", 6, 7, 8, 9]);
  await broadcaster.close();
});

Deno.test("after a reconnect the channel is read from its last offset", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.live(at(7));
  sink.event(record(8), at(8));
  assertEquals(recorder.heard, ["live"]);
  driver.answerRead(0, [6, 7], 7);
  await settle();
  assertEquals(recorder.heard, ["live", 6, 7, 8]);
  sink.live(at(8));
  await settle();
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("a gap that history cannot prove is told as lost, and the channel goes on", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.live({ epoch: "other", offset: 3 });
  driver.answerIncomplete(0, { epoch: "other", offset: 3 });
  await settle();
  sink.event(record(4), { epoch: "other", offset: 4 });
  assertEquals(recorder.heard, ["live", "lost 3", 4]);
  await broadcaster.close();
});

Deno.test("guarantee 2: a reconnect while history is read has it read once more", async () => {
  const { driver, broadcaster, recorder, sink } = await liveChannel(5);
  sink.live(at(7));
  // The answer may be older than this word, and a quiet channel would never hear another.
  sink.live(at(9));
  driver.answerRead(0, [6, 7], 7);
  await settle();
  driver.answerRead(1, [8, 9], 9);
  await settle();
  assertEquals(recorder.heard, ["live", 6, 7, 8, 9]);
  await broadcaster.close();
});

Deno.test("guarantee 6: what comes while history is read is kept up to 10,000 events, the rest is read", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel();
  for (let offset = 2; offset <= 10_003; offset++) sink.event(record(offset), at(offset));
  driver.answerRead(0, [1], 1);
  await settle();
  assertEquals(recorder.heard.at(-1), 10_001);
  assertEquals(driver.readAsked(1).after, at(10_001));
  driver.answerRead(1, [10_002, 10_003], 10_003);
  await settle();
  assertEquals(recorder.heard.slice(1), Array.from({ length: 10_003 }, (_, i) => i + 1));
  await broadcaster.close();
});

Deno.test("a history that does not know of the gap either does not stop the channel", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.event(record(8), at(8));
  driver.answerRead(0, [], 5);
  await settle();
  assertEquals(recorder.heard, ["live", "lost 7", 8]);
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("a gap that is read with a hole in it is told as lost, and nothing of it is passed on", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.event(record(9), at(9));
  driver.answerRead(0, [6, 8], 8);
  await settle();
  assertEquals(recorder.heard, ["live", "lost 8", 9]);
  await broadcaster.close();
});

Deno.test("a history that cannot be read is tried again at the driver's next word", async () => {
  using time = new FakeTime();
  const { broadcaster, driver, recorder, sink, errors } = await liveChannel(5);
  sink.event(record(7), at(7));
  driver.readAsked(0).answer.reject(new Error("Timed out"));
  await settle();
  assertEquals(errors.map(({ code }) => code), ["broadcast.subscribe"]);
  assertEquals(recorder.heard, ["live"]);
  sink.event(record(8), at(8));
  driver.answerRead(1, [6, 7, 8], 8);
  await settle();
  assertEquals(recorder.heard, ["live", 6, 7, 8]);
  assertEquals(time.pendingTimers, 0);
  await broadcaster.close();
});

Deno.test("without positions, a reconnect is told as lost: nobody can prove more", async () => {
  const driver = new ScriptedDriver();
  await using broadcaster = new DriverBroadcaster(driver);
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  await settle();
  const { sink, answer } = driver.opening(0);
  sink.live(undefined);
  answer.resolve({ close: () => Promise.resolve() });
  await settle();
  sink.event(record(1), undefined);
  sink.live(undefined);
  sink.event(record(2), undefined);
  assertEquals(recorder.heard, ["live", undefined, "lost undefined", undefined]);
});

Deno.test("live events that come while a resume is read follow what was missed, once", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const resumed = new Recorder();
  broadcaster.listen("c", resumed, { after: at(3) });
  await settle();
  sink.event(record(6), at(6));
  sink.event(record(7), at(7));
  assertEquals(resumed.heard, []);
  driver.answerRead(0, [4, 5, 6], 6);
  await settle();
  sink.event(record(8), at(8));
  assertEquals(resumed.heard, ["live", 4, 5, 6, 7, 8]);
  // What came meanwhile is part of the gap: the start stands where the channel does.
  assertEquals(resumed.start, { position: at(7), recovery: "ok", missed: 4 });
  await broadcaster.close();
});

// What the store had ahead of the live feed was once delivered twice.
Deno.test("a resume takes no more from history than the channel has reached", async () => {
  const { broadcaster, driver, sink } = await liveChannel(3);
  const resumed = new Recorder();
  broadcaster.listen("c", resumed, { after: at(1) });
  await settle();
  driver.answerRead(0, [2, 3, 4], 4);
  await settle();
  assertEquals(resumed.start, { position: at(3), recovery: "ok", missed: 2 });
  sink.event(record(4), at(4));
  sink.event(record(5), at(5));
  assertEquals(resumed.heard, ["live", 2, 3, 4, 5]);
  await broadcaster.close();
});

Deno.test("listeners that leave in any order leave the others, and at last nobody", async () => {
  const { broadcaster, driver, sink, recorder, attachment } = await liveChannel();
  const [b, c, d] = [new Recorder(), new Recorder(), new Recorder()];
  const leave = [b, c, d].map((recorder) => broadcaster.listen("c", recorder));
  await settle();
  attachment.detach();
  leave[2]?.detach();
  sink.event(record(1), at(1));
  leave[0]?.detach();
  sink.event(record(2), at(2));
  assertEquals([recorder, b, c, d].map(({ heard }) => heard), [
    ["live"],
    ["live", 1],
    ["live", 1, 2],
    ["live"],
  ]);
  leave[1]?.detach();
  await settle();
  assertEquals(driver.opening(0).closeAsked, true);
  await broadcaster.close();
});

Deno.test("close ends a subscriber whose resume is being read", async () => {
  const { broadcaster } = await liveChannel(5);
  const subscription = broadcaster.subscribe("c", { after: at(3) });
  await settle();
  const next = subscription.next();
  await broadcaster.close();
  assertEquals(await next, { value: undefined, done: true });
  await assertRejects(() => subscription.ready, BroadcastClosedError);
});

Deno.test("a gap of a new upstream is read, though the read of the old one is still out", async () => {
  const { broadcaster, driver, attachment, sink } = await liveChannel(5);
  sink.event(record(8), at(8));
  attachment.detach();
  await settle();
  const recorder = new Recorder();
  broadcaster.listen("c", recorder);
  driver.opening(0).closed.resolve();
  await settle();
  const next = driver.acknowledge(1, 8);
  await settle();
  next.event(record(10), at(10));
  driver.answerRead(0, [6, 7, 8], 8);
  driver.answerRead(1, [9, 10], 10);
  await settle();
  assertEquals(recorder.heard, ["live", 9, 10]);
  await broadcaster.close();
});

Deno.test("a history that cannot be read is tried again by itself, later each time, until close", async () => {
  using time = new FakeTime();
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  sink.event(record(7), at(7));
  // Each pause is up to half shorter by chance: the channels of a node should not all come at once.
  for (const [read, waitMs] of [[0, 100], [1, 200], [2, 400]] as const) {
    driver.readAsked(read).answer.reject(new Error("Timed out"));
    await time.tick(waitMs / 2 - 1);
    assertEquals(driver.reads.length, read + 1);
    await time.tick(waitMs / 2 + 1);
    assertEquals(driver.reads.length, read + 2);
  }
  driver.answerRead(3, [6, 7], 7);
  await settle();
  assertEquals(recorder.heard, ["live", 6, 7]);
  sink.event(record(9), at(9));
  driver.readAsked(4).answer.reject(new Error("Timed out"));
  // It was read meanwhile, so this is a first failure again.
  await time.tick(100);
  driver.readAsked(5).answer.reject(new Error("Timed out"));
  await settle();
  assertEquals(time.pendingTimers, 1);
  await broadcaster.close();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("who listens again when told of the end waits for the next opening, or is refused", async () => {
  const driver = new ScriptedDriver();
  const broadcaster = new DriverBroadcaster(driver);
  let tries = 0;
  const stubborn = new Recorder();
  stubborn.ended = () => {
    if (tries++ < 10) broadcaster.listen("c", stubborn);
  };
  broadcaster.listen("c", stubborn);
  await settle();
  driver.opening(0).answer.reject(new Error("Connection refused"));
  await settle();
  assertEquals([tries, driver.openings.length], [1, 2]);
  await broadcaster.close();
  assertEquals(tries, 2);
});

Deno.test("an after that is no position is refused", async () => {
  const { broadcaster } = await liveChannel(5);
  for (const offset of [NaN, -1, 1.5]) {
    const after = { epoch: "e", offset };
    assertThrows(() => broadcaster.listen("c", new Recorder(), { after }), BroadcastConfigError);
  }
  await broadcaster.close();
});

Deno.test("a resume is lost, not partial, where history was trimmed or the epoch changed", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [trimmed, foreign] = [new Recorder(), new Recorder()];
  broadcaster.listen("c", trimmed, { after: at(1) });
  broadcaster.listen("c", foreign, { after: { epoch: "old", offset: 5 } });
  await settle();
  sink.event(record(6), at(6));
  // Nothing can prove a gap between two epochs, so nothing is read for it.
  assertEquals(foreign.start, { position: at(5), recovery: "lost", missed: 0 });
  driver.answerIncomplete(0, at(6));
  await settle();
  sink.event(record(7), at(7));
  assertEquals(trimmed.start, { position: at(6), recovery: "lost", missed: 0 });
  assertEquals(trimmed.heard, ["live", 7]);
  assertEquals(foreign.heard, ["live", 6, 7]);
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("a resume at the top needs no read", async () => {
  const { broadcaster, driver } = await liveChannel(5);
  const resumed = new Recorder();
  broadcaster.listen("c", resumed, { after: at(5) });
  await settle();
  assertEquals(resumed.start, { position: at(5), recovery: "ok", missed: 0 });
  assertEquals(driver.reads.length, 0);
  await broadcaster.close();
});

Deno.test("guarantee 2: what a resume reads amid a loss is not remembered: who comes next would miss the rest", async () => {
  const { broadcaster, driver, sink } = await liveChannel(7);
  const [first, next] = [new Recorder(), new Recorder()];
  broadcaster.listen("c", first, { after: at(5) });
  await settle();
  sink.event(record(10), at(10));
  driver.answerIncomplete(1, at(10));
  await settle();
  assertEquals(first.start, { position: at(10), recovery: "lost", missed: 0 });
  driver.answerRead(0, [6, 7], 7);
  await settle();
  broadcaster.listen("c", next, { after: at(6) });
  await settle();
  driver.answerRead(2, [7, 8, 9, 10], 10);
  await settle();
  assertEquals(next.heard, ["live", 7, 8, 9, 10]);
  await broadcaster.close();
});

Deno.test("leaving while a resume is read: nothing comes, nothing leaks", async () => {
  const { broadcaster, driver, attachment } = await liveChannel(5);
  const resumed = new Recorder();
  const second = broadcaster.listen("c", resumed, { after: at(3) });
  await settle();
  second.detach();
  attachment.detach();
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  assertEquals(resumed.heard, []);
  assertEquals(driver.opening(0).closeAsked, true);
  await broadcaster.close();
});

Deno.test("a resume that cannot be read ends with an error, the others go on", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  const resumed = new Recorder();
  broadcaster.listen("c", resumed, { after: at(3) });
  await settle();
  driver.readAsked(0).answer.reject(new Error("Timed out"));
  await settle();
  assertEquals(resumed.error?.code, "broadcast.subscribe");
  sink.event(record(6), at(6));
  assertEquals(resumed.heard, ["ended"]);
  assertEquals(recorder.heard, ["live", 6]);
  await broadcaster.close();
});

Deno.test("a listener that throws is reported and harms nobody", async () => {
  const { broadcaster, driver, recorder, sink, errors } = await liveChannel();
  const throwing = new Recorder();
  throwing.event = () => {
    throw new TypeError("Bug of the application");
  };
  broadcaster.listen("c", throwing);
  const after = new Recorder();
  broadcaster.listen("c", after);
  await settle();
  sink.event(record(1), at(1));
  assertEquals(recorder.heard, ["live", 1]);
  assertEquals(after.heard, ["live", 1]);
  assertEquals(errors.map(({ code }) => code), ["broadcast.hook"]);
  assertEquals(driver.openings.length, 1);
  await broadcaster.close();
});

Deno.test("a listener that publishes from its callback does not change the others' order", async () => {
  const { broadcaster, sink } = await liveChannel();
  const echo = new Recorder();
  const plain = new Recorder();
  echo.event = ({ position }) => {
    echo.heard.push(position?.offset);
    if (position?.offset === 1) sink.event(record(2), at(2));
  };
  broadcaster.listen("c", echo);
  broadcaster.listen("c", plain);
  await settle();
  sink.event(record(1), at(1));
  assertEquals(plain.heard, ["live", 1, 2]);
  assertEquals(echo.heard, ["live", 1, 2]);
  await broadcaster.close();
});

Deno.test("listeners may leave while an event is handed round: each other one gets it once", async () => {
  const { broadcaster, sink, recorder } = await liveChannel();
  const recorders = Array.from({ length: 5 }, () => new Recorder());
  const attachments = recorders.map((recorder) => broadcaster.listen("c", recorder));
  await settle();
  const [first] = recorders;
  if (first === undefined) return;
  first.event = () => {
    attachments[0]?.detach();
    attachments[3]?.detach();
  };
  sink.event(record(1), at(1));
  sink.event(record(2), at(2));
  assertEquals(recorders.map(({ heard }) => heard), [
    ["live"],
    ["live", 1, 2],
    ["live", 1, 2],
    ["live"],
    ["live", 1, 2],
  ]);
  assertEquals(recorder.heard, ["live", 1, 2]);
  await broadcaster.close();
});

Deno.test("a publish that is under way when all is closed rejects as one after it, with its id and what the driver says", async () => {
  const broadcaster = new DriverBroadcaster(new ScriptedDriver());
  const publishing = broadcaster.publish("c", { event: "n", data: 1, id: "1" });
  const closing = broadcaster.close();
  const error = await assertRejects(
    () => publishing,
    BroadcastClosedError,
    "Cannot publish on this",
  );
  assertEquals(error.context, { channel: "c", id: "1" });
  assertEquals(String(error.cause), "Error: The store is down");
  await closing;
});

Deno.test("guarantee 9: close ends listeners and the driver, twice is fine, and what is late is ignored", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel();
  const opening = new Recorder();
  broadcaster.listen("other", opening);
  await settle();
  await broadcaster.close();
  await broadcaster.close();
  assertEquals(driver.closed, true);
  sink.event(record(1), at(1));
  driver.acknowledge(1);
  await settle();
  assertEquals(recorder.heard, ["live", "ended"]);
  assertEquals(recorder.error, undefined);
  assertEquals(opening.heard, ["ended"]);
});

Deno.test("guarantee 9: closing in the middle of a gap that has to be read once more reads no more", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel();
  const closer = new Recorder();
  closer.event = () => void broadcaster.close();
  broadcaster.listen("c", closer);
  await settle();
  sink.event(record(3), at(3));
  sink.live(at(3));
  driver.answerRead(0, [1, 2, 3], 3);
  await settle();
  assertEquals(recorder.heard, ["live", 1, "ended"]);
  assertEquals(driver.reads.length, 1);
});
