import { assertEquals, assertRejects } from "@std/assert";
import { BroadcastPublishError, MemoryBackend, MemoryBroadcaster } from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";

Deno.test("unless told, a rule has 10 seconds to decide", async () => {
  using time = new FakeTime();
  await using broadcaster = new MemoryBroadcaster();
  broadcaster.authorize("c", () => new Promise(() => {}));
  let outcome = "none";
  broadcaster.authorizeFor("c", undefined).catch(() => outcome = "failed");
  await time.tick(9_999);
  assertEquals(outcome, "none");
  await time.tick(1);
  assertEquals(outcome, "failed");
});

Deno.test("unless told, an event of 1 MiB passes, and not one byte more", async () => {
  await using broadcaster = new MemoryBroadcaster();
  // Name, id and the quotes of the data count as well.
  const data = "x".repeat(1024 * 1024 - "e".length - "1".length - '""'.length);
  await broadcaster.publish("c", { event: "e", id: "1", data });
  await assertRejects(
    () => broadcaster.publish("c", { event: "e", id: "2", data: `${data}x` }),
    BroadcastPublishError,
    "1048576",
  );
});

Deno.test("unless told, a subscriber's queue holds 1,024 events, the newest", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("c");
  await subscription.ready;
  for (let i = 0; i < 1_030; i++) await broadcaster.publish("c", { event: "e", data: i });
  assertEquals((await subscription.next()).value?.data, 6);
});

Deno.test("unless told, memory keeps 256 events of a channel, for five minutes", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  const epoch = backend.publish("c", { id: "1", event: "e", json: "1" }).epoch;
  for (let i = 2; i <= 300; i++) backend.publish("c", { id: `${i}`, event: "e", json: "1" });
  const isWhole = (offset: number) => backend.read("c", { epoch, offset }).complete;
  assertEquals([isWhole(43), isWhole(44)], [false, true]);
  await time.tick(299_999);
  assertEquals(isWhole(44), true);
  await time.tick(1);
  await settle();
  assertEquals([isWhole(299), isWhole(300)], [false, true]);
});

Deno.test("unless told, memory keeps 64 MiB over all channels, and remembers 10,000 of them", () => {
  const backend = new MemoryBackend();
  const bytes = 1024 * 1024;
  for (let i = 0; i <= 64; i++) {
    assertEquals(backend.storedBytes, i * bytes);
    backend.publish(`${i % 3}`, { id: `${i}`, event: "e", json: "1", bytes });
  }
  assertEquals(backend.storedBytes, 64 * bytes);
  for (let i = 0; i <= 10_000; i++) backend.publish(`${i}`, { id: "1", event: "e", json: "1" });
  assertEquals(backend.channelCount, 10_000);
});
