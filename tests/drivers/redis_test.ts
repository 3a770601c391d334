import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FakeTime } from "@airwave/broadcast/testing";
import { BroadcastConfigError } from "../../core/mod.ts";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import { Batches } from "../../drivers/redis/batches.ts";
import { RedisDriver } from "../../drivers/redis/driver.ts";
import { hashSlot } from "../../drivers/redis/hash_slot.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { decodeMessage, decodeRecord, encodeMessage } from "../../drivers/redis/wire.ts";

const MAX_BYTES = 10_000;

Deno.test("a message comes back as it was, whatever is in it", () => {
  const name = fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }).filter((text) =>
    text.length <= 200 && /^\P{C}+$/u.test(text) && !/[\u2028\u2029]/.test(text)
  );
  const record = fc.record(
    { id: name, event: name, json: fc.json(), except: name },
    { requiredKeys: ["id", "event", "json"] },
  );
  const position = fc.option(
    fc.record({
      epoch: fc.stringMatching(/^[\w-]{1,64}$/),
      offset: fc.integer({ min: 1, max: 2 ** 31 }),
    }),
    { nil: undefined },
  );
  fc.assert(fc.property(record, position, (record, position) => {
    const decoded = decodeMessage(encodeMessage(record, position), 1_000_000);
    assertEquals(decoded, { record: { ...record }, position: position && { ...position } });
  }));
});

