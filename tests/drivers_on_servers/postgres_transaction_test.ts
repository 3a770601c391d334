import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { BroadcastPublishError, type DriverBroadcaster } from "../../core/mod.ts";
import { Witness } from "../drivers/witness.ts";
import { PostgresServer } from "./postgres_server.ts";
import { Stage } from "./postgres_stage.ts";
import { tapped } from "./tapped.ts";

let server: PostgresServer;

Deno.test.beforeAll(async () => {
  server = await PostgresServer.start();
});

Deno.test.afterAll(() => server[Symbol.asyncDispose]());

const event = (id: string) => ({ event: "n", data: id, id });

const HOLD_MS = 2_000;

/** Both nodes saw the same on every channel, numbered without a hole, and nothing was told lost. */
function assertOneOrder(witnesses: readonly Witness[], counts: Readonly<Record<string, number>>) {
  for (const [channel, count] of Object.entries(counts)) {
    for (const witness of witnesses) {
      const offsets = witness.seen.get(channel)?.map(({ position }) => position?.offset);
      assertEquals(offsets, Array.from({ length: count }, (_, i) => i + 1), channel);
      assertEquals(witness.idsOn(channel), witnesses[0]?.idsOn(channel), channel);
      assertEquals(witness.lost, []);
    }
  }
}

async function witnessesOf(nodes: readonly DriverBroadcaster[], channels: readonly string[]) {
  return await Promise.all(nodes.map((node) => Witness.on(node, channels)));
}

Deno.test("a transaction that publishes and stays open makes nobody wait, and is sent once it commits", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  const witnesses = await witnessesOf([a, b], ["same", "other"]);
  const inside = Promise.withResolvers<void>();
  const others = Promise.withResolvers<void>();
  const transaction = stage.sql.begin(async (tx) => {
    for (const id of ["t1", "t2", "t3"]) {
      const receipt = await a.publish("same", event(id), { tx });
      assertEquals(receipt, { id, position: undefined });
    }
    await b.publish("other", event("t4"), { tx });
    inside.resolve();
    await Promise.all([others.promise, delay(HOLD_MS)]);
  });
  await inside.promise;
  // Would one of them wait for the transaction, both would wait for ever.
  await Promise.all(
    Array.from(
      { length: 100 },
      (_, i) => (i % 2 === 0 ? a : b).publish(i % 4 < 2 ? "same" : "other", event(`${i}`)),
    ),
  );
  for (const witness of witnesses) {
    await witness.until("what was published meanwhile", ({ count }) => count === 100);
  }
  others.resolve();
  await transaction;
  for (const witness of witnesses) {
    await witness.until("what was committed", ({ count }) => count === 104);
    assertEquals(witness.idsOn("same").slice(-3), ["t1", "t2", "t3"]);
  }
  assertOneOrder(witnesses, { same: 53, other: 51 });
});

Deno.test("what a transaction published that rolls back is never sent", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  const witnesses = await witnessesOf([a, b], ["c"]);
  const aborted = stage.sql.begin(async (tx) => {
    await a.publish("c", event("never"), { tx });
    throw new Error("changed my mind");
  });
  await assertRejects(() => aborted, Error, "changed my mind");
  await stage.sql.begin((tx) => a.publish("c", event("sent"), { tx }));
  await b.publish("c", event("last"));
  for (const witness of witnesses) {
    await witness.until("both", ({ count }) => count === 2);
    assertEquals(witness.idsOn("c").toSorted(), ["last", "sent"]);
  }
  assertOneOrder(witnesses, { c: 2 });
});

Deno.test("two transactions that publish on two channels in opposite order both commit", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  const witnesses = await witnessesOf([a, b], ["x", "y"]);
  const firsts = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const publish = (node: typeof a, name: string, channels: readonly string[], turn: number) =>
    stage.sql.begin(async (tx) => {
      for (const channel of channels) {
        await node.publish(channel, event(`${name} on ${channel}`), { tx });
        firsts[turn]?.resolve();
        // Each has published on one channel before any of them goes for its second.
        await Promise.all(firsts.map(({ promise }) => promise));
      }
    });
  await Promise.all([publish(a, "p", ["x", "y"], 0), publish(b, "q", ["y", "x"], 1)]);
  for (const witness of witnesses) await witness.until("all", ({ count }) => count === 4);
  assertOneOrder(witnesses, { x: 2, y: 2 });
});

