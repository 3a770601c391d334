import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { Redis } from "ioredis";
import {
  type AnyBroadcastError,
  BroadcastClosedError,
  BroadcastPublishError,
  BroadcastSubscribeError,
  type Position,
} from "../../core/mod.ts";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import { RedisDriver } from "../../drivers/redis/driver.ts";
import { readRedisOptions } from "../../drivers/redis/options.ts";
import { Publisher } from "../drivers/publisher.ts";
import { Witness } from "../drivers/witness.ts";
import { RedisBackend, RedisServer, type Stranger } from "./redis_server.ts";
import { until } from "./until.ts";

const CHANNEL = "c";
const NAME = `faults:{${CHANNEL}}`;

function nodeOn(server: RedisServer, options: Partial<RedisBroadcasterOptions> = {}) {
  return new RedisBroadcaster({ url: server.url, prefix: "faults", ...options });
}

function publish(node: RedisBroadcaster, id: string) {
  return node.publish(CHANNEL, { event: "n", data: id, id });
}

Deno.test("guarantee 2: a Redis that comes back empty is told as lost, and nobody stays deaf", async () => {
  await using server = await RedisServer.start();
  await using a = nodeOn(server);
  await using b = nodeOn(server);
  const witnesses = [await Witness.on(a, [CHANNEL]), await Witness.on(b, [CHANNEL])];
  const { position: before } = await publish(a, "1");
  for (const witness of witnesses) await witness.until("the first", () => witness.count === 1);
  await server.restartEmpty();
  await Promise.all(
    witnesses.map((witness) => witness.until("the loss", () => witness.lost.length > 0)),
  );
  const { position: after } = await publish(b, "2");
  assertEquals(after?.offset, 1);
  assertNotEquals(after?.epoch, before?.epoch);
  for (const witness of witnesses) {
    await witness.until("the event after", () => witness.count === 2);
    assertEquals(witness.idsOn(CHANNEL), ["1", "2"]);
  }
  const resumed = a.subscribe(CHANNEL, { after: before });
  assertEquals((await resumed.ready).recovery, "lost");
});

Deno.test("guarantee 2: what was numbered and lost with the server is told, and no number given twice", async () => {
  await using server = await RedisServer.start("--appendonly", "no");
  await using a = nodeOn(server);
  const witness = await Witness.on(a, [CHANNEL]);
  await publish(a, "kept 1");
  await publish(a, "kept 2");
  {
    await using stranger = server.stranger();
    await stranger.redis.save();
  }
  const { position: lost } = await publish(a, "lost 3");
  await witness.until("the third", () => witness.count === 3);
  await server.kill();
  await server.restart();
  await witness.until("the loss", () => witness.lost.length > 0);
  const { position: after } = await publish(a, "after");
  assertEquals(after?.offset, 3);
  assertNotEquals(after?.epoch, lost?.epoch);
  await witness.until("the event after", () => witness.idsOn(CHANNEL).includes("after"));
  assertEquals(witness.lost, [CHANNEL]);
  // And who had stood behind the lost event is not told that the new one is all there is.
  const resumed = a.subscribe(CHANNEL, { after: lost });
  assertEquals((await resumed.ready).recovery, "lost");
});

Deno.test("guarantee 2: a restart that may have lost writes is told, one that cannot have is not", async () => {
  for (const [fsync, isTold] of [["everysec", true], ["always", false]] as const) {
    await using server = await RedisServer.start("--appendfsync", fsync);
    await using a = nodeOn(server);
    const witness = await Witness.on(a, [CHANNEL]);
    const { position: before } = await publish(a, "before");
    await witness.until("the event before", () => witness.count === 1);
    await server.kill();
    await server.restart();
    if (isTold) await witness.until("the loss", () => witness.lost.length > 0);
    const { position: after } = await publish(a, "after");
    await witness.until("the event after", () => witness.count === 2);
    assertEquals(witness.lost.length > 0, isTold, fsync);
    assertEquals(after?.epoch !== before?.epoch, isTold, fsync);
  }
});

