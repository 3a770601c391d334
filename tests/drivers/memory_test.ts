import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  BroadcastClosedError,
  DriverBroadcaster,
  type EventRecord,
  MemoryBackend,
  MemoryBroadcaster,
  MemoryDriver,
} from "@airwave/broadcast";
import { driverContract, FakeTime } from "@airwave/broadcast/testing";

driverContract(() => {
  const backend = new MemoryBackend();
  return {
    driver: () => new MemoryDriver(backend),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}, Deno.test);

const record = (id: string, data: unknown = null): EventRecord => ({
  id,
  event: "n",
  json: JSON.stringify(data),
});

Deno.test("memory history keeps the newest events only, and says when that is not enough", () => {
  const backend = new MemoryBackend({ historySize: 2 });
  const positions = ["1", "2", "3"].map((id) => backend.publish("c", record(id)));
  const [first, second] = positions;
  if (first === undefined || second === undefined) throw new Error("No position");
  const afterFirst = backend.read("c", first);
  assertEquals(afterFirst.complete && afterFirst.events.map(({ record }) => record.id), ["2", "3"]);
  assertEquals(backend.read("c", { ...first, offset: 0 }).complete, false);
});

Deno.test("guarantee 3: a retry is known by its id when history has dropped the event", () => {
  const backend = new MemoryBackend({ historySize: 2 });
  const first = backend.publish("c", record("first"));
  backend.publish("d", record("first"));
  for (let i = 0; i < 50_000; i++) backend.publish("c", record(String(i)));
  assertEquals(backend.publish("c", record("first")), first);
  // It was dropped as the first, and 49,998 others after it on this channel.
  for (let i = 0; i < 50_003; i++) backend.publish("e", record(String(i)));
  assertEquals(backend.publish("c", record("first")), first);
  backend.publish("e", record("last"));
  assertEquals(backend.publish("c", record("first")).offset, 50_002);
});

Deno.test("guarantee 3: an id that was minted is known when it is published again", async () => {
  await using broadcaster = new MemoryBroadcaster({ historySize: 1 });
  const first = await broadcaster.publish("c", { event: "n", data: 1 });
  assertEquals(await broadcaster.publish("c", { event: "n", data: 1, id: first.id }), first);
  const second = await broadcaster.publish("c", { event: "n", data: 2 });
  // The first is dropped, the second is stored.
  for (const receipt of [first, second]) {
    assertEquals(await broadcaster.publish("c", { event: "n", data: 0, id: receipt.id }), receipt);
  }
  assertEquals((await broadcaster.publish("c", { event: "n", data: 3 })).position?.offset, 3);
});

Deno.test("memory history forgets events past their age, but never the channel's position", () => {
  using time = new FakeTime();
  const backend = new MemoryBackend({ historyTtlMs: 1_000 });
  const first = backend.publish("c", record("1"));
  backend.publish("c", record("2"));
  backend.publish("silent", record("1"));
  time.jump(1_000);
  assertEquals(backend.read("c", first).complete, false);
  assertEquals(backend.storedBytes, 0);
  const next = backend.publish("c", record("3"));
  assertEquals(next, { ...first, offset: 3 });
  assertEquals(backend.read("c", { ...first, offset: 2 }).complete, true);
});

Deno.test("memory history forgets what is past its age in a channel that goes on, behind others", () => {
  using time = new FakeTime();
  const backend = new MemoryBackend({ historyTtlMs: 1_000 });
  const first = backend.publish("c", record("1"));
  time.jump(900);
  backend.publish("silent", record("1"));
  time.jump(50);
  const second = backend.publish("c", record("2"));
  time.jump(50);
  assertEquals(backend.read("c", { ...first, offset: 0 }).complete, false);
  assertEquals(backend.read("c", first).complete, true);
  time.jump(949);
  assertEquals(backend.read("c", first).complete, true);
  time.jump(1);
  assertEquals(backend.read("c", first).complete, false);
  assertEquals(backend.read("c", second).complete, true);
  assertEquals(backend.storedBytes, 0);
});

Deno.test("guarantee 6: channels that have dropped events give way in their turn, like any other", () => {
  const backend = new MemoryBackend({ historySize: 1, historyMaxBytes: 3_000 });
  const data = "x".repeat(900);
  const channels = ["one", "two", "three", "four"];
  const positions = channels.map((channel) => {
    backend.publish(channel, record("1", data));
    return backend.publish(channel, record("2", data));
  });
  const isKept = channels.map((channel, i) => {
    const { epoch = "", offset = 0 } = positions[i] ?? {};
    return backend.read(channel, { epoch, offset: offset - 1 }).complete;
  });
  assertEquals(isKept, [false, true, true, true]);
  assertEquals(backend.storedBytes <= 3_000, true);
});

Deno.test("memory history is bounded over all channels: the longest silent gives way", () => {
  const backend = new MemoryBackend({ historyMaxBytes: 3_000 });
  const data = "x".repeat(900);
  const one = backend.publish("one", record("1", data));
  const two = backend.publish("two", record("1", data));
  backend.publish("one", record("2", data));
  backend.publish("three", record("1", data));
  assertEquals(backend.storedBytes <= 3_000, true);
  assertEquals(backend.read("two", { ...two, offset: 0 }).complete, false);
  assertEquals(backend.read("one", { ...one, offset: 0 }).complete, true);
});

Deno.test("memory forgets channels that nobody holds, and takes another epoch if one comes back", () => {
  const backend = new MemoryBackend({ historyMaxChannels: 10 });
  const held = { live() {}, event() {} };
  backend.subscribe("held", held);
  const first = backend.publish("0", record("1"));
  for (let i = 1; i <= 100; i++) backend.publish(String(i), record("1"));
  assertEquals(backend.channelCount, 11);
  // Name, id and data of one event in each of the ten.
  assertEquals(backend.storedBytes, 10 * "n1null".length);
  const again = backend.publish("0", record("1"));
  assertEquals(again.offset, 1);
  assertNotEquals(again.epoch, first.epoch);
  assertEquals(backend.read("0", first).complete, false);
});

Deno.test("guarantee 6: a channel that was only listened to is forgotten like any other", () => {
  const backend = new MemoryBackend({ historyMaxChannels: 10 });
  for (let i = 0; i < 100; i++) backend.subscribe(String(i), { live() {}, event() {} })();
  assertEquals(backend.channelCount, 10);
});

Deno.test("guarantee 3: a channel that somebody holds is not forgotten, whoever else lets go of it", () => {
  const backend = new MemoryBackend({ historyMaxChannels: 10 });
  const heard: string[] = [];
  const sink = () => ({ live() {}, event: ({ id }: EventRecord) => void heard.push(id) });
  backend.subscribe("held", sink());
  const leave = backend.subscribe("held", sink());
  leave();
  leave();
  backend.publish("held", record("1"));
  for (let i = 0; i < 100; i++) backend.publish(String(i), record("1"));
  assertEquals(backend.publish("held", record("2")).offset, 2);
  assertEquals(heard, ["1", "2"]);
});

Deno.test("guarantee 6: whatever is published drops what is past its age in all that are silent", () => {
  using time = new FakeTime();
  const backend = new MemoryBackend({ historyTtlMs: 1_000 });
  for (const channel of ["one", "two", "three"]) backend.publish(channel, record("1"));
  time.jump(1_000);
  backend.publish("four", record("1"));
  assertEquals(backend.storedBytes, "n1null".length);
});

Deno.test("memory without history still numbers, so that a loss is told", async () => {
  await using broadcaster = new MemoryBroadcaster({ historySize: 0 });
  const first = await broadcaster.publish("c", { event: "n", data: 1 });
  await broadcaster.publish("c", { event: "n", data: 2 });
  await using late = broadcaster.subscribe("c", { after: first.position });
  assertEquals((await late.ready).recovery, "lost");
});

Deno.test("closing one node of a shared memory leaves the other alone", async () => {
  const backend = new MemoryBackend();
  const left = new MemoryDriver(backend);
  await using staying = new DriverBroadcaster(new MemoryDriver(backend));
  await using subscription = staying.subscribe("c");
  await subscription.ready;
  await left.close();
  await assertRejects(() => left.publish("c", record("1")), BroadcastClosedError);
  await staying.publish("c", { event: "n", data: 1 });
  assertEquals((await subscription.next()).value?.data, 1);
});

Deno.test("guarantee 11: two broadcasters in one process hear nothing of each other", async () => {
  await using ours = new MemoryBroadcaster();
  await using theirs = new MemoryBroadcaster();
  await using subscription = ours.subscribe("c");
  await subscription.ready;
  const first = await theirs.publish("c", { event: "n", data: "theirs", id: "1" });
  const second = await ours.publish("c", { event: "n", data: "ours", id: "1" });
  assertEquals((await subscription.next()).value?.data, "ours");
  assertEquals([first.position?.offset, second.position?.offset], [1, 1]);
  assertNotEquals(first.position?.epoch, second.position?.epoch);
});