Deno.test("forty publishes at once, each on twenty channels in an order of its own, number densely and never deadlock", async () => {
  await using stage = new Stage(server);
  await stage.node().publish("c.0", event("first"));
  await using crowd = server.client({ max: 40 });
  const channels = Array.from({ length: 20 }, (_, i) => `c.${i}`);
  // Not by way of a node, which would try again what was refused for a deadlock.
  await Promise.all(Array.from({ length: 40 }, (_, i) => {
    const order = [...channels.slice(i % 20), ...channels.slice(0, i % 20)];
    if (i % 2 === 0) order.reverse();
    const all = (value: string) => order.map(() => value);
    return crowd.sql`select * from ${crowd.sql(stage.name("publish"))}(
      ${order}, ${all(`${i}`)}, ${all("n")}, ${all("1")}, ${all("nobody")})`;
  }));
  const rows = await stage.sql.unsafe(
    `select channel, array_agg(number::int order by number) as numbers, max(top)::int as top
     from ${stage.name("events")} join ${stage.name("channels")} using (channel) group by channel`,
  );
  for (const { channel, numbers, top } of rows) {
    const count = channel === "c.0" ? 41 : 40;
    assertEquals(numbers, Array.from({ length: count }, (_, i) => i + 1), channel);
    assertEquals(top, count);
  }
  assertEquals(rows.length, 20);
});

Deno.test("what was committed is sent, even if the node that published it is gone", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  const witness = await Witness.on(b, ["c"]);
  await stage.sql.begin(async (tx) => {
    await a.publish("c", event("orphan"), { tx });
    await a.close();
  });
  await witness.until("the event", ({ count }) => count === 1);
});

Deno.test("two nodes that number the outbox at once keep the order of each transaction", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  const witness = await Witness.on(b, ["c"]);
  // More than is numbered in one go, and no node looks before all is there.
  const ids = Array.from({ length: 350 }, (_, i) => `${i}`);
  await stage.sql.begin(async (tx) => {
    for (const id of ids) await (Number(id) % 2 === 0 ? a : b).publish("c", event(id), { tx });
  });
  await witness.until("all", ({ count }) => count === ids.length);
  assertEquals(witness.idsOn("c"), ids);
});

Deno.test("a publish in a transaction is refused where it cannot be stored, and where there is none", async () => {
  await using stage = new Stage(server);
  const node = stage.node();
  await node.publish("c", event("first"));
  await stage.sql.begin(async (tx) => {
    const error = await assertRejects(
      () => node.publish("c", { event: "n", data: 1, id: "half \ud800" }, { tx }),
      BroadcastPublishError,
      "surrogate",
    );
    assertEquals(error.status, 400);
    // The transaction is none the worse for it.
    await node.publish("c", event("second"), { tx });
  });
  const error = await assertRejects(
    // @ts-expect-error A client is no transaction: it would publish at once.
    () => node.publish("c", event("third"), { tx: stage.sql }),
    BroadcastPublishError,
    '"tx"',
  );
  assertEquals(error.status, 400);
});

Deno.test("a node hears what is sent from the outbox, however much is put into it meanwhile", async () => {
  await using stage = new Stage(server);
  const refillsAtMost = 50;
  let refills = 0;
  const sql = tapped(stage.sql, async (statement, run) => {
    const rows = await run();
    if (statement.includes("_relay") && refills < refillsAtMost) {
      refills++;
      await stage.sql.unsafe(
        `insert into ${stage.name("outbox")} (channel, id, event, json) values ('c', $1, 'n', '1')`,
        [`refill ${refills}`],
      );
    }
    return rows;
  });
  const node = stage.node({ sql });
  const witness = await Witness.on(node, ["c"]);
  await stage.sql.begin((tx) => node.publish("c", event("first"), { tx }));
  await witness.until("the first", ({ count }) => count > 0);
  assert(refills < refillsAtMost, "It was read only once nothing was put in any more");
  await witness.until("all", ({ count }) => count === refillsAtMost + 1);
});