for (const [first, last] of [["everysec", "everysec"], ["always", "everysec"]] as const) {
  Deno.test(`guarantee 2: no number is given twice when a Redis, first on ${first} and last on ${last}, loses writes and comes back on always`, async () => {
    await using server = await RedisServer.start("--appendfsync", first);
    const given: string[] = [];
    const publishAll = async (...ids: readonly string[]) => {
      await using node = nodeOn(server);
      for (const id of ids) given.push(JSON.stringify((await publish(node, id)).position));
    };
    await publishAll("kept 1", "kept 2");
    const size = await server.appendedBytes();
    if (last !== first) {
      await server.kill();
      await server.restart("--appendfsync", last);
    }
    await publishAll("lost 3", "lost 4");
    await server.losePower(size, "--appendfsync", "always");
    await publishAll("after 3", "after 4");
    assertEquals(new Set(given).size, 6, given.join());
  });
}

Deno.test("guarantee 2: no number is given twice where one node has not heard that writes are on disk later now", async () => {
  await using server = await RedisServer.start("--appendfsync", "always");
  await using unaware = nodeOn(server);
  await publish(unaware, "1");
  {
    await using stranger = server.stranger();
    await stranger.redis.config("SET", "appendfsync", "everysec");
    await using aware = nodeOn(server);
    await publish(aware, "2");
  }
  await publish(unaware, "3");
  const size = await server.appendedBytes();
  const { position: lost } = await publish(unaware, "lost 4");
  await server.losePower(size);
  const { position: after } = await publish(unaware, "after 4");
  assertEquals(after?.offset, lost?.offset);
  assertNotEquals(after?.epoch, lost?.epoch);
});

Deno.test("guarantee 2: that writes are on disk later now is noticed on a connection that stays", async () => {
  await using server = await RedisServer.start("--appendfsync", "always");
  await using stranger = server.stranger();
  await using a = nodeOn(server, { heartbeatMs: 200 });
  await publish(a, "1");
  assertEquals(await stranger.redis.hget(`${NAME}:state`, "durable"), "1");
  await stranger.redis.config("SET", "appendfsync", "everysec");
  let kept = 1;
  await until("the notice", async () => {
    await publish(a, `${++kept}`);
    return await stranger.redis.hget(`${NAME}:state`, "durable") === "0";
  });
  const size = await server.appendedBytes();
  const { position: lost } = await publish(a, "lost");
  await server.losePower(size);
  const { position: after } = await publish(a, "after");
  assertEquals(after?.offset, lost?.offset);
  assertNotEquals(after?.epoch, lost?.epoch);
});

Deno.test("guarantee 2: a node that has seen more than is left ends the epoch", async () => {
  await using server = await RedisServer.start();
  await using a = nodeOn(server);
  const witness = await Witness.on(a, [CHANNEL]);
  await publish(a, "1");
  const { position: seen } = await publish(a, "2");
  await witness.until("both", () => witness.count === 2);
  await using stranger = server.stranger();
  await stranger.redis.hset(`${NAME}:state`, "top", 1);
  await stranger.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
  await witness.until("the loss", () => witness.lost.length > 0);
  const { position: after } = await publish(a, "3");
  assertEquals(after?.offset, 2);
  assertNotEquals(after?.epoch, seen?.epoch);
  await witness.until("the event after", () => witness.idsOn(CHANNEL).includes("3"));
});

