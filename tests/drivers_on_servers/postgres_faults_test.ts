import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { BroadcastPublishError, type DriverBroadcaster } from "../../core/mod.ts";
import { PostgresBroadcaster } from "../../drivers/postgres.ts";
import { Witness } from "../drivers/witness.ts";
import { freePort } from "../servers/port.ts";
import { postgresDriver } from "./postgres_driver.ts";
import { PostgresBackend, PostgresServer, type Stranger } from "./postgres_server.ts";
import { tapped } from "./tapped.ts";
import { until } from "./until.ts";

/** Longer than a node is content with silence before it rings itself. */
const FREEZE_MS = 7_000;

const event = (id: string, data: unknown = null) => ({ event: "n", data, id });

async function publishAll(node: DriverBroadcaster, ids: readonly string[]): Promise<void> {
  for (const id of ids) await node.publish("c", event(id));
}

Deno.test("tables that were dropped are made again, and what was lost with them is told", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  await using a = backend.node();
  await using b = backend.node();
  const witnesses = [await Witness.on(a, ["c"]), await Witness.on(b, ["c"])];
  await publishAll(a, ["1", "2", "3"]);
  for (const witness of witnesses) await witness.until("three", ({ count }) => count === 3);
  await using stranger = backend.server.client();
  await stranger.sql`drop schema broadcast cascade`;
  for (const witness of witnesses) await witness.until("word", ({ lost }) => lost.length === 1);
  await publishAll(b, ["4"]);
  for (const witness of witnesses) {
    await witness.until("the next", ({ count }) => count === 4);
    assertEquals(witness.lost, ["c"]);
    const [first, , , last] = witness.seen.get("c") ?? [];
    assertNotEquals(last?.position?.epoch, first?.position?.epoch);
    assertEquals(last?.position?.offset, 1);
  }
});

Deno.test("a server that was set back to a backup numbers in new epochs, on all channels", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  const { server } = backend;
  await using node = backend.node();
  // On the channel that it hears nothing is amiss: only the server's log tells.
  const witness = await Witness.on(node, ["quiet"]);
  await publishAll(node, ["1", "2"]);
  await server.save();
  const { position: lost } = await node.publish("c", event("3"));
  await node.publish("quiet", event("heard"));
  await witness.until("it", ({ count }) => count === 1);
  assertEquals(witness.lost, [], "after a restart with everything that was stored");
  await server.kill();
  await server.putBack();
  await server.restart();
  await witness.until("word of it", ({ lost }) => lost.length === 1);
  // As many as were lost: by their numbers alone nobody could tell.
  const { position: other } = await node.publish("c", event("4"));
  assertEquals(other?.offset, lost?.offset);
  assertNotEquals(other?.epoch, lost?.epoch);
  await using resumed = node.subscribe("c", { after: lost });
  assertEquals((await resumed.ready).recovery, "lost");
});

Deno.test("a server that was set back, and written on past where it was, numbers in new epochs once the first is back that knows", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  const { server, proxy } = backend;
  await using a = backend.node({ proxied: true });
  await using b = backend.node({ proxied: true });
  const away = [await Witness.on(a, ["c", "quiet"]), await Witness.on(b, ["c", "quiet"])];
  await publishAll(a, ["1", "2"]);
  await a.publish("quiet", event("1"));
  await server.save();
  const { position: lost } = await a.publish("c", event("3"));
  for (const witness of away) {
    await witness.until("all", ({ count }) => count === 4);
    assertEquals(witness.lost, [], "after a restart with everything that was stored");
  }
  const end = await logEnd(server);
  await server.kill();
  await server.putBack();
  // Those that know are kept away.
  proxy.swallow();
  await server.restart();
  await writeOn(server, end);
  await using near = backend.node();
  const stayed = await Witness.on(near, ["c", "quiet"]);
  await publishAll(near, ["other 3", "other 4"]);
  await stayed.until("both", ({ count }) => count === 2);
  assertEquals(stayed.seen.get("c")?.[0]?.position, lost, "nobody there can tell");
  proxy.heal();
  const witnesses = [...away, stayed];
  for (const witness of witnesses) {
    await witness.until("word of it", () => witness.lost.length === 2);
  }
  const { position } = await near.publish("c", event("5"));
  assertNotEquals(position?.epoch, lost?.epoch);
  for (const witness of witnesses) {
    await witness.until("the next", () => witness.idsOn("c").includes("5"));
    assertEquals(witness.lost.toSorted(), ["c", "quiet"], "once, whoever finds it out");
  }
  for (const witness of away) assertEquals(witness.idsOn("c"), ["1", "2", "3", "5"]);
  await using resumed = near.subscribe("c", { after: lost });
  assertEquals((await resumed.ready).recovery, "lost");
});