Deno.test("a row of the outbox that can be no event is set aside and told of, and keeps nobody waiting", async () => {
  await using stage = new Stage(server);
  const nodes = stage.nodes({ listen: false, pollIntervalMs: 20 });
  const witnesses = await witnessesOf(nodes, ["c"]);
  // An entry of an index has 2,704 bytes at most, and only what repeats itself is made smaller.
  const long = Array.from({ length: 2_000 }, (_, i) => String.fromCodePoint(0x4e00 + 7 * i)).join(
    "",
  );
  const longest = "\u{1d11e}".repeat(100);
  const bad: (string | null)[][] = [
    [long, "1", "n", "1", null],
    ["c", long, "n", "1", null],
    ["no such channel", "2", "n", "1", null],
    ["c\n", "3", "n", "1", null],
    ["", "4", "n", "1", null],
    ["c", "", "n", "1", null],
    ["c", "5", "", "1", null],
    ["c", "6", long, "1", null],
    ["c", "7", "n", "1", long],
    ["c", "8", "n\n", "1", null],
    ["c", "9", "n", "{", null],
    ["c", "10", "n", "", null],
    ["c", "11", "n\u0085", "1", null],
    ["c", "12", "n", "1", "\u2028"],
    // Counted in halves of UTF-16, as whoever reads it does.
    ["c", longest + "n", "n", "1", null],
  ];
  const into = `insert into ${stage.name("outbox")} (channel, id, event, json, except_id) values`;
  await stage.sql.begin(async (tx) => {
    for (const [i, row] of bad.entries()) {
      await tx.unsafe(`${into} ('c', $1, 'n', $2, null)`, [`good ${i}`, JSON.stringify("\0")]);
      await tx.unsafe(`${into} ($1, $2, $3, $4, $5)`, row);
    }
    await tx.unsafe(
      `${into} ('c', 'huge', 'n', '"' || repeat('x', 64 * 1024 * 1024) || '"', null)`,
    );
    // Names as long as may be, and data that is nested deeper than PostgreSQL looks.
    await tx.unsafe(`${into} ('c', $1, $1, repeat('[', 50000) || repeat(']', 50000), $1)`, [
      longest,
    ]);
  });
  for (const witness of witnesses) {
    await witness.until("the others", ({ count }) => count > bad.length);
    assertEquals(witness.idsOn("c"), [...bad.map((_, i) => `good ${i}`), longest]);
  }
  assertOneOrder(witnesses, { c: bad.length + 1 });
  const rows = await stage.sql.unsafe(
    `select seq::int, channel, id, event, left(json, 1) as json, except_id
     from ${stage.name("refused")} order by seq`,
  );
  assertEquals(
    rows.map(({ channel, id, event, json, except_id }) => [channel, id, event, json, except_id]),
    [...bad, ["c", "huge", "n", '"', null]],
  );
  assertEquals(
    stage.errors.map(({ code, status, context }) => [code, status, context["seq"]]),
    rows.map(({ seq }) => ["broadcast.publish", 400, String(seq)]),
  );
  assertEquals(nodes.map(({ health }) => health), ["up", "up"]);
});

Deno.test("who keeps the outbox locked keeps nobody from hearing what is published without it, and is told of", async () => {
  await using stage = new Stage(server);
  const states: string[] = [];
  const node = stage.node({ onHealth: ({ new: state }) => states.push(state) });
  const witness = await Witness.on(node, ["c"]);
  await stage.sql.begin(async (holder) => {
    await stage.sql.unsafe(
      `insert into ${
        stage.name("outbox")
      } (channel, id, event, json) values ('c', 'held', 'n', '1')`,
    );
    await holder.unsafe(`select from ${stage.name("outbox")} for update`);
    while (stage.errors.length === 0 && !states.includes("down")) {
      const { id } = await node.publish("c", { event: "n", data: null });
      await witness.until("what went by", () => witness.idsOn("c").includes(id));
    }
  });
  await witness.until("what was held", () => witness.idsOn("c").includes("held"));
  assertEquals(states, ["up"]);
  assertEquals(stage.errors.map(({ message }) => message), [
    "Cannot send from the outbox: canceling statement due to lock timeout: " +
    "a transaction holds a lock on these tables and does not end",
  ]);
});

Deno.test("one statement takes no more from the outbox than it can store in time, and nothing stays", async () => {
  await using stage = new Stage(server);
  const node = stage.node();
  await node.publish("c", event("makes the tables"));
  await node.close();
  const drain = async () => {
    const [row] = await stage.sql.unsafe(
      `select taken as count from ${stage.name("relay")}(100)`,
    );
    return row?.count;
  };
  for (const [id, length] of Object.entries({ a: 600_000, b: 600_000, c: 3_000_000, d: 1, e: 1 })) {
    await stage.sql.unsafe(
      `insert into ${stage.name("outbox")} (channel, id, event, json)
       values ('c', $1, 'n', '"' || repeat('x', ${length}) || '"')`,
      [id],
    );
  }
  assertEquals([await drain(), await drain(), await drain(), await drain()], [2, 1, 2, 0]);
});
