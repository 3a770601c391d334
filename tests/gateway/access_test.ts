import { assertEquals } from "@std/assert";
import { MemoryBroadcaster } from "@airwave/broadcast";
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