Deno.test("guarantee 8: what a stranger sends on our channels is reported, and changes nothing", async () => {
  await using server = await RedisServer.start();
  const errors: AnyBroadcastError[] = [];
  await using a = nodeOn(server, { maxEventBytes: 1_000, onError: (error) => errors.push(error) });
  const witness = await Witness.on(a, [CHANNEL]);
  const { position } = await publish(a, "1");
  const head = '["x","n"]';
  const hostile = [
    "",
    "\n\n\n",
    "2 e 2\n" + head + "\n1",
    "1 e\n" + head + "\n1",
    `1 ${position?.epoch} 2 3\n${head}\n1`,
    `1 ${position?.epoch} -2\n${head}\n1`,
    `1 ${position?.epoch} 2e3\n${head}\n1`,
    `1 ${position?.epoch} 9007199254740993\n${head}\n1`,
    `1 ${position?.epoch} 2\n["x"]\n1`,
    `1 ${position?.epoch} 2\n["x","n","y","z"]\n1`,
    `1 ${position?.epoch} 2\n{"__proto__":{}}\n1`,
    `1 ${position?.epoch} 2\n["x","n\\u0000"]\n1`,
    `1 ${position?.epoch} 2\n${head}\n{"a":1},"t":"welcome"`,
    `1 ${position?.epoch} 2\n${head}\n1\n2`,
    `1 ${position?.epoch} 2\n${head}\n"${"x".repeat(1_000)}"`,
    `1 ${position?.epoch} 2\n${head}\n"${"x".repeat(100_000)}"`,
    // Well made, but not true: another epoch, and numbers that were never given.
    `1 another-epoch 2\n${head}\n1`,
    `1 ${position?.epoch} 9007199254740991\n${head}\n1`,
    `1\n${head}\n1`,
  ];
  await using stranger = server.stranger();
  for (const [i, message] of hostile.entries()) {
    assertEquals(await stranger.redis.publish(NAME, message), 1);
    await until(`report ${i + 1}`, () => Promise.resolve(errors.length > i));
    assertEquals(errors[i]?.context, { channel: CHANNEL });
  }
  const { position: after } = await publish(a, "2");
  assertEquals(after, { epoch: position?.epoch, offset: 2 } as Position);
  await witness.until("the event after", () => witness.count === 2);
  assertEquals(witness.idsOn(CHANNEL), ["1", "2"]);
  assertEquals(witness.lost, []);
  assertEquals(errors.length, hostile.length);
});

Deno.test("guarantee 8: what a stranger writes into the history is reported and told as lost", async () => {
  await using server = await RedisServer.start();
  const errors: AnyBroadcastError[] = [];
  await using a = nodeOn(server, { onError: (error) => errors.push(error) });
  const { position: first } = await publish(a, "1");
  await publish(a, "2");
  await using stranger = server.stranger();
  const entries = await stranger.redis.xrange(`${NAME}:events`, "-", "+");
  const [id = ""] = entries.at(-1) ?? [];
  await stranger.redis.xdel(`${NAME}:events`, id);
  await stranger.redis.xadd(`${NAME}:events`, `${id.split("-")[0]}-9`, "r", "nonsense");
  const resumed = a.subscribe(CHANNEL, { after: first });
  assertEquals((await resumed.ready).recovery, "lost");
  assert(errors.some(({ message }) => message.includes("none of ours")));
});

Deno.test("guarantee 3: an id is known as long as its event is stored, and for its window at least", async () => {
  await using server = await RedisServer.start();
  await using a = nodeOn(server, { historySize: 2 });
  const receipts = [];
  for (const id of ["1", "2", "3", "4", "5"]) receipts.push(await publish(a, id));
  for (const id of ["1", "5"]) {
    assertEquals(await publish(a, id), receipts[Number(id) - 1]);
  }
  assertEquals((await publish(a, "6")).position?.offset, 6);
});

Deno.test("guarantee 3: an id is known whenever the ids before it are put aside", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  // So short that they are put aside with every third event, or soon after it.
  await using a = nodeOn(server, { historySize: 2, idWindowMs: 1 });
  let last = await publish(a, "0");
  for (let i = 1; i <= 200; i++) {
    const next = await publish(a, `${i}`);
    assertEquals(await publish(a, `${i - 1}`), last);
    last = next;
  }
  assertEquals(last.position?.offset, 201);
  assert(await stranger.redis.exists(`${NAME}:ids:older`) === 1, "none was put aside");
});