Deno.test("a server that was set back to before its epochs were made anew makes newer ones", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  const { server } = backend;
  await using node = backend.node();
  const witness = await Witness.on(node, ["c"]);
  const { position: first } = await node.publish("c", event("1"));
  await server.save();
  await witness.until("the first", ({ count }) => count === 1);
  {
    await using stranger = server.client();
    const countMarks = async () => {
      const [row] = await stranger.sql`select marks::int as count from broadcast.trial_nodes`;
      return row?.count;
    };
    await stranger.sql`update broadcast.trial_store set lineage = ''`;
    const before = await countMarks();
    await node.publish("c", event("2"));
    await witness.until("word of it", ({ lost }) => lost.length === 1);
    await until("a mark in the new epoch", async () => await countMarks() > before);
  }
  const end = await logEnd(server);
  await server.kill();
  await server.putBack();
  await server.restart();
  await writeOn(server, end);
  await witness.until("word of it", ({ lost }) => lost.length === 2);
  const { position: last } = await node.publish("c", event("3"));
  assertNotEquals(last?.epoch, first?.epoch);
});

Deno.test("a server that was recovered from a backup, as a replica that takes over, is told as lost, once", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  const { server } = backend;
  await using a = backend.node();
  await using b = backend.node();
  const witnesses = [await Witness.on(a, ["c"]), await Witness.on(b, ["c"])];
  await publishAll(a, ["1"]);
  await server.save();
  const { position: lost } = await a.publish("c", event("2"));
  for (const witness of witnesses) await witness.until("both", ({ count }) => count === 2);
  await server.kill();
  await server.putBack("recovering");
  await server.restart();
  const { position: other } = await b.publish("c", event("other 2"));
  assertEquals(other?.offset, lost?.offset);
  assertNotEquals(other?.epoch, lost?.epoch);
  for (const witness of witnesses) {
    await witness.until("word of it", () => witness.lost.length > 0);
  }
  await publishAll(a, ["3"]);
  for (const witness of witnesses) {
    await witness.until("the next", () => witness.idsOn("c").includes("3"));
    assertEquals(witness.lost, ["c"]);
  }
});

Deno.test("a server that is set back just when a node has found it as it was numbers in new epochs, too", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  const { server } = backend;
  await using client = server.client({ backoff: false });
  const [started, found] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let atMark = () => Promise.resolve();
  const sql = tapped(client.sql, async (statement, run) => {
    const rows = await run();
    if (statement.includes("_mark")) await atMark();
    return rows;
  });
  await using node = new PostgresBroadcaster({
    sql,
    listen: false,
    schema: "broadcast",
    prefix: "trial",
  });
  const witness = await Witness.on(node, ["c"]);
  await publishAll(node, ["1", "2"]);
  await server.save();
  const { position: lost } = await node.publish("c", event("3"));
  await witness.until("all", ({ count }) => count === 3);
  const end = await logEnd(server);
  await server.kill();
  atMark = async () => {
    atMark = () => Promise.resolve();
    // A node may find a server before the test does.
    await started.promise;
    await server.kill();
    await server.putBack();
    await server.restart();
    await writeOn(server, end);
    await using near = backend.node();
    await publishAll(near, ["other 3", "other 4"]);
    found.resolve();
  };
  await server.restart();
  started.resolve();
  await found.promise;
  await witness.until("word of it", () => witness.lost.length === 1);
  const { position } = await node.publish("c", event("5"));
  assertNotEquals(position?.epoch, lost?.epoch);
});

/** Writes until the server's log has grown past an end that it had before it was set back. */
async function writeOn(server: PostgresServer, end: bigint): Promise<void> {
  await using stranger = server.client();
  await stranger.sql`create table written as select generate_series(1, 9999) as n`;
  while (await logEnd(server) <= end) await stranger.sql`update written set n = n + 1`;
}

/** How far the server's log is written, in bytes. */
async function logEnd(server: PostgresServer): Promise<bigint> {
  await using stranger = server.client();
  const [row] = await stranger.sql`select pg_current_wal_flush_lsn() - '0/0'::pg_lsn as bytes`;
  return BigInt(row?.bytes);
}

Deno.test("files that were set back while no node was alive: the statement in the guide makes new epochs", async () => {
  await using backend = await PostgresBackend.open();
  const { server } = backend;
  const before = backend.node();
  await publishAll(before, ["1", "2"]);
  await server.save();
  const { position: lost } = await before.publish("c", event("3"));
  await before.close();
  await server.kill();
  await server.putBack();
  await server.restart();
  {
    await using stranger = server.client();
    await stranger.sql`update broadcast.trial_store set lineage = ''`;
  }
  await using after = backend.node();
  await using resumed = after.subscribe("c", { after: lost });
  assertEquals((await resumed.ready).recovery, "lost");
  const { position: other } = await after.publish("c", event("4"));
  assertEquals(other?.offset, lost?.offset);
  assertNotEquals(other?.epoch, lost?.epoch);
});

