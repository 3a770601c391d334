import { assertEquals } from "@std/assert";
import { ChannelEvent } from "@airwave/broadcast";
import { RecentEvents, RecentEventsLimit } from "../../core/recent_events.ts";

const MIB = 1024 * 1024;

function event(offset: number, bytes = 10): ChannelEvent {
  const record = { id: "", event: "", json: "x".repeat(bytes) };
  return new ChannelEvent("c", record, { epoch: "e", offset });
}

function offsets(recent: RecentEvents, after: number): (number | undefined)[] | undefined {
  return recent.after(after)?.map(({ position }) => position?.offset);
}

Deno.test("recent events are told from an offset that they reach back to, else not at all", () => {
  const recent = new RecentEvents(new RecentEventsLimit(), false);
  assertEquals(offsets(recent, 0), undefined);
  for (const offset of [6, 7, 8]) recent.push(event(offset));
  assertEquals(offsets(recent, 5), [6, 7, 8]);
  assertEquals(offsets(recent, 7), [8]);
  assertEquals(offsets(recent, 8), []);
  assertEquals(offsets(recent, 4), undefined);
  assertEquals(offsets(recent, 9), undefined);
  recent.clear();
  assertEquals(offsets(recent, 8), undefined);
});

Deno.test("an event without a position is not remembered", () => {
  const recent = new RecentEvents(new RecentEventsLimit(), false);
  recent.push(new ChannelEvent("c", { id: "1", event: "e", json: "1" }, undefined));
  assertEquals(recent.size, 0);
});

Deno.test("guarantee 6: a channel remembers 1,024 events, the newest", () => {
  const recent = new RecentEvents(new RecentEventsLimit(), false);
  for (let offset = 1; offset <= 5_000; offset++) recent.push(event(offset));
  assertEquals(recent.size, 1_024);
  assertEquals(recent.after(5_000 - 1_024)?.length, 1_024);
  assertEquals(recent.after(5_000 - 1_025), undefined);
});

Deno.test("guarantee 6: all channels together remember 32 MiB, the longest silent gives way first", () => {
  const limit = new RecentEventsLimit();
  const [silent, quiet, busy] = [1, 2, 3].map(() => new RecentEvents(limit, false));
  // Who came first is not who is silent longest.
  busy?.push(event(1, MIB));
  for (let offset = 1; offset <= 10; offset++) silent?.push(event(offset, MIB));
  for (let offset = 1; offset <= 10; offset++) quiet?.push(event(offset, MIB));
  for (let offset = 2; offset <= 20; offset++) busy?.push(event(offset, MIB));
  assertEquals([silent, quiet, busy].map((recent) => recent?.size), [2, 10, 20]);
  for (let offset = 21; offset <= 100; offset++) busy?.push(event(offset, MIB));
  assertEquals([silent, quiet, busy].map((recent) => recent?.size), [0, 0, 32]);
  busy?.clear();
  for (let offset = 11; offset <= 60; offset++) silent?.push(event(offset, MIB));
  assertEquals(silent?.size, 32);
});

Deno.test("guarantee 6: all channels together remember 65,536 events", () => {
  const limit = new RecentEventsLimit();
  const channels = Array.from({ length: 100 }, () => new RecentEvents(limit, false));
  for (const recent of channels) {
    for (let offset = 1; offset <= 1_000; offset++) recent.push(event(offset));
  }
  assertEquals(channels.reduce((sum, { size }) => sum + size, 0), 65_536);
  assertEquals(channels.at(-1)?.size, 1_000);
});

Deno.test("beside a history at hand events are remembered when a crowd came, and as long as it comes", () => {
  const recent = new RecentEvents(new RecentEventsLimit(), true);
  recent.push(event(1));
  assertEquals(recent.size, 0);
  recent.replace([event(2), event(3)]);
  recent.push(event(4));
  assertEquals(offsets(recent, 1), [2, 3, 4]);
  recent.replace([1, 2, 3, 4].map((offset) => event(offset)));
  assertEquals(recent.size, 4);
  for (let offset = 5; offset <= 1_028; offset++) recent.push(event(offset));
  assertEquals(offsets(recent, 1_026), [1_027, 1_028]);
  for (let offset = 1_029; offset <= 2_052; offset++) recent.push(event(offset));
  assertEquals(recent.size, 1_024);
  recent.push(event(2_053));
  assertEquals(recent.size, 0);
  recent.push(event(2_054));
  assertEquals(offsets(recent, 2_053), undefined);
  recent.replace(Array.from({ length: 3_000 }, (_, i) => event(2_055 + i)));
  assertEquals(offsets(recent, 5_053), [5_054]);
});