Deno.test("guarantee 3: no event outlives its id in a stream that Redis trims a hundred at a time", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  await using a = nodeOn(server, { historySize: 10, idWindowMs: 1 });
  for (let i = 1; i <= 90; i++) await publish(a, `${i}`);
  const stored = await stranger.redis.xrange(`${NAME}:events`, "-", "+");
  assert(stored.length >= 10, `${stored.length} events are stored`);
  for (const [entry] of stored) {
    const offset = Number(entry.split("-")[1]);
    assertEquals((await publish(a, `${offset}`)).position?.offset, offset);
  }
});

for (const option of ["historyTtlMs", "idWindowMs"] as const) {
  Deno.test(`a channel's position lives as long as what is stored, also with ${option} of ten days`, async () => {
    await using server = await RedisServer.start();
    await using stranger = server.stranger();
    const tenDaysMs = 10 * 24 * 60 * 60_000;
    await using a = nodeOn(server, { [option]: tenDaysMs });
    await publish(a, "1");
    const endOf = async (key: string) =>
      Number(await stranger.redis.call("PEXPIRETIME", `${NAME}:${key}`));
    const ends = { events: await endOf("events"), ids: await endOf("ids") };
    const longest = Math.max(ends.events, ends.ids);
    assert(longest > Date.now() + tenDaysMs - 60_000, "what is stored lives shorter");
    assert(await endOf("state") >= longest, "what is stored lives on");
  });
}

Deno.test("a channel's history is trimmed by age and by count, its position outlives it", async () => {
  await using server = await RedisServer.start();
  await using a = nodeOn(server, { historyTtlMs: 300, historySize: 10 });
  const { position } = await publish(a, "1");
  await using stranger = server.stranger();
  await until(
    "the end of the history",
    async () => await stranger.redis.exists(`${NAME}:events`) === 0,
  );
  const lost = a.subscribe(CHANNEL, { after: { epoch: position?.epoch ?? "", offset: 0 } });
  assertEquals((await lost.ready).recovery, "lost");
  // Nothing is stored, and nothing happened since: that is told apart.
  const whole = a.subscribe(CHANNEL, { after: position });
  assertEquals((await whole.ready).recovery, "ok");
  for (let i = 2; i < 500; i++) await publish(a, `${i}`);
  // Redis drops a hundred at a time, which is cheaper.
  const stored = await stranger.redis.xlen(`${NAME}:events`);
  assert(stored >= 10 && stored <= 110, `${stored} events are stored`);
  for (const key of await stranger.redis.keys("*")) {
    assert(await stranger.redis.pttl(key) > 0, `${key} stays for ever`);
  }
});

/** As the server's clock had written it that was an hour ahead, and is right again. */
async function putAhead({ redis }: Stranger): Promise<void> {
  const ahead = Date.now() + 60 * 60_000;
  await redis.hset(`${NAME}:state`, { at: ahead, bornAt: ahead });
  const entries = await redis.xrange(`${NAME}:events`, "-", "+");
  await redis.del(`${NAME}:events`);
  for (const [entry, fields] of entries) {
    await redis.xadd(`${NAME}:events`, `${ahead}-${entry.split("-")[1]}`, ...fields);
  }
}

Deno.test("guarantee 1: a clock that was set back puts no event before the last one", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  await using a = nodeOn(server);
  const { position: first } = await publish(a, "1");
  await putAhead(stranger);
  await publish(a, "2");
  await publish(a, "3");
  const resumed = a.subscribe(CHANNEL, { after: { epoch: first?.epoch ?? "", offset: 0 } });
  assertEquals((await resumed.ready).recovery, "ok");
  const ids: string[] = [];
  for await (const { id } of resumed) {
    if (ids.push(id) === 3) break;
  }
  assertEquals(ids, ["1", "2", "3"]);
});

