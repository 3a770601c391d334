import { assertEquals } from "@std/assert";
import type { DriverBroadcaster, ListenerGroup, Position } from "@airwave/broadcast";
import { settle } from "@airwave/broadcast/testing";
import { liveChannel, Recorder } from "./recorder.ts";
import { at, record } from "./scripted_driver.ts";

/** Listeners that come back, one for each offset. */
function resume(broadcaster: DriverBroadcaster, ...offsets: number[]): Recorder[] {
  return offsets.map((offset) => {
    const recorder = new Recorder();
    broadcaster.listen("c", recorder, { after: at(offset) });
    return recorder;
  });
}

/** Whole numbers from one to another. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("a crowd that comes back at once costs one read, from the lowest position", async () => {
  const { broadcaster, driver, sink } = await liveChannel(9);
  const crowd = resume(broadcaster, 7, 3, 8, 9, 3);
  await settle();
  assertEquals(driver.reads.map(({ after }) => after), [at(3)]);
  // They come while the read is out, and ask for no more than it brings.
  crowd.push(...resume(broadcaster, 5));
  await settle();
  driver.answerRead(0, range(4, 9), 9);
  await settle();
  sink.event(record(10), at(10));
  const heard = (after: number) => ["live", ...range(after + 1, 10)];
  assertEquals(crowd.map((recorder) => recorder.heard), [7, 3, 8, 9, 3, 5].map(heard));
  assertEquals(crowd.map(({ start }) => start?.missed), [2, 6, 1, 0, 6, 4]);
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("who comes while a read is out and misses more than that waits for the next one", async () => {
  const { broadcaster, driver } = await liveChannel(9);
  const [first] = resume(broadcaster, 7);
  await settle();
  const lower = resume(broadcaster, 5, 2);
  await settle();
  driver.answerRead(0, [8, 9], 9);
  await settle();
  assertEquals(first?.heard, ["live", 8, 9]);
  assertEquals(driver.reads.map(({ after }) => after), [at(7), at(2)]);
  driver.answerRead(1, range(3, 9), 9);
  await settle();
  assertEquals(lower.map(({ heard }) => heard.length), [5, 8]);
  await broadcaster.close();
});

Deno.test("what was read, and what came live, is remembered: the next ones need no read", async () => {
  const { broadcaster, driver, sink } = await liveChannel(9);
  resume(broadcaster, 6);
  await settle();
  driver.answerRead(0, [7, 8, 9], 9);
  await settle();
  sink.event(record(10), at(10));
  const later = resume(broadcaster, 6, 8, 9, 10);
  await settle();
  const heard = (after: number) => ["live", ...range(after + 1, 10)];
  assertEquals(later.map((recorder) => recorder.heard), [6, 8, 9, 10].map(heard));
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("what is remembered ends where the channel lost events", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  sink.event(record(6), at(6));
  sink.event(record(9), at(9));
  driver.answerIncomplete(0, at(8));
  await settle();
  // Offset 7 is in the hole: 9 is not all that came after it.
  const [recorder] = resume(broadcaster, 7);
  await settle();
  assertEquals(driver.reads.map(({ after }) => after), [at(6), at(7)]);
  driver.answerIncomplete(1, at(9));
  await settle();
  assertEquals(recorder?.start, { position: at(9), recovery: "lost", missed: 0 });
  await broadcaster.close();
});

Deno.test("nothing is remembered of a channel that nobody listened to for a while", async () => {
  const { broadcaster, driver, attachment, sink } = await liveChannel(5);
  sink.event(record(6), at(6));
  attachment.detach();
  await settle();
  driver.opening(0).closed.resolve();
  await settle();
  const [recorder] = resume(broadcaster, 5);
  await settle();
  driver.acknowledge(1, 8);
  await settle();
  driver.answerRead(0, [6, 7, 8], 8);
  await settle();
  assertEquals(recorder?.heard, ["live", 6, 7, 8]);
  await broadcaster.close();
});

Deno.test("a read that comes back when its channel was closed and opened again is nobody's", async () => {
  const { broadcaster, driver, attachment } = await liveChannel(5);
  const left = broadcaster.listen("c", new Recorder(), { after: at(3) });
  await settle();
  attachment.detach();
  left.detach();
  await settle();
  driver.opening(0).closed.resolve();
  broadcaster.listen("c", new Recorder());
  await settle();
  driver.acknowledge(1, 8);
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  const [resumed] = resume(broadcaster, 4);
  await settle();
  driver.answerRead(1, [5, 6, 7, 8], 8);
  await settle();
  assertEquals(resumed?.heard, ["live", 5, 6, 7, 8]);
  await broadcaster.close();
});

Deno.test("a crowd over a trimmed history: each is proven or lost, in few reads", async () => {
  const { broadcaster, driver } = await liveChannel(200);
  const oldest = 150;
  const offsets = range(100, 200);
  const crowd = resume(broadcaster, ...offsets);
  await settle();
  for (let i = 0; i < driver.reads.length; i++) {
    const { offset } = driver.readAsked(i).after;
    if (offset < oldest) driver.answerIncomplete(i, at(200));
    else driver.answerRead(i, range(offset + 1, 200), 200);
    await settle();
  }
  assertEquals(
    crowd.map(({ start }) => `${start?.recovery} ${start?.missed}`),
    offsets.map((offset) => offset < oldest ? "lost 0" : `ok ${200 - offset}`),
  );
  assertEquals(driver.reads.length < 16, true, `${driver.reads.length} reads`);
  // What was found out holds: history never grows at its beginning.
  const before = driver.reads.length;
  const [late] = resume(broadcaster, 149);
  await settle();
  assertEquals(late?.start, { position: at(200), recovery: "lost", missed: 0 });
  assertEquals(driver.reads.length, before);
  await broadcaster.close();
});

Deno.test("who comes from a quicker node goes on where it was, and hears nothing twice", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [ahead] = resume(broadcaster, 7);
  await settle();
  driver.answerRead(0, [8], 8);
  await settle();
  assertEquals(ahead?.start, { position: at(7), recovery: "ok", missed: 0 });
  for (const offset of range(6, 9)) sink.event(record(offset), at(offset));
  assertEquals(ahead?.heard, ["live", 8, 9]);
  // What is remembered is not given up for a shorter read.
  const [ahead2] = resume(broadcaster, 10);
  await settle();
  driver.answerRead(1, [], 10);
  await settle();
  const [behind] = resume(broadcaster, 5);
  await settle();
  assertEquals(ahead2?.start?.recovery, "ok");
  assertEquals(behind?.heard, ["live", 6, 7, 8, 9]);
  assertEquals(driver.reads.length, 2);
  await broadcaster.close();
});

Deno.test("who is served by the same read and is detached by the first that is told hears nothing", async () => {
  const { broadcaster, driver } = await liveChannel(5);
  const [first, second] = [new Recorder(), new Recorder()];
  broadcaster.listen("c", first, { after: at(3) });
  const attachment = broadcaster.listen("c", second, { after: at(3) });
  first.live = () => attachment.detach();
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  assertEquals(first.heard, [4, 5]);
  assertEquals(second.heard, []);
  await broadcaster.close();
});

Deno.test("who is ahead of this node hears of a loss, what comes in the new epoch, and of the end", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [ahead] = resume(broadcaster, 9);
  await settle();
  driver.answerRead(0, [], 9);
  await settle();
  sink.live({ epoch: "f", offset: 2 });
  driver.answerIncomplete(1, { epoch: "f", offset: 2 });
  await settle();
  sink.event(record(3), { epoch: "f", offset: 3 });
  assertEquals(ahead?.heard, ["live", "lost 2", 3]);
  await broadcaster.close();
  assertEquals(ahead?.heard.at(-1), "ended");

  const other = await liveChannel(5);
  const [stillAhead] = resume(other.broadcaster, 9);
  await settle();
  other.driver.answerRead(0, [], 9);
  await settle();
  await other.broadcaster.close();
  assertEquals(stillAhead?.heard, ["live", "ended"]);
});

Deno.test("who claims to have more than there is, is told lost; the others are not", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [liar, honest] = resume(broadcaster, 1_000, 3);
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  driver.answerIncomplete(1, at(5));
  await settle();
  sink.event(record(6), at(6));
  assertEquals(honest?.heard, ["live", 4, 5, 6]);
  assertEquals(liar?.start, { position: at(5), recovery: "lost", missed: 0 });
  assertEquals(liar?.heard, ["live", 6]);
  // The next one who needs a read gets one: nothing was learned about the history's beginning.
  const [late] = resume(broadcaster, 2);
  await settle();
  assertEquals(driver.readAsked(2).after, at(2));
  driver.answerRead(2, range(3, 6), 6);
  await settle();
  assertEquals(late?.heard, ["live", 3, 4, 5, 6]);
  await broadcaster.close();
});

Deno.test("who waits for the read of one that claims too much is read for next", async () => {
  const { broadcaster, driver } = await liveChannel(5);
  const [liar] = resume(broadcaster, 1_000);
  await settle();
  const [honest] = resume(broadcaster, 3);
  await settle();
  driver.answerIncomplete(0, at(5));
  await settle();
  driver.answerRead(1, [4, 5], 5);
  await settle();
  assertEquals([liar?.start?.recovery, honest?.heard], ["lost", ["live", 4, 5]]);
  await broadcaster.close();
});

Deno.test("an epoch that changes while history is read: lost, and nothing of the old one is replayed", async () => {
  const { broadcaster, driver, recorder, sink } = await liveChannel(5);
  const [resumed] = resume(broadcaster, 3);
  await settle();
  const top = { epoch: "new", offset: 1 };
  sink.live(top);
  driver.readAsked(1).answer.resolve({ complete: false, top });
  await settle();
  assertEquals(resumed?.start, { position: top, recovery: "lost", missed: 0 });
  driver.answerRead(0, [4, 5], 5);
  await settle();
  sink.event(record(2), { epoch: "new", offset: 2 });
  assertEquals(resumed?.heard, ["live", 2]);
  assertEquals(recorder.heard, ["live", "lost 1", 2]);
  await broadcaster.close();
});

Deno.test("the store has another epoch than this node still: lost for all, after one read", async () => {
  const { broadcaster, driver } = await liveChannel(5);
  const crowd = resume(broadcaster, 3, 4);
  await settle();
  driver.answerIncomplete(0, { epoch: "new", offset: 3 });
  await settle();
  const lost = { position: at(5), recovery: "lost", missed: 0 } as const;
  assertEquals(crowd.map(({ start }) => start), [lost, lost]);
  assertEquals(driver.reads.length, 1);
  await broadcaster.close();
});

Deno.test("guarantee 6: more events than can be kept while history is read: lost, and the next is not", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [resumed] = resume(broadcaster, 3);
  await settle();
  for (const offset of range(6, 10_006)) sink.event(record(offset), at(offset));
  const [lower] = resume(broadcaster, 2);
  driver.answerRead(0, [4, 5], 5);
  await settle();
  const lost = { position: at(10_006), recovery: "lost", missed: 0 } as const;
  assertEquals(resumed?.start, lost);
  assertEquals(lower?.start, lost);
  const [next] = resume(broadcaster, 10_000 - 2_000);
  await settle();
  sink.event(record(10_007), at(10_007));
  driver.answerRead(1, range(8_001, 10_006), 10_006);
  await settle();
  assertEquals(next?.start, { position: at(10_007), recovery: "ok", missed: 2_007 });
  await broadcaster.close();
});

Deno.test("a history that ends before the events that came meanwhile proves nothing", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const [resumed] = resume(broadcaster, 3);
  await settle();
  sink.event(record(6), at(6));
  driver.answerRead(0, [4], 4);
  await settle();
  assertEquals(resumed?.start, { position: at(6), recovery: "lost", missed: 0 });
  assertEquals(resumed?.heard, ["live"]);
  await broadcaster.close();
});

Deno.test("a read with a hole, a double or a strange epoch in it is no proof", async () => {
  for (const offsets of [[5, 6], [4, 6], [4, 4, 6], [4, 5, 6, 7], [6, 5, 4]]) {
    const { broadcaster, driver } = await liveChannel(6);
    const [resumed] = resume(broadcaster, 3);
    await settle();
    driver.answerRead(0, offsets, 6);
    await settle();
    assertEquals(resumed?.start, { position: at(6), recovery: "lost", missed: 0 });
    assertEquals(resumed?.heard, ["live"]);
    await broadcaster.close();
  }
});

Deno.test("what is published when a resumed listener goes live comes after all that was missed", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const eager = new Recorder();
  eager.live = () => {
    eager.heard.push("live");
    sink.event(record(6), at(6));
  };
  broadcaster.listen("c", eager, { after: at(3) });
  const [other] = resume(broadcaster, 3);
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  assertEquals(eager.heard, ["live", 4, 5, 6]);
  assertEquals(other?.heard, ["live", 4, 5, 6]);
  await broadcaster.close();
});

Deno.test("who leaves in the middle of its replay hears no more, and the others hear all", async () => {
  const { broadcaster, driver } = await liveChannel(6);
  const leaving = new Recorder();
  const attachment = broadcaster.listen("c", leaving, { after: at(3) });
  leaving.event = ({ position }) => {
    leaving.heard.push(position?.offset);
    attachment.detach();
  };
  const [other] = resume(broadcaster, 3);
  await settle();
  driver.answerRead(0, [4, 5, 6], 6);
  await settle();
  assertEquals(leaving.heard, ["live", 4]);
  assertEquals(other?.heard, ["live", 4, 5, 6]);
  await broadcaster.close();
});

Deno.test("a read that fails ends those who wait for it; the next one asks again", async () => {
  const { broadcaster, driver } = await liveChannel(6);
  const crowd = resume(broadcaster, 3, 4);
  await settle();
  driver.readAsked(0).answer.reject(new Error("Timed out"));
  await settle();
  assertEquals(crowd.map(({ error }) => error?.status), [503, 503]);
  const [next] = resume(broadcaster, 3);
  await settle();
  driver.answerRead(1, [4, 5, 6], 6);
  await settle();
  assertEquals(next?.heard, ["live", 4, 5, 6]);
  await broadcaster.close();
});

Deno.test("close ends those who wait for a read, and its late answer reaches nobody", async () => {
  const { broadcaster, driver } = await liveChannel(6);
  const [waiting] = resume(broadcaster, 3);
  await settle();
  await broadcaster.close();
  driver.answerRead(0, [4, 5, 6], 6);
  await settle();
  assertEquals(waiting?.heard, ["ended"]);
});

Deno.test("a group hears live events once for its listeners, and they what they missed", async () => {
  const { broadcaster, driver, sink } = await liveChannel(5);
  const group = { heard: [] as unknown[], event: hear };
  function hear({ position }: { readonly position: Position | undefined }): void {
    group.heard.push(position?.offset);
  }
  const listen = (offset?: number) => {
    const listener = new GroupedRecorder(group);
    const after = offset === undefined ? undefined : at(offset);
    return { listener, attachment: broadcaster.listen("c", listener, { after }) };
  };
  const first = listen();
  const missing = listen(3);
  const ahead = listen(7);
  await settle();
  driver.answerRead(0, [4, 5], 5);
  await settle();
  driver.answerRead(1, [8], 8);
  await settle();
  sink.event(record(6), at(6));
  sink.event(record(7), at(7));
  assertEquals(group.heard, [6, 7]);
  assertEquals(ahead.listener.heard, ["live"]);
  sink.event(record(8), at(8));
  sink.event(record(9), at(9));
  assertEquals(group.heard, [6, 7, 8, 9]);
  assertEquals(first.listener.heard, ["grouped", "live"]);
  assertEquals(missing.listener.heard, ["grouped", "live", 4, 5]);
  // The first event behind its own comes to it, and it is one of the group for the next.
  assertEquals(ahead.listener.heard, ["live", "grouped", 8]);
  first.attachment.detach();
  assertEquals(first.listener.heard.at(-1), "alone");
  sink.event(record(10), at(10));
  assertEquals(group.heard.at(-1), 10);
  missing.attachment.detach();
  ahead.attachment.detach();
  sink.event(record(11), at(11));
  assertEquals(group.heard.at(-1), 10);
  await broadcaster.close();
});

class GroupedRecorder extends Recorder {
  readonly group: ListenerGroup;

  constructor(group: ListenerGroup) {
    super();
    this.group = group;
  }

  grouped(isGrouped: boolean): void {
    this.heard.push(isGrouped ? "grouped" : "alone");
  }
}
