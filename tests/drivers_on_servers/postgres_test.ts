import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import postgres from "postgres";
import { BroadcastConfigError, BroadcastPublishError } from "../../core/mod.ts";
import {
  PostgresBroadcaster,
  type PostgresBroadcasterOptions,
  postgresMigration,
} from "../../drivers/postgres.ts";
import { Client } from "../../drivers/postgres/client.ts";
import { Names } from "../../drivers/postgres/names.ts";
import { Retention } from "../../drivers/postgres/retention.ts";
import { Store } from "../../drivers/postgres/store.ts";
import { collectGarbage } from "../collect_garbage.ts";
import { Witness } from "../drivers/witness.ts";
import { PostgresServer } from "./postgres_server.ts";
import { Stage } from "./postgres_stage.ts";
import { tapped } from "./tapped.ts";
import { until } from "./until.ts";

let server: PostgresServer;

Deno.test.beforeAll(async () => {
  server = await PostgresServer.start();
});

Deno.test.afterAll(() => server[Symbol.asyncDispose]());

const event = (id: string, data: unknown = null) => ({ event: "n", data, id });

/** The tables of a stage as its nodes use them. */
function openStore({ prefix }: Stage) {
  const client = new Client({
    url: server.url,
    maxConnections: 2,
    prepare: true,
    statementTimeoutMs: 10_000,
  });
  const store = new Store(client, new Names({ schema: "stages", prefix }), 1_000);
  return { store, [Symbol.asyncDispose]: () => client.close() };
}

/** A node that hears what others call, and never calls itself to hear whether LISTEN still works. */
function listenerOn(stage: Stage) {
  const sql = tapped(
    stage.sql,
    (statement, run) => statement.includes("pg_notify") ? new Promise(() => {}) : run(),
  );
  return stage.node({ sql, pollIntervalMs: 600_000, timeoutMs: 600_000 });
}

