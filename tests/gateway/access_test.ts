import { assertEquals, assertRejects } from "@std/assert";
import { type ControlWatch, MemoryBroadcaster } from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";
import { Deadlines } from "../../core/deadline.ts";
import { Access } from "../../gateway/access.ts";

Deno.test("guarantee 7: an order that comes while the rule is asked counts more than its answer", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<boolean>();
  broadcaster.authorize("private-x", () => {
    asked.resolve();
    return answer.promise;
  });
  const access = new Access(broadcaster, new Deadlines(), 1_000, () => {});
  access.open();
  const decision = access.decide("private-x", { subject: undefined, user: "ada" });
  await asked.promise;
  await broadcaster.revoke({ user: "ada", channel: "private-x" });
  answer.resolve(true);
  assertEquals(await decision, { authorized: false });
  access.close();
});

/** Does not know which orders are in force, for as long as it lives. */
class OutOfReach extends MemoryBroadcaster {
  readonly waits: (AbortSignal | undefined)[] = [];

  override watchControl(): ControlWatch {
    return {
      isCurrent: false,
      whenCurrent: (signal) => {
        this.waits.push(signal);
        return new Promise(() => {});
      },
      isRevoked: () => false,
      isDisconnected: () => false,
      close() {},
    };
  }
}

Deno.test("guarantee 6: who was turned away in an outage does not wait for its end", async () => {
  using time = new FakeTime();
  await using broadcaster = new OutOfReach();
  const access = new Access(broadcaster, new Deadlines(), 1_000, () => {});
  access.open();
  const answer = assertRejects(() =>
    access.decide("private-x", { subject: undefined, user: "ada" })
  );
  await time.tick(999);
  assertEquals(broadcaster.waits.map((signal) => signal?.aborted), [false]);
  await time.tick(1);
  await answer;
  assertEquals(broadcaster.waits.map((signal) => signal?.aborted), [true]);
});