Deno.test("guarantee 2: a clock that was ahead does not make a replica look as if it had been there all the time", async () => {
  await using master = await RedisServer.start("--repl-diskless-sync-delay", "0");
  await using older = await RedisServer.start("--replicaof", "127.0.0.1", `${master.port}`);
  const options = { waitForReplicas: 1, timeoutMs: 20_000 };
  await using before = nodeOn(master, options);
  const { position: seen } = await publish(before, "before");
  {
    await using stranger = master.stranger();
    await putAhead(stranger);
  }
  await using younger = await RedisServer.start(
    ...["--replicaof", "127.0.0.1", `${master.port}`, "--repl-diskless-sync-delay", "0"],
  );
  await using stranger = younger.stranger();
  await until("a copy", async () => await stranger.redis.exists(`${NAME}:state`) === 1);
  await stranger.redis.replicaof("NO", "ONE");
  {
    await using operator = older.stranger();
    await operator.redis.replicaof("127.0.0.1", younger.port);
  }
  await using after = nodeOn(younger, options);
  const { position: next } = await publish(after, "after");
  assertNotEquals(next?.epoch, seen?.epoch);
});

Deno.test("guarantee 10: a lease that was renewed by a clock that was ahead ends in its own time once that is right", async () => {
  await using server = await RedisServer.start();
  const driver = new RedisDriver(readRedisOptions({ url: server.url, prefix: "faults" }));
  const { leases } = driver;
  await using stranger = server.stranger();
  for (const owner of ["asked about", "listed"]) {
    await leases.write(owner, 1_000, [{ topic: owner, key: "k", value: "1" }]);
    await stranger.redis.zincrby("faults:{!leases}:owners", 3_600_000, owner);
  }
  const remaining = await leases.remainingMs(["asked about"]);
  assertEquals(remaining.get("asked about"), 1_000);
  await until(
    "the end of the first",
    async () => (await leases.remainingMs(["asked about"])).size === 0,
  );
  await until("the end of the second", async () => (await leases.list("listed")).length === 0);
  await driver.close();
});

Deno.test("ids are put aside also after the clock was set back", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  await using a = nodeOn(server, { historySize: 2, idWindowMs: 1 });
  await publish(a, "0");
  await putAhead(stranger);
  for (let i = 1; i <= 200; i++) await publish(a, `${i}`);
  assert(await stranger.redis.hlen(`${NAME}:ids`) < 100, "none was put aside");
});

for (const fate of ["after the clock was set back", "when what was stored is evicted"]) {
  Deno.test(`every key expires, also ${fate}`, async () => {
    await using server = await RedisServer.start();
    await using stranger = server.stranger();
    await using a = nodeOn(server);
    await publish(a, "1");
    if (fate.includes("clock")) await putAhead(stranger);
    await stranger.redis.del(`${NAME}:events`, `${NAME}:ids`);
    await publish(a, "2");
    const keys = await stranger.redis.keys("*");
    assertEquals(keys.length, 3);
    for (const key of keys) assert(await stranger.redis.pttl(key) > 0, `${key} stays for ever`);
  });
}

Deno.test("guarantee 9: a client that was handed in is neither used, nor connected, nor closed", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  const client = new Redis(server.port, "127.0.0.1", { lazyConnect: true, keyPrefix: "theirs:" });
  const node = new RedisBroadcaster({ client, prefix: "faults" });
  await publish(node, "1");
  assertEquals(client.status, "wait");
  assertEquals(await stranger.redis.exists(`${NAME}:state`), 1);
  await client.connect();
  await node.close();
  assertEquals(await client.ping(), "PONG");
  await until("the end of our connections", () => hasConnections(stranger, 2));
  const ended = new Promise((resolve) => client.once("end", resolve));
  client.disconnect();
  await ended;
});

