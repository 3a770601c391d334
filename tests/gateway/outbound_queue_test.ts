import type { GatewaySocket } from "@airwave/broadcast/gateway";
import { FakeGatewaySocket, FakeTime, settle } from "@airwave/broadcast/testing";
import { assertEquals } from "@std/assert";
import { EncodedFrame, EncodedFrames, Joiner } from "../../gateway/encoded_frame.ts";
import { Flusher } from "../../gateway/flusher.ts";
import { OutboundQueue } from "../../gateway/outbound_queue.ts";

/** A socket that takes several frames in one write, and what was written. */
class WritingSocket implements GatewaySocket {
  readonly writes: string[][] = [];
  bufferedAmount = 0;

  send(): void {
    throw new Error("A socket that can write is not asked to send");
  }

  write(frames: readonly EncodedFrame[]): void {
    this.writes.push(frames.map(({ text }) => text));
  }

  close(): void {}
}

function frames(...numbers: number[]): EncodedFrame[] {
  return numbers.map((n) => new EncodedFrame(`{"n":${n}}`));
}

function queueTo(socket: GatewaySocket, { maxBytes = 1_000_000, batches = false } = {}) {
  const flusher = new Flusher();
  const queue = new OutboundQueue(socket, flusher, {
    revision: batches ? 2 : 1,
    maxQueuedBytes: maxBytes,
    broken() {
      throw new Error("Unexpected");
    },
  });
  return {
    queue,
    push: (...list: EncodedFrame[]) => list.map((frame) => queue.push(new EncodedFrames([frame]))),
  };
}

Deno.test("a frame in an idle turn leaves at once, those after it together at the turn's end", async () => {
  const socket = new WritingSocket();
  const { push } = queueTo(socket);
  push(...frames(1, 2, 3));
  assertEquals(socket.writes, [['{"n":1}']]);
  await settle();
  assertEquals(socket.writes, [['{"n":1}'], ['{"n":2}', '{"n":3}']]);
});

Deno.test("who had several frames in a turn gets the next ones in one write, until it has one", async () => {
  const socket = new WritingSocket();
  const { push } = queueTo(socket);
  push(...frames(1, 2));
  await settle();
  socket.writes.length = 0;
  push(...frames(3, 4));
  assertEquals(socket.writes, []);
  await settle();
  assertEquals(socket.writes, [['{"n":3}', '{"n":4}']]);
  push(...frames(5));
  await settle();
  assertEquals(socket.writes.at(-1), ['{"n":5}']);
  push(...frames(6));
  assertEquals(socket.writes.at(-1), ['{"n":6}']);
  await settle();
});

Deno.test("a client of revision 2 gets one message for what is due in a turn", async () => {
  const socket = new FakeGatewaySocket();
  const { push } = queueTo(socket, { batches: true });
  push(...frames(1, 2, 3));
  await settle();
  assertEquals(socket.messages, ['{"n":1}', '[{"n":2},{"n":3}]']);
  await settle();
});

Deno.test("where nothing can be merged nothing is held back", () => {
  const socket = new FakeGatewaySocket();
  const { push } = queueTo(socket);
  push(...frames(1, 2, 3));
  assertEquals(socket.messages, ['{"n":1}', '{"n":2}', '{"n":3}']);
});

Deno.test("what a turn holds back is bounded, and never taken for a slow peer", async () => {
  const socket = new WritingSocket();
  const { push } = queueTo(socket, { maxBytes: 20 });
  const pushed = push(...frames(1, 2, 3, 4, 5, 6));
  assertEquals(pushed, [true, true, true, true, true, true]);
  await settle();
  assertEquals(socket.writes, [
    ['{"n":1}'],
    ['{"n":2}', '{"n":3}'],
    ['{"n":4}', '{"n":5}'],
    ['{"n":6}'],
  ]);
  await settle();
});

Deno.test("a peer without room is over its limit in the turn that held back for it", async () => {
  using time = new FakeTime();
  const socket = new WritingSocket();
  const { push, queue } = queueTo(socket, { maxBytes: 20 });
  push(...frames(1));
  socket.bufferedAmount = 64 * 1024;
  assertEquals(push(...frames(2, 3, 4)), [true, true, false]);
  await settle();
  assertEquals(socket.writes, [['{"n":1}']]);
  queue.clear();
  assertEquals(time.pendingTimers, 0);
  await settle();
});

Deno.test("a write is no larger than the socket's share", async () => {
  using time = new FakeTime();
  const socket = new WritingSocket();
  const { push } = queueTo(socket);
  push(...frames(1));
  socket.bufferedAmount = 64 * 1024;
  const large = Array.from({ length: 3 }, () => new EncodedFrame("x".repeat(30_000)));
  push(...large);
  await settle();
  socket.bufferedAmount = 1;
  socket.writes.length = 0;
  socket.write = (frames) => {
    socket.writes.push(frames.map(({ text }) => text));
    socket.bufferedAmount = 64 * 1024;
  };
  await time.tick(20);
  assertEquals(socket.writes.map(({ length }) => length), [2]);
  socket.bufferedAmount = 0;
  await time.tick(20);
  assertEquals(socket.writes.map(({ length }) => length), [2, 1]);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("frames are joined once for all that are given the same ones in a row", () => {
  let joins = 0;
  const joiner = new Joiner((frames) => {
    joins++;
    return frames.map(({ text }) => text).join();
  });
  const [a, b, c] = frames(1, 2, 3) as [EncodedFrame, EncodedFrame, EncodedFrame];
  assertEquals(joiner.join([a, b]), '{"n":1},{"n":2}');
  assertEquals(joiner.join([a, b]), '{"n":1},{"n":2}');
  assertEquals(joins, 1);
  assertEquals(joiner.join([a, c]), '{"n":1},{"n":3}');
  assertEquals(joiner.join([a]), '{"n":1}');
  assertEquals(joiner.join([a, b, c]), '{"n":1},{"n":2},{"n":3}');
  assertEquals(joins, 4);
});