Deno.test("numbers that go back on one channel make a new epoch", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  await using node = backend.node();
  const witness = await Witness.on(node, ["c"]);
  await publishAll(node, ["1", "2", "3"]);
  await witness.until("three", ({ count }) => count === 3);
  await using stranger = backend.server.client();
  await stranger.sql`truncate broadcast.trial_channels, broadcast.trial_events`;
  await publishAll(node, ["4"]);
  await witness.until("word of it", ({ lost }) => lost.length === 1);
  await publishAll(node, ["5", "6"]);
  await witness.until("the last", () => witness.idsOn("c").includes("6"));
});

Deno.test("a channel that is gone after an outage is told as lost, though the log goes on", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  await using node = backend.node();
  const witness = await Witness.on(node, ["c"]);
  await publishAll(node, ["1", "2"]);
  await witness.until("two", ({ count }) => count === 2);
  await using stranger = backend.server.client();
  await stranger.sql`truncate broadcast.trial_channels, broadcast.trial_events`;
  await backend.server.kill();
  await backend.server.restart();
  await witness.until("word of it", ({ lost }) => lost.length === 1);
  await publishAll(node, ["3"]);
  await witness.until("the next", ({ count }) => count === 3);
  const [first, , last] = witness.seen.get("c") ?? [];
  assertNotEquals(last?.position?.epoch, first?.position?.epoch);
  assertEquals(last?.position?.offset, 1);
  assertEquals(witness.lost, ["c"]);
});

Deno.test("events that are gone before they were read are told as lost", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 20 });
  await using node = backend.node();
  const witness = await Witness.on(node, ["c"]);
  await publishAll(node, ["1"]);
  await witness.until("the first", ({ count }) => count === 1);
  await using stranger = backend.server.client();
  await stranger.sql.begin(async (tx) => {
    await tx`select * from broadcast.trial_publish(
      array['c', 'c'], array['2', '3'], array['n', 'n'], array['1', '1'], array[null, null])`;
    await tx`delete from broadcast.trial_events where number > 1`;
  });
  await witness.until("word of it", ({ lost }) => lost.length === 1);
  await publishAll(node, ["4"]);
  await witness.until("the next", () => witness.idsOn("c").includes("4"));
  assertEquals(witness.idsOn("c"), ["1", "4"]);
});

Deno.test("guarantee 3: a commit whose answer was lost is sent again, and stored once", async () => {
  await using backend = await PostgresBackend.open();
  await using near = backend.node();
  await using far = backend.node({ proxied: true });
  const witness = await Witness.on(near, ["c"]);
  await far.publish("c", event("before"));
  await using stranger = backend.server.client();
  const waits = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holder = stranger.sql.begin(async (tx) => {
    await tx`select from broadcast.trial_channels where channel = 'c' for update`;
    locked.resolve();
    await waits.promise;
  });
  await locked.promise;
  const published = far.publish("c", event("once"));
  for (;;) {
    const [waiting] = await stranger.sql`
      select from pg_stat_activity where wait_event_type = 'Lock' and query like '%publish%'`;
    if (waiting !== undefined) break;
  }
  // The statement is with the server, and what it answers will not come through.
  backend.proxy.swallow();
  waits.resolve();
  await holder;
  await witness.until("the event", ({ count }) => count === 2);
  backend.proxy.heal();
  assertEquals((await published).position?.offset, 2);
  await far.publish("c", event("after"));
  await witness.until("the next", ({ count }) => count === 3);
  assertEquals(witness.idsOn("c"), ["before", "once", "after"]);
});

Deno.test("a LISTEN that fell silent is noticed and said again", async () => {
  // Nothing but the bell makes this node look.
  await using backend = await PostgresBackend.open({ pollIntervalMs: 600_000 });
  await using near = backend.node();
  await using far = backend.node({ proxied: true });
  const witness = await Witness.on(far, ["c"]);
  await publishAll(near, ["1"]);
  await witness.until("the first", ({ count }) => count === 1);
  // Then it has nothing more to say by itself.
  await using stranger = backend.server.client();
  await until("its mark", async () => {
    const [row] = await stranger.sql`select max(marks)::int as most from broadcast.trial_nodes`;
    return row?.most === 2;
  });
  // The connection dies of the rings that get lost on their way; nothing else is told of it.
  const ids = Array.from({ length: 20 }, (_, i) => `lost ring ${i}`);
  backend.proxy.swallow();
  await publishAll(near, ids);
  backend.proxy.heal();
  await publishAll(near, ["last"]);
  await witness.until("all", ({ count }) => count === 22);
  assertEquals(witness.idsOn("c"), ["1", ...ids, "last"]);
  assertEquals(witness.lost, []);
});