Deno.test("ten nodes make the tables at once, and the exported SQL may run again and again", async () => {
  await using stage = new Stage(server);
  const nodes = Array.from({ length: 10 }, () => stage.node());
  const receipts = await Promise.all(nodes.map((node, i) => node.publish("c", event(`${i}`))));
  assertEquals(
    receipts.map(({ position }) => position?.offset).toSorted((a = 0, b = 0) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  const script = postgresMigration({ schema: "stages", prefix: stage.prefix });
  await Promise.all([1, 2, 3].map(() => stage.sql.unsafe(script)));
  const { position } = await stage.node().publish("c", event("after"));
  assertEquals(position, { epoch: receipts[0]?.position?.epoch, offset: 11 });
});

Deno.test("ten nodes make the tables at once, also where transactions are serializable unless told", async () => {
  await using stage = new Stage(server);
  const url = `${server.url}?default_transaction_isolation=serializable`;
  const nodes = Array.from({ length: 10 }, () => stage.node({ url }));
  const receipts = await Promise.all(nodes.map((node, i) => node.publish("c", event(`${i}`))));
  const offsets = receipts.map(({ position }) => position?.offset ?? 0);
  assertEquals(offsets.toSorted((a, b) => a - b), Array.from(nodes, (_, i) => i + 1));
});

/** What takes the tables of a stage back from the version after. */
const UNDO: Readonly<Record<number, (stage: Stage) => string>> = {
  2: (stage) =>
    `drop table ${stage.name("refused")}; drop function ${stage.name("relay")};
     alter table ${stage.name("leases")} drop renewed_at;`,
  1: (stage) =>
    `drop table ${stage.name("nodes")}; drop function ${stage.name("mark")};
     alter table ${stage.name("store")} drop generation,
       add disowned pg_lsn not null default '0/0';`,
};

for (const version of [1, 2]) {
  Deno.test(`ten nodes bring tables of version ${version} up to date at once, and nothing is told as lost`, async () => {
    await using stage = new Stage(server);
    const before = stage.node();
    const { position } = await before.publish("c", event("before"));
    await before.close();
    for (const undone of [2, 1]) {
      if (undone >= version) await stage.sql.unsafe(UNDO[undone]?.(stage) ?? "");
    }
    await stage.sql.unsafe(`update ${stage.name("store")} set version = ${version};
      insert into ${stage.name("outbox")} (channel, id, event, json)
      values ('c', repeat('x', 201), 'n', '1'), ('c', 'waits', 'n', '1');
      insert into ${stage.name("leases")} values ('o', 'n', now() + interval '1 hour');
      insert into ${stage.name("leased")} values ('t', 'o', 'k', '1')`);
    const nodes = Array.from({ length: 10 }, () => stage.node());
    await Promise.all(nodes.map((node, i) => node.publish("c", event(`${i}`))));
    await until("what waited, and word of what cannot be sent", async () => {
      const rows = await stage.sql.unsafe(
        `select from ${stage.name("events")} where id = 'waits'`,
      );
      return rows.length === 1 && stage.errors.length > 0;
    });
    await using resumed = stage.node().subscribe("c", { after: position });
    assertEquals((await resumed.ready).missed, 11);
    const [row] = await stage.sql.unsafe(`select version from ${stage.name("store")}`);
    assertEquals(row?.version, 3);
    const leased = await stage.sql.unsafe(`select owner from ${stage.name("leased_on")}('t')`);
    assertEquals(leased.map(({ owner }) => owner), ["o"]);
    assertEquals(stage.errors.map(({ code }) => code), ["broadcast.publish"]);
  });
}

Deno.test("a node that has to wait for a table to bring it up to date says so, and leaves nothing that waits", async () => {
  await using stage = new Stage(server);
  await stage.node().publish("c", event("before"));
  await stage.sql.unsafe(`${UNDO[2]?.(stage) ?? ""} update ${stage.name("store")} set version = 2`);
  await stage.sql.begin(async (backup) => {
    await backup.unsafe(`lock table ${stage.name("leases")} in access share mode`);
    const node = stage.node();
    await until("word of it", () => Promise.resolve(stage.errors.length > 0));
    assertEquals(stage.errors.map(({ message }) => message), [
      "Cannot read from PostgreSQL: canceling statement due to lock timeout: " +
      "a transaction holds a lock on these tables and does not end",
    ]);
    await node.close();
    await until("the server to wait for nothing", async () => {
      const waiting = await stage.sql.unsafe(
        `select from pg_stat_activity where wait_event_type = 'Lock' and strpos(query, $1) > 0`,
        [stage.prefix],
      );
      return waiting.length === 0;
    });
  });
  const { position } = await stage.node().publish("c", event("after"));
  assertEquals(position?.offset, 2);
});

for (const table of ["channels", "events", "nodes", "outbox", "refused"]) {
  Deno.test(`the table of ${table} is made again where it alone was dropped, and nobody stays deaf`, async () => {
    await using stage = new Stage(server);
    const node = stage.node();
    const witness = await Witness.on(node, ["c"]);
    await node.publish("c", event("before"));
    await witness.until("what was before", ({ count }) => count > 0);
    await stage.sql.unsafe(`drop table ${stage.name(table)}`);
    let tries = 0;
    // What comes before the node knows where the channel stands now is told as lost.
    await until("something to be heard", async () => {
      const next = event(`${tries++}`);
      await stage.sql.begin((tx) => node.publish("c", next, { tx })).catch(() => {});
      return witness.idsOn("c").length > 1;
    });
  });
}

Deno.test("a role that may only change rows works on tables that were made for it", async () => {
  await using stage = new Stage(server);
  await stage.sql.unsafe(postgresMigration({ schema: "stages", prefix: stage.prefix }));
  await using admin = server.client({ username: "postgres" });
  await admin.sql.unsafe(`create role clerk login; grant usage on schema stages to clerk;
    grant select, insert, update, delete on all tables in schema stages to clerk`);
  const url = server.url.replace("shop@", "clerk@");
  const node = stage.node({ url });
  const witness = await Witness.on(node, ["c"]);
  await node.publish("c", event("1"));
  await admin.sql.begin(async (tx) => {
    await tx`set local role clerk`;
    await node.publish("c", event("2"), { tx });
  });
  await witness.until("both", ({ count }) => count === 2);
  assertEquals(stage.errors, []);
});

Deno.test("a mark whose answer was lost does not stand for the next one", async () => {
  await using stage = new Stage(server);
  await using opened = openStore(stage);
  const { store } = opened;
  const first = await store.mark("n", undefined);
  const lost = await store.mark("n", first);
  const next = await store.mark("n", first);
  assertEquals([first.marks, lost.marks, next.marks], ["1", "2", "3"]);
  assertEquals(next.epoch, first.epoch);
});

Deno.test("a node that may not write for now reads on", async () => {
  await using stage = new Stage(server);
  const writer = stage.node();
  await writer.publish("c", event("1"));
  const node = stage.node({ url: `${server.url}?default_transaction_read_only=on` });
  const witness = await Witness.on(node, ["c"]);
  await writer.publish("c", event("2"));
  await witness.until("it", ({ count }) => count === 1);
  assertEquals(stage.errors, []);
});

Deno.test("a client of the application's is used, and left open", async () => {
  await using stage = new Stage(server);
  // What its own statements are told must not matter to ours.
  const sql = postgres(server.url, {
    transform: postgres.camel,
    types: { bigint: postgres.BigInt },
  });
  const node = stage.node({ sql, pollIntervalMs: 60_000 });
  const far = stage.node({ pollIntervalMs: 60_000 });
  const witness = await Witness.on(node, ["c"]);
  await far.publish("c", event("heard by LISTEN"));
  await witness.until("it", ({ count }) => count === 1);
  await sql.begin((tx) => node.publish("c", event("in its transaction"), { tx }));
  await witness.until("it", ({ count }) => count === 2);
  await node.close();
  assertEquals((await sql`select 1 as one`)[0]?.one, 1);
  await sql.end();
});

Deno.test("guarantee 9: a client of the application's is left without our LISTEN, also where its connection broke", async () => {
  await using stage = new Stage(server);
  const name = `stages.${stage.prefix}`;
  const listening = async () => {
    const rows = await stage.sql`
      select pid from pg_stat_activity where query = ${`listen "${name}"`}`;
    return rows.map(({ pid }) => pid);
  };
  const node = stage.node({ sql: stage.sql });
  await until("LISTEN", async () => (await listening()).length === 1);
  const before = await listening();
  await stage.sql`select pg_terminate_backend(${before[0]})`;
  await until("another", async () => {
    const [pid] = await listening();
    return pid !== undefined && pid !== before[0];
  });
  await node.close();
  await until("the end", async () => (await listening()).length === 0);
});

Deno.test("a node over a client of the application's hears what others call also where the server came later", async () => {
  await using own = await PostgresServer.start();
  await own.kill();
  await using stranger = own.client();
  await using node = new PostgresBroadcaster({
    sql: tapped(
      stranger.sql,
      (statement, run) => statement.includes("pg_notify") ? new Promise(() => {}) : run(),
    ),
    schema: "late",
    pollIntervalMs: 600_000,
    timeoutMs: 600_000,
  });
  const refused = node.publish("c", event("1"));
  await own.restart();
  await refused;
  const witness = await Witness.on(node, ["c"]);
  await using other = own.client();
  await until("LISTEN", async () => {
    const rows = await other.sql`select from pg_stat_activity where query ilike 'listen %'`;
    return rows.length === 1;
  });
  await using far = new PostgresBroadcaster({ url: own.url, schema: "late" });
  await far.publish("c", event("2"));
  await witness.until("it", ({ count }) => count === 1);
});

Deno.test("all channels of a node are read by one loop, which asks for what has changed", async () => {
  await using stage = new Stage(server);
  await using stranger = server.client();
  const statements: string[] = [];
  let running = 0;
  let most = 0;
  let polled = Promise.withResolvers<void>();
  const sql = tapped(stranger.sql, async (statement, run) => {
    statements.push(statement);
    most = Math.max(most, ++running);
    try {
      return await run();
    } finally {
      running--;
      polled.resolve();
      polled = Promise.withResolvers();
    }
  });
  const node = stage.node({ sql, listen: false, pollIntervalMs: 10 });
  await Witness.on(node, Array.from({ length: 200 }, (_, i) => `c.${i}`));
  statements.length = 0;
  most = 0;
  while (statements.length < 20) await polled.promise;
  assertEquals(new Set(statements).size, 1);
  assertStringIncludes(statements[0] ?? "", "_poll");
  assertEquals(most, 1);
});

Deno.test("connections that tell the time in different zones are of one server, which was not restarted", async () => {
  await using stage = new Stage(server);
  await using stranger = server.client({ max: 1 });
  const zones = ["Asia/Kolkata", "America/New_York"];
  let polls = 0;
  const others: string[] = [];
  let polled = Promise.withResolvers<void>();
  const sql = tapped(stranger.sql, async (statement, run) => {
    if (!statement.includes("_poll")) others.push(statement);
    else {
      await stranger.sql.unsafe(`set timezone to '${zones[polls % 2]}'`);
      polls++;
    }
    const rows = await run();
    polled.resolve();
    polled = Promise.withResolvers();
    return rows;
  });
  const node = stage.node({ sql, listen: false, pollIntervalMs: 5 });
  await Witness.on(node, ["c"]);
  others.length = polls = 0;
  while (polls < 10) await polled.promise;
  assertEquals(others, []);
});

Deno.test("a node that publishes on and on calls the others now and then, and for the last event too", async () => {
  await using stage = new Stage(server);
  const near = stage.node({ sql: stage.sql, pollIntervalMs: 600_000 });
  const far = listenerOn(stage);
  const witness = await Witness.on(far, ["c"]);
  let calls = 0;
  await stage.sql.listen(`stages.${stage.prefix}`, () => calls++);
  calls = 0;
  const startedAt = performance.now();
  for (let round = 1; round <= 10; round++) {
    for (let i = 1; i <= 50; i++) await near.publish("c", event(`${round}.${i}`));
    await witness.until("the last", () => witness.idsOn("c").at(-1) === `${round}.50`);
  }
  // One every 10 ms, and those for the first and the last of each round; timers may be early.
  const most = (performance.now() - startedAt) / 9 + 20;
  assert(calls <= most, `${calls} calls where ${most} are due at most`);
});

Deno.test("a node that closes right after its last publish calls the others for that, too", async () => {
  await using stage = new Stage(server);
  const far = listenerOn(stage);
  const witness = await Witness.on(far, ["c"]);
  for (let round = 1; round <= 5; round++) {
    const near = stage.node({ pollIntervalMs: 600_000 });
    for (let i = 1; i <= 20; i++) await near.publish("c", event(`${round}.${i}`));
    await near.close();
    await witness.until("the last", () => witness.idsOn("c").at(-1) === `${round}.20`);
  }
});

Deno.test("a call that was lost with its connection is made again", async () => {
  await using stage = new Stage(server);
  let lost = 0;
  const sql = tapped(stage.sql, (statement, run) => {
    if (!statement.includes("pg_notify") || lost++ > 0) return run();
    return Promise.reject(new Error("The connection broke"));
  });
  const near = stage.node({ sql, pollIntervalMs: 600_000 });
  const far = listenerOn(stage);
  const witness = await Witness.on(far, ["c"]);
  await near.publish("c", event("1"));
  await witness.until("it", ({ count }) => count === 1);
});

Deno.test("a publish whose turn does not come in time hears how many wait", async () => {
  await using stage = new Stage(server);
  let underWay = Promise.resolve();
  const sql = tapped(stage.sql, async (statement, run) => {
    // A slow server: at most twenty statements fit into the time, and these events take thirty.
    if (statement.includes("_publish")) await (underWay = delay(200));
    return await run();
  });
  const node = stage.node({ sql, listen: false, timeoutMs: 4_000 });
  await node.publish("c", event("makes the tables"));
  const all = Array.from({ length: 8_000 }, (_, i) => node.publish("c", event(`${i}`)));
  const outcomes = await Promise.allSettled(all);
  // The statement whose events nobody waits for any more is still being held back.
  await underWay;
  assertEquals(outcomes[0]?.status, "fulfilled");
  const error = await assertRejects(() => all.at(-1) ?? Promise.resolve(), BroadcastPublishError);
  assertMatch(error.message, /^Cannot publish on channel "c": Too slow: \d+ events wait for Postg/);
});

Deno.test("a publish whose turn does not come in time hears how many wait, also from a process too busy to say so in time", async () => {
  await using stage = new Stage(server);
  const sql = tapped(stage.sql, async (statement, run) => {
    const rows = await run();
    // Until the time of all is over, and before anybody's timer.
    const endMs = performance.now() + 2_100;
    while (statement.includes('_publish"(?') && performance.now() < endMs) { /* busy */ }
    return rows;
  });
  const node = stage.node({ sql, listen: false, timeoutMs: 2_000 });
  await Witness.on(node, ["c"]);
  const all = Array.from({ length: 300 }, (_, i) => node.publish("c", event(`${i}`)));
  const [error] = await Promise.all([
    assertRejects(() => all.at(-1) ?? Promise.resolve(), BroadcastPublishError),
    Promise.allSettled(all),
  ]);
  assertMatch(error.message, /^Cannot publish on channel "c": Too slow: \d+ events wait for Postg/);
});

Deno.test("an order that PostgreSQL rolls back for another node's is written once more", async () => {
  await using stage = new Stage(server);
  let writes = 0;
  const sql = tapped(stage.sql, (statement, run) => {
    if (!/^select .*_lease"\(/.test(statement) || ++writes > 1) return run();
    return Promise.reject(Object.assign(new Error("could not serialize"), { code: "40001" }));
  });
  await stage.node({ sql }).disconnect({ user: "ada" });
  assertEquals(writes, 2);
});

Deno.test("what commits late is read, though later commits were read before", async () => {
  await using stage = new Stage(server);
  const node = stage.node({ listen: false, pollIntervalMs: 5 });
  const witness = await Witness.on(node, ["slow", "fast"]);
  const store = `${
    stage.name("publish")
  }(array['slow'], array['late'], array['n'], array['1'], array[null])`;
  await stage.sql.begin(async (tx) => {
    await tx.unsafe(`select * from ${store}`);
    for (let i = 1; i <= 5; i++) {
      await node.publish("fast", event(`${i}`));
      await witness.until("what committed before", ({ count }) => count === i);
    }
  });
  await witness.until("what committed late", () => witness.idsOn("slow").length === 1);
  assertEquals(witness.lost, []);
});

Deno.test("a channel that begins while another node begins a new epoch is in that epoch, too", async () => {
  await using stage = new Stage(server);
  const node = stage.node({ listen: false });
  await node.publish("old", event("1"));
  let renewal = Promise.resolve<unknown>(undefined);
  await stage.sql.begin(async (tx) => {
    await tx.unsafe(
      `select from ${
        stage.name("publish")
      }(array['new'], array['1'], array['n'], array['1'], array[null])`,
    );
    let isOver = false;
    renewal = stage.sql.begin(async (other) => {
      await other.unsafe(`update ${stage.name("store")} set lineage = ''`);
      await other.unsafe(`select ${stage.name("check")}()`);
    }).finally(() => isOver = true);
    await until("the other node waits, or is through", async () => {
      const [waiting] = await stage.sql`
        select from pg_stat_activity where wait_event_type = 'Lock' and query like '%lineage%'`;
      return isOver || waiting !== undefined;
    });
  });
  await renewal;
  const epochs = await stage.sql.unsafe(
    `select epoch from ${stage.name("channels")} union select epoch from ${stage.name("store")}`,
  );
  assertEquals(epochs.length, 1);
});

Deno.test("any JSON passes, U+0000 in it too; names that cannot be stored are refused alone", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes();
  await using subscription = b.subscribe("c");
  await subscription.ready;
  const data = ["\0", { "\0key": "a\0b" }, "half \ud800", '\\"{}', "\u2028"];
  const [, ...refused] = await Promise.allSettled([
    a.publish("c", { event: "n", data }),
    a.publish("c", { event: "n\0", data }),
    a.publish("c", { event: "n", data, id: "\0" }),
    a.publish("c", { event: "half \udc00", data }),
    a.publish("c", { event: "n", data }, { except: "half \ud800" }),
  ]);
  for (const outcome of refused) {
    assertEquals(outcome.status, "rejected");
    if (outcome.status !== "rejected") continue;
    assertEquals(outcome.reason instanceof BroadcastPublishError, true);
    assertEquals(outcome.reason.status, 400);
  }
  assertEquals((await subscription.next()).value?.data, data);
  assertEquals((await a.publish("c", { event: "n", data })).position?.offset, 2);
});

Deno.test("events larger than one read are read in slices, live and from history", async () => {
  await using stage = new Stage(server);
  const [a, b] = stage.nodes({ timeoutMs: 60_000 });
  const witness = await Witness.on(b, ["x", "y"]);
  const { position } = await b.subscribe("x").ready;
  const ids = Array.from({ length: 12 }, (_, i) => `${i}`);
  const data = "x".repeat(900_000);
  await Promise.all(ids.flatMap((id) => [
    a.publish("x", event(id, data)),
    a.publish("y", event(id, data)),
  ]));
  await witness.until("all", ({ count }) => count === 24);
  assertEquals([witness.idsOn("x"), witness.idsOn("y")], [ids, ids]);
  // And more at once than a slice has rows, without a word after the first.
  const many = Array.from({ length: 2_500 }, (_, i) => `many ${i}`);
  const all = (value: string) => many.map(() => value);
  await stage.sql`select count(*) from ${stage.sql(stage.name("publish"))}(
    ${all("y")}, ${many}, ${all("n")}, ${all("1")}, ${all("nobody")})`;
  await witness.until("all of them", ({ count }) => count === 2_524);
  assertEquals(witness.idsOn("y"), [...ids, ...many]);
  assertEquals(witness.lost, []);
  const late = stage.node();
  await using resumed = late.subscribe("x", { after: position });
  assertEquals((await resumed.ready).recovery, "ok");
});

Deno.test("rows that none of us wrote are reported and told as lost, and nobody stays deaf", async () => {
  await using stage = new Stage(server);
  const node = stage.node({ maxEventBytes: 1_000, pollIntervalMs: 20 });
  const witness = await Witness.on(node, ["c", "clean"]);
  const rows = [
    ["id", "n", "{broken"],
    ["id\u0001", "n", "1"],
    ["", "n", "1"],
    ["id", "n\u0001", "1"],
    ["id", "n", JSON.stringify("x".repeat(2_000))],
  ] as const;
  for (const [i, [id, name, json]] of rows.entries()) {
    await node.publish("c", event(`${i}`));
    await witness.until("the event before", () => witness.idsOn("c").includes(`${i}`));
    await stage.sql.unsafe(
      `with c as (update ${stage.name("channels")} set top = top + 1,
         changed = pg_current_xact_id() where channel = 'c' returning channel, top)
       insert into ${stage.name("events")} (channel, number, id, event, json)
       select channel, top, $1, $2, $3 from c`,
      [id, name, json],
    );
    await witness.until("word of the loss", () => witness.lost.length === i + 1);
    assertEquals(stage.errors.length, i + 1);
    assertStringIncludes(stage.errors[i]?.message ?? "", 'channel "c"');
    await stage.sql.unsafe(`delete from ${stage.name("events")} where id = $1`, [id]);
  }
  // A number that cannot be: nothing comes of it, and nothing ends.
  await stage.sql.unsafe(`update ${stage.name("channels")} set top = 9223372036854775807,
    changed = pg_current_xact_id() where channel = 'c'`);
  await node.publish("clean", event("last"));
  await witness.until("the last", () => witness.idsOn("clean").length === 1);
  assertEquals(witness.lost.length, rows.length);
});

Deno.test("history is cut by number and by age, in small batches, by one node at a time", async () => {
  await using stage = new Stage(server);
  const node = stage.node();
  const channels = ["a", "b"];
  for (const channel of channels) {
    await Promise.all(
      Array.from({ length: 1_200 }, (_, i) => node.publish(channel, event(`${i}`))),
    );
  }
  await using opened = openStore(stage);
  const { store } = opened;
  const stored = async () =>
    (await stage.sql.unsafe<{ channel: string; count: number; first: number }[]>(
      `select channel, count(*)::int as count, min(number)::int as first
       from ${stage.name("events")} group by channel order by channel`,
    )).map(({ channel, count, first }) => [channel, count, first]);
  const sweep = (limits: { historySize: number; historyTtlMs: number; graceMs: number }) =>
    new Retention(store, { ...limits, intervalMs: 60_000 }, () => {}).sweep();
  const limits = { historySize: 100, historyTtlMs: 3_600_000, graceMs: 3_600_000 };
  await sweep(limits);
  assertEquals(await stored(), [["a", 1_200, 1], ["b", 1_200, 1]], "younger than the grace");
  const locked = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const other = stage.sql.begin(async (tx) => {
    await tx.unsafe(
      `select pg_advisory_xact_lock(hashtextextended('stages.${stage.prefix} retention', 0))`,
    );
    locked.resolve();
    await done.promise;
  });
  await locked.promise;
  await sweep({ ...limits, graceMs: 0 });
  assertEquals(await stored(), [["a", 1_200, 1], ["b", 1_200, 1]], "while another node is at it");
  done.resolve();
  await other;
  await sweep({ ...limits, graceMs: 0 });
  assertEquals(await stored(), [["a", 100, 1_101], ["b", 100, 1_101]], "by number");
  await stage.sql.unsafe(
    `update ${stage.name("events")} set stored_at = now() - interval '1 hour' where number < 1151`,
  );
  await sweep({ ...limits, historyTtlMs: 60_000 });
  assertEquals(await stored(), [["a", 50, 1_151], ["b", 50, 1_151]], "by age");
  const { position } = await node.publish("a", event("next"));
  const epoch = position?.epoch ?? "";
  await using gone = node.subscribe("a", { after: { epoch, offset: 1_149 } });
  assertEquals((await gone.ready).recovery, "lost");
  await using whole = node.subscribe("a", { after: { epoch, offset: 1_150 } });
  assertEquals(await whole.ready, {
    position: { epoch, offset: 1_201 },
    recovery: "ok",
    missed: 51,
  });
});

Deno.test("options that cannot work are refused with their name and rule", () => {
  const url = "postgres://nobody@127.0.0.1:1/none";
  const sql = postgres(url);
  const cases: [PostgresBroadcasterOptions, string][] = [
    [{ prefix: "p" }, '"url" and "sql"'],
    [{ prefix: "p", url, sql }, '"url" and "sql"'],
    [{ url }, '"schema" and "prefix"'],
    [{ url, prefix: "" }, '"prefix"'],
    [{ url, schema: "" }, '"schema"'],
    [{ url, schema: 'a"; drop table users; --' }, '"schema"'],
    [{ url, prefix: "Big" }, '"prefix"'],
    [{ url, prefix: "a".repeat(31) }, '"prefix"'],
    [{ url: "http://x", prefix: "p" }, '"url"'],
    [{ url, prefix: "p", pollIntervalMs: 0 }, '"pollIntervalMs"'],
    [{ url, prefix: "p", maxEventBytes: 64 * 1024 * 1024 + 1 }, '"maxEventBytes"'],
    [{ url, prefix: "p", historySize: 0 }, '"historySize"'],
    [{ url, prefix: "p", maxConnections: 1.5 }, '"maxConnections"'],
  ];
  for (const [options, part] of cases) {
    assertThrows(() => new PostgresBroadcaster(options), BroadcastConfigError, part);
  }
  assertThrows(() => postgresMigration({ schema: "a-b" }), BroadcastConfigError, '"schema"');
});

Deno.test("tables of a version that is not ours are refused", async () => {
  await using stage = new Stage(server);
  await stage.node().publish("c", event("1"));
  await stage.sql.unsafe(`update ${stage.name("store")} set version = 99`);
  const node = stage.node();
  const error = await assertRejects(() => node.publish("c", event("2")), BroadcastPublishError);
  assertStringIncludes(String(error.cause), "version must be 3, got 99");
  assertEquals(node.health, "connecting");
  assertEquals(stage.errors.map(({ cause }) => String(cause)), [String(error.cause)]);
});

/** Uses a node for all that it does by itself, closes it, and lets go of it. */
async function comeAndGo(prefix: string): Promise<WeakRef<PostgresBroadcaster>> {
  await using node = new PostgresBroadcaster({ url: server.url, schema: "stages", prefix });
  await using subscription = node.subscribe("news");
  await subscription.ready;
  await node.publish("news", event("1"));
  return new WeakRef(node);
}

// postgres.js remembers each statement for good, and with it the client that ran it first.
Deno.test("guarantee 9: nodes that come and go in one process are let go of, but for the first", async () => {
  await using stage = new Stage(server);
  await comeAndGo(stage.prefix);
  const nodes = [await comeAndGo(stage.prefix), await comeAndGo(stage.prefix)];
  // The last one may still be at hand.
  await comeAndGo(stage.prefix);
  await until("closed nodes to be let go of", () => {
    collectGarbage();
    return Promise.resolve(nodes.every((node) => node.deref() === undefined));
  });
});