Deno.test("guarantee 8: no text of a stranger gets through as something it is not", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom("1", "1 e 1", "1 e 0", '["i","n"]', '["i","n",1]', "{}", "null", "1e999"),
    fc.json(),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      try {
        const { record, position } = decodeMessage(lines.join("\n"), MAX_BYTES);
        JSON.parse(record.json);
        assertEquals(/[\r\n]/.test(record.id + record.event), false);
        assertEquals(position === undefined || position.offset > 0, true);
      } catch (error) {
        assertEquals(error instanceof Error, true);
      }
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("guarantee 6: what is too large is refused by its bytes", () => {
  const fits = `["i","n"]\n"${"ä".repeat(48)}"`;
  assertEquals(decodeRecord(fits, 100).json.length, 50);
  assertThrows(() => decodeRecord(fits, 99), Error, "at most 99 bytes");
  assertThrows(() => decodeRecord("x".repeat(100_000), 99), Error, "at most 99 bytes");
});

Deno.test("guarantee 8: data in two lines is refused, though it is JSON", () => {
  assertThrows(() => decodeRecord('["i","n"]\n[\n1]', MAX_BYTES), Error, "two lines");
});

Deno.test("slots are those of a cluster", () => {
  // From the specification of Redis Cluster.
  assertEquals(hashSlot("123456789"), 0x31c3);
  assertEquals(hashSlot("{user1000}.following"), hashSlot("{user1000}.followers"));
  assertEquals(hashSlot("foo{}{bar}"), hashSlot("foo{}{bar}"));
  assertEquals(hashSlot("foo{{bar}}zap"), hashSlot("{bar"));
});

const url = "redis://127.0.0.1:1";
const BAD: readonly (readonly [rule: string, options: object])[] = [
  ["prefix", { url }],
  ["prefix", { url, prefix: "" }],
  ["prefix", { url, prefix: "a:b" }],
  ["prefix", { url, prefix: "a{b}" }],
  ["prefix", { url, prefix: "a".repeat(65) }],
  ['"url" and "client"', { prefix: "a" }],
  ["url", { prefix: "a", url: "http://127.0.0.1" }],
  ["url", { prefix: "a", url: "redis://127.0.0.1/abc" }],
  ["url", { prefix: "a", url: "redis://127.0.0.1/1/2" }],
  ["client", { prefix: "a", client: {} }],
  ["history", { url, prefix: "a", history: "no" }],
  ["historySize", { url, prefix: "a", historySize: 0 }],
  ["waitForReplicas", { url, prefix: "a", history: false, waitForReplicas: 1 }],
  ["heartbeatMs", { url, prefix: "a", heartbeatMs: 0.5 }],
  ["unknown", { url, prefix: "a", unknown: 1 }],
];

for (const [rule, options] of BAD) {
  Deno.test(`a RedisBroadcaster refuses ${JSON.stringify(options).slice(0, 80)}`, () => {
    assertThrows(
      () => new RedisBroadcaster(options as RedisBroadcasterOptions),
      BroadcastConfigError,
      rule,
    );
  });
}

Deno.test("what waits on a busy channel goes together, in order, and fails together", async () => {
  const steps: { readonly ids: string[]; readonly answer: PromiseWithResolvers<void> }[] = [];
  const batches = new Batches(
    async (_channel, records) => {
      const answer = Promise.withResolvers<void>();
      steps.push({ ids: records.map(({ id }) => id), answer });
      await answer.promise;
      return records.map(({ id }) => ({ epoch: "e", offset: Number(id) }));
    },
    1_000,
    () => undefined,
  );
  const publish = (id: number) => batches.publish("c", { id: `${id}`, event: "n", json: "1" });
  const first = publish(1);
  const others = Promise.allSettled([publish(2), publish(3)]);
  assertEquals(steps.map(({ ids }) => ids), [["1"]]);
  steps[0]?.answer.resolve();
  assertEquals((await first).offset, 1);
  assertEquals(steps.map(({ ids }) => ids), [["1"], ["2", "3"]]);
  steps[1]?.answer.reject(new Error("gone"));
  assertEquals((await others).map(({ status }) => status), ["rejected", "rejected"]);
  const last = publish(4);
  steps[2]?.answer.resolve();
  assertEquals((await last).offset, 4);
});

Deno.test("guarantee 1: however many wait, none overtakes a step that has to be tried again", async () => {
  const landed: string[] = [];
  const [again, all] = [Promise.withResolvers<void>(), 1_000];
  let steps = 0;
  const batches = new Batches(
    async (_channel, records) => {
      // As where the server did not know the script: by the second attempt others have loaded it.
      if (steps++ === 0) await again.promise;
      landed.push(...records.map(({ id }) => id));
      return records.map(({ id }) => ({ epoch: "e", offset: Number(id) }));
    },
    1_000,
    () => undefined,
  );
  const ids = Array.from({ length: all }, (_, i) => `${i + 1}`);
  const published = ids.map((id) => batches.publish("c", { id, event: "n", json: "1" }));
  // What is sent at once has landed by then.
  await Promise.resolve();
  again.resolve();
  await Promise.all(published);
  assertEquals(landed, ids);
});

Deno.test("a publish rejects in its own time, whatever waits before it, and the others keep their order", async () => {
  using time = new FakeTime();
  const start = Date.now();
  const steps: string[] = [];
  const hangs = Promise.withResolvers<void>();
  const batches = new Batches(
    async (_channel, records, timeoutMs) => {
      steps.push(`${records.map(({ id }) => id)} within ${timeoutMs}`);
      if (steps.length === 1) await hangs.promise;
      return records.map(({ id }) => ({ epoch: "e", offset: Number(id) }));
    },
    1_000,
    () => "gone",
  );
  const outcomes: string[] = [];
  const publish = (id: number) =>
    batches.publish("c", { id: `${id}`, event: "n", json: "1" }).then(
      ({ offset }) => outcomes.push(`${offset} resolves`),
      (error: Error) =>
        outcomes.push(`${id} at ${Date.now() - start}: ${error.message}, ${error.cause}`),
    );
  const all = [publish(1), publish(2)];
  await time.tick(300);
  all.push(publish(3));
  await time.tick(300);
  all.push(publish(4), publish(5));
  await time.tick(750);
  assertEquals(outcomes, [
    "2 at 1000: No answer within 1000 ms, gone",
    "3 at 1300: No answer within 1000 ms, gone",
  ]);
  hangs.reject(new Error("over"));
  await Promise.all(all);
  assertEquals(steps, ["1 within 1000", "4,5 within 250"]);
  assertEquals(time.pendingTimers, 0);
  assertEquals(outcomes.slice(2), ["1 at 1350: over, undefined", "4 resolves", "5 resolves"]);
});

Deno.test("a publish under way rejects in its own time, though newer ones of its step go on", async () => {
  using time = new FakeTime();
  const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let count = 0;
  const batches = new Batches(
    async (_channel, records) => {
      await steps[count++]?.promise;
      return records.map(({ id }) => ({ epoch: "e", offset: Number(id) }));
    },
    1_000,
    () => undefined,
  );
  const publish = (id: number) => batches.publish("c", { id: `${id}`, event: "n", json: "1" });
  const first = publish(1);
  const older = assertRejects(() => publish(2), Error, "No answer within 1000 ms");
  await time.tick(900);
  const newer = publish(3);
  steps[0]?.resolve();
  assertEquals((await first).offset, 1);
  await time.tick(100);
  await older;
  steps[1]?.resolve();
  assertEquals((await newer).offset, 3);
});

Deno.test("a publish whose time is over hears what went wrong on its channel, under way or before it was sent", async () => {
  using time = new FakeTime();
  const steps: string[] = [];
  const first = Promise.withResolvers<void>();
  const batches = new Batches(
    async (_channel, records, timeoutMs, failed) => {
      steps.push(`${records.map(({ id }) => id)}`);
      if (steps.length === 1) await first.promise;
      else {
        failed("busy");
        await new Promise((resolve) => setTimeout(resolve, timeoutMs));
        throw new Error("over", { cause: "busy" });
      }
      return records.map(({ id }) => ({ epoch: "e", offset: Number(id) }));
    },
    1_000,
    () => undefined,
  );
  const outcomes: string[] = [];
  const publish = (id: number) =>
    batches.publish("c", { id: `${id}`, event: "n", json: "1" }).then(
      () => outcomes.push(`${id} resolves`),
      ({ message, cause }) => outcomes.push(`${id}: ${message}, ${cause}`),
    );
  const all = [publish(1), publish(2)];
  await time.tick(500);
  all.push(publish(3));
  first.resolve();
  await time.tick(0);
  all.push(publish(4));
  await time.tick(1_000);
  await Promise.all(all);
  assertEquals(steps, ["1", "2,3"]);
  assertEquals(outcomes, [
    "1 resolves",
    "2: No answer within 1000 ms, busy",
    "3: over, busy",
    "4: No answer within 1000 ms, Error: over",
  ]);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("guarantee 6: what waits for Redis is bounded, and what is too much rejects at once", async () => {
  for (const [dataLength, fits] of [[1, 20_000], [1024 * 1024, 64]] as const) {
    const driver = new RedisDriver(
      readRedisOptions({ url: "redis://127.0.0.1:1", prefix: "a", timeoutMs: 600_000 }),
    );
    const record = { id: "1", event: "n", json: "1".repeat(dataLength) };
    const waiting = Array.from({ length: fits }, (_, i) => driver.publish(`${i % 10}`, record));
    await assertRejects(() => driver.publish("c", record), Error, `wait for Redis: ${fits}`);
    const outcomes = Promise.allSettled(waiting);
    await driver.close();
    // They waited until they were called off: none was refused before.
    for (const outcome of await outcomes) {
      assertEquals(
        String(outcome.status === "rejected" && outcome.reason).includes("Too many"),
        false,
      );
    }
  }
});