Deno.test("a server that freezes right after LISTEN is not taken for PgBouncer", async () => {
  await using backend = await PostgresBackend.open({ timeoutMs: 2_000, pollIntervalMs: 600_000 });
  const errors: string[] = [];
  await using far = backend.node({ onError: ({ message }) => errors.push(message) });
  const witness = await Witness.on(far, ["c"]);
  await using stranger = backend.server.client();
  await until("LISTEN", () => isListening(stranger));
  backend.server.freeze();
  // As long as the node takes to ring itself and to hear nothing of it.
  await delay(FREEZE_MS);
  backend.server.thaw();
  await using near = backend.node();
  await near.publish("c", event("heard"));
  await witness.until("it", ({ count }) => count === 1);
  assertEquals(errors, []);
});

Deno.test("a connection that falls silent right after LISTEN is not taken for PgBouncer's", async () => {
  await using backend = await PostgresBackend.open({ pollIntervalMs: 600_000 });
  const errors: string[] = [];
  await using far = backend.node({
    proxied: true,
    onError: ({ message }) => errors.push(message),
  });
  const witness = await Witness.on(far, ["c"]);
  await using stranger = backend.server.client();
  await until("LISTEN", () => isListening(stranger));
  // Only that connection dies, of a ring that gets lost on its way: nothing else is under way.
  backend.proxy.swallow();
  await stranger.sql`select pg_notify('broadcast.trial', '')`;
  await until("the loss of it", () => Promise.resolve(backend.proxy.brokenCount === 1));
  backend.proxy.heal();
  await using near = backend.node();
  await near.publish("c", event("heard"));
  await witness.until("it", ({ count }) => count === 1);
  assertEquals(errors, []);
});

async function isListening({ sql }: Stranger): Promise<boolean> {
  const [row] = await sql`select from pg_stat_activity where query = 'listen "broadcast.trial"'`;
  return row !== undefined;
}

Deno.test("a publish that waits for somebody's lock until its time is over hears of the lock", async () => {
  // Time for two waits, each as long as a publish waits for a lock, and for a part of a third.
  await using backend = await PostgresBackend.open({ timeoutMs: 7_000 });
  await using node = backend.node();
  await node.publish("c", event("before"));
  await using stranger = backend.server.client();
  await stranger.sql.begin(async (tx) => {
    await tx`select from broadcast.trial_channels where channel = 'c' for update`;
    const error = await assertRejects(() => node.publish("c", event("1")), BroadcastPublishError);
    assertEquals(
      error.message,
      'Cannot publish on channel "c": canceling statement due to lock timeout: ' +
        "a transaction holds a lock on these tables and does not end",
    );
  });
  assertEquals(node.health, "up");
});

Deno.test("guarantee 6: what waits for a server is bounded, and what is too much rejects at once", async () => {
  await using node = new PostgresBroadcaster({
    url: `postgres://nobody@127.0.0.1:${freePort()}/none`,
    prefix: "p",
    timeoutMs: 500,
  });
  const data = "x".repeat(1_000_000);
  const outcomes = Array.from(
    { length: 80 },
    (_, i) => assertRejects(() => node.publish("c", event(`${i}`, data)), BroadcastPublishError),
  );
  const causes = (await Promise.all(outcomes)).map(({ cause }) => String(cause));
  const refused = causes.filter((cause) => cause.includes("Too many events wait"));
  assertEquals(refused.length > 0 && refused.length < 20, true, `${refused.length} were refused`);
});

Deno.test("guarantee 10: a lease that was renewed by a clock that was ahead ends in its own time once that is right", async () => {
  await using server = await PostgresServer.start();
  const at = { url: server.url, schema: "broadcast", prefix: "faults" };
  const driver = postgresDriver({ ...at, historySize: 100 });
  const { leases } = driver;
  await using stranger = server.client();
  const renewByClockAhead = async (owner: string) => {
    await leases.write(owner, 2_000, [{ topic: owner, key: "k", value: "1" }]);
    await stranger.sql`update broadcast.faults_leases
      set until = until + interval '1 hour', renewed_at = renewed_at + interval '1 hour'
      where owner = ${owner}`;
  };
  await renewByClockAhead("asked about");
  const remainingMs = (await leases.remainingMs(["asked about"])).get("asked about");
  assert(remainingMs !== undefined && remainingMs <= 2_000, `${remainingMs}`);
  await until(
    "the end of the first",
    async () => (await leases.remainingMs(["asked about"])).size === 0,
  );
  await renewByClockAhead("listed");
  assertEquals((await leases.list("listed")).length, 1);
  await until("the end of the second", async () => (await leases.list("listed")).length === 0);
  await driver.close();
});