Deno.test("guarantee 12: a publish whose answer is lost is tried again, and is one event", async () => {
  await using backend = await RedisBackend.open();
  await using direct = backend.node();
  await using proxied = backend.node({ proxied: true });
  const witness = await Witness.on(direct, [CHANNEL]);
  const publisher = new Publisher(proxied, "p", [CHANNEL]);
  for (let round = 0; round < 10; round++) {
    await publisher.more(20);
    backend.proxy.cut();
  }
  await publisher.stop();
  assertEquals(publisher.failures, []);
  const resolved = publisher.resolved.get(CHANNEL) ?? [];
  await witness.until("all", () => witness.count >= resolved.length);
  assertEquals(witness.idsOn(CHANNEL).toSorted(), resolved.toSorted());
});

async function hasConnections(stranger: Stranger, count: number): Promise<boolean> {
  const list = String(await stranger.redis.client("LIST"));
  return list.trim().split("\n").length === count;
}

Deno.test("publishes that are under way when a node is closed reject at once, and as those after it", async () => {
  await using server = await RedisServer.start();
  const node = nodeOn(server, { timeoutMs: 600_000, heartbeatMs: 600_000 });
  await publish(node, "1");
  server.freeze();
  // One waits for Redis, and two for that one.
  const publishing = ["2", "3", "4"].map((id) =>
    assertRejects(() => deadline(publish(node, id), 60_000), BroadcastClosedError)
  );
  await node.close();
  const errors = [
    ...await Promise.all(publishing),
    await assertRejects(() => publish(node, "5"), BroadcastClosedError),
  ];
  assertEquals(new Set(errors.map(({ message }) => message)).size, 1);
  assertEquals(
    errors.map(({ context }) => context),
    [...["2", "3", "4"].map((id) => ({ channel: CHANNEL, id })), {}],
  );
});

Deno.test("why health is down is told, also where the server only closed the connection", async () => {
  await using server = await RedisServer.start();
  await using stranger = server.stranger();
  const reasons: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await using node = nodeOn(server, {
    onHealth: ({ new: state, cause }) => {
      if (state === "down") reasons.push(String(cause));
      if (state === "up" && reasons.length > 0) resolve();
    },
  });
  await Witness.on(node, [CHANNEL]);
  await stranger.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
  await promise;
  assertEquals(reasons, ["Error: The connection was closed"]);
});

Deno.test("guarantee 12: a subscription to a Redis that is frozen rejects in its time, however seldom it is asked whether it answers", async () => {
  await using server = await RedisServer.start();
  await using node = new RedisBroadcaster({
    url: server.url,
    prefix: "faults",
    timeoutMs: 2_000,
    heartbeatMs: 600_000,
  });
  await publish(node, "1");
  server.freeze();
  await assertRejects(
    () => deadline(node.subscribe("c").ready, 60_000),
    BroadcastSubscribeError,
    "No answer within 2000 ms",
  );
});

Deno.test("guarantee 2: where replicas are waited for and none is there, publishes say so, the connection stays, and all works when one comes", async () => {
  await using server = await RedisServer.start("--repl-diskless-sync-delay", "0");
  const states: string[] = [];
  await using node = new RedisBroadcaster({
    url: server.url,
    prefix: "faults",
    waitForReplicas: 1,
    timeoutMs: 2_500,
    heartbeatMs: 1_000,
    onHealth: ({ new: state }) => states.push(state),
  });
  for (const id of ["1", "2"]) {
    const error = await assertRejects(() => publish(node, id), BroadcastPublishError);
    assertMatch(error.message, /: 0 of 1 replicas have it/);
  }
  assertEquals(states, ["up"]);
  await using _replica = await RedisServer.start("--replicaof", `127.0.0.1 ${server.port}`);
  await until("a replica", async () => {
    const outcome = await publish(node, "1").catch(() => undefined);
    return outcome !== undefined;
  });
  assertEquals(states, ["up"]);
});
