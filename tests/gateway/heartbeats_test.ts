import { FakeTime } from "@airwave/broadcast/testing";
import { assert, assertEquals } from "@std/assert";
import { type Beating, Heartbeats } from "../../gateway/heartbeats.ts";
import { WaitingLine } from "../../gateway/waiting_line.ts";

/** A peer that answers, or not, and what it was asked and told. */
class Peer implements Beating {
  wasHeard = true;
  answers = true;
  readonly log: string[] = [];

  ping(): void {
    this.log.push(`ping ${Date.now()}`);
    this.wasHeard = this.answers;
  }

  dead(): void {
    this.log.push(`dead ${Date.now()}`);
  }
}

Deno.test("each peer is asked at its own times, and given its time to answer", async () => {
  using time = new FakeTime(0);
  const heartbeats = new Heartbeats(1_000, 400);
  const [early, late, left] = [new Peer(), new Peer(), new Peer()];
  heartbeats.add(early);
  heartbeats.add(left);
  await time.tick(300);
  heartbeats.add(late);
  await time.tick(800);
  heartbeats.delete(left);
  late.answers = false;
  await time.tick(2_400);
  heartbeats.delete(early);
  await time.tick(10_000);
  assertEquals(early.log, ["ping 1000", "ping 2000", "ping 3000"]);
  assertEquals(late.log, ["ping 1300", "dead 1700"]);
  assertEquals(left.log, ["ping 1000"]);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("thousands who wait need one timer, and none waits much longer than it should", async () => {
  using time = new FakeTime(0);
  const lateMs: number[] = [];
  const line = new WaitingLine<number>(10_000, (sinceMs) => {
    lateMs.push(time.nowMs - sinceMs - 10_000);
  });
  for (let i = 0; i < 5_000; i++) {
    line.add(time.nowMs);
    if (i % 3 === 0) line.delete(time.nowMs);
    await time.tick(1);
    assertEquals(time.pendingTimers <= 1, true);
  }
  await time.tick(10_100);
  assertEquals(lateMs.length, 5_000 - Math.ceil(5_000 / 3));
  assert(lateMs.every((ms) => ms >= 0 && ms <= 40), `${Math.max(...lateMs)} ms`);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("who is taken out or put in while others are told is neither told nor forgotten", async () => {
  using time = new FakeTime(0);
  const told: string[] = [];
  const line: WaitingLine<string> = new WaitingLine(100, (item) => {
    told.push(`${item} ${time.nowMs}`);
    if (item !== "first") return;
    line.delete("second");
    line.add("again");
  });
  line.add("first");
  line.add("second");
  await time.tick(100);
  assertEquals(time.pendingTimers, 1);
  await time.tick(900);
  assertEquals(told, ["first 100", "again 200"]);
  assertEquals(time.pendingTimers, 0);
});
