import { assert, assertEquals, assertExists } from "@std/assert";
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import type { ClientFrame, ServerFrame, WirePosition } from "@airwave/broadcast/protocol";
import { clientText, FakeGatewaySocket } from "@airwave/broadcast/testing";
import { SsePositions } from "../../gateway/sse/positions.ts";
import { MAX_STREAM_ID_LENGTH, parseStreamId } from "../../protocol/sse.ts";
import { SseReader } from "./sse_reader.ts";

/** A client of a gateway, over whatever it came by. */
interface Client {
  readonly frames: readonly ServerFrame[];
  send(frame: ClientFrame): Promise<void>;
  until(done: () => boolean): Promise<unknown>;
  cut(): Promise<void>;
}

type Connect = (gateway: BroadcastGateway) => Promise<Client>;

/** The same cases for both: what a session promises does not depend on what carries it. */
const CONNECTIONS: Readonly<Record<string, Connect>> = {
  "WebSocket": (gateway) => {
    const socket = new FakeGatewaySocket();
    const request = new Request("http://app.example/_broadcast?v=2");
    const events = gateway.connect(socket, request);
    return Promise.resolve({
      frames: socket.frames,
      send: (frame) => Promise.resolve(events.message(clientText(frame))),
      until: (done) => socket.until(done),
      cut: () => Promise.resolve(events.closed(1006, "")),
    });
  },
  "server-sent events": async (gateway) => {
    const reader = await SseReader.open(gateway.handler);
    return {
      get frames() {
        return reader.frames;
      },
      send: async (frame) => assertEquals((await reader.say(frame)).status, 204),
      until: (done) => reader.until(done),
      cut: () => reader.leave(),
    };
  },
};

/** Subscribes, and returns the answer. */
async function subscribe(client: Client, n: number, p?: WirePosition) {
  await client.send({ t: "sub", c: "news", n, p });
  const answer = () =>
    client.frames.flatMap((frame) => frame.t === "ok" && frame.n === n ? [frame] : [])[0];
  await client.until(() => answer() !== undefined);
  const ok = answer();
  assertExists(ok?.p);
  return { ...ok, p: ok.p };
}

function offsets(client: Client): unknown[] {
  return client.frames.flatMap((frame) => frame.t === "msg" ? [frame.o] : []);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

for (const [name, connect] of Object.entries(CONNECTIONS)) {
  /** A gateway with 400 events of history, and who publishes on it. */
  const setUp = () => {
    const broadcaster = new MemoryBroadcaster({ historySize: 400 });
    const gateway = new BroadcastGateway({ broadcaster });
    return {
      gateway,
      async publish(count: number) {
        for (const data of range(1, count)) await broadcaster.publish("news", { event: "e", data });
      },
      async [Symbol.asyncDispose]() {
        await gateway.close();
        await broadcaster.close();
      },
    };
  };

  for (const missed of [0, 1, 300]) {
    Deno.test(`over ${name}, ${missed} missed events come once, in order, before the live ones`, async () => {
      await using site = setUp();
      const first = await connect(site.gateway);
      const { p } = await subscribe(first, 1);
      await first.cut();
      await site.publish(missed);
      const second = await connect(site.gateway);
      const { r, m, p: top } = await subscribe(second, 1, p);
      assertEquals([r, m, top], ["ok", missed, { e: p.e, o: missed }]);
      await site.publish(1);
      await second.until(() => offsets(second).length > missed);
      assertEquals(offsets(second), range(1, missed + 1));
      await second.cut();
    });
  }

  Deno.test(`over ${name}, what can not be proven complete is lost, and nothing of it replayed`, async () => {
    await using site = setUp();
    await site.publish(401);
    const client = await connect(site.gateway);
    const { p } = await subscribe(client, 1);
    const unprovable = [{ e: "another", o: 401 }, { e: p.e, o: 0 }, { e: p.e, o: 402 }, {
      e: "",
      o: 0,
    }];
    for (const [n, from] of unprovable.entries()) {
      await client.send({ t: "unsub", c: "news" });
      const { r, m, p: top } = await subscribe(client, n + 2, from);
      assertEquals([r, m, top], ["lost", undefined, p]);
    }
    assertEquals(offsets(client), []);
    await client.cut();
  });

  Deno.test(`over ${name}, a cut amid what was missed is a resume from the last one received`, async () => {
    await using site = setUp();
    const first = await connect(site.gateway);
    const { p } = await subscribe(first, 1);
    await first.cut();
    await site.publish(9);
    const second = await connect(site.gateway);
    await second.send({ t: "sub", c: "news", n: 1, p });
    await second.until(() => offsets(second).length >= 4);
    await second.cut();
    const third = await connect(site.gateway);
    assertEquals((await subscribe(third, 1, { e: p.e, o: 4 })).m, 5);
    await third.until(() => offsets(third).length === 5);
    assertEquals(offsets(third), range(5, 9));
    await third.cut();
  });

  Deno.test(`over ${name}, an old connection that dies late does not touch its successor`, async () => {
    await using site = setUp();
    const old = await connect(site.gateway);
    const { p } = await subscribe(old, 1);
    const young = await connect(site.gateway);
    await subscribe(young, 1, p);
    await site.publish(1);
    await old.cut();
    await site.publish(1);
    await young.until(() => offsets(young).length === 2);
    assertEquals(offsets(young), [1, 2]);
    assertEquals(site.gateway.subscriberCount("news"), 1);
    await young.cut();
  });

  Deno.test(`over ${name}, events that come while the gap is read are neither lost nor doubled`, async () => {
    await using site = setUp();
    const first = await connect(site.gateway);
    const { p } = await subscribe(first, 1);
    await first.cut();
    await site.publish(50);
    const second = await connect(site.gateway);
    const resumed = second.send({ t: "sub", c: "news", n: 1, p });
    await Promise.all([resumed, site.publish(50)]);
    await second.until(() => offsets(second).length >= 100);
    assertEquals(offsets(second), range(1, 100));
    await second.cut();
  });
}

Deno.test("the id keeps each position, whatever is said about its channel, until that is let go of", () => {
  const positions = new SsePositions();
  const p = { e: "epoch", o: 1 };
  positions.ask({ t: "sub", c: "a" });
  positions.pass({ t: "ok", c: "a", n: 1, r: "none", p });
  positions.pass({ t: "msg", c: "a", e: "e", d: 1, i: "1", o: 2 });
  // Without a position an event says nothing of where the channel stands.
  positions.pass({ t: "msg", c: "a", e: "e", d: 1, i: "2" });
  assert(positions.ask({ t: "sub", c: "a" }));
  assert(positions.ask({ t: "sub", c: "no name" }));
  assertEquals([...parseStreamId(positions.id) ?? []], [["a", { e: "epoch", o: 2 }]]);
  positions.drop("a");
  // It was on its way when the client let go.
  positions.pass({ t: "ok", c: "a", n: 2, r: "none", p });
  assertEquals([...parseStreamId(positions.id) ?? ["unread"]], []);
});

Deno.test("as many channels are taken as have room in the id, and no more", () => {
  const positions = new SsePositions();
  const names = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(100, "x"));
  const taken = names.filter((c) => positions.ask({ t: "sub", c }));
  const rest = MAX_STREAM_ID_LENGTH - 2 - taken.length * 102;
  assert(rest > 0 && rest < 102);
  assertEquals(positions.ask({ t: "sub", c: "y".repeat(rest - 1) }), false);
  assertEquals(positions.ask({ t: "sub", c: "y".repeat(rest - 2) }), true);
});
