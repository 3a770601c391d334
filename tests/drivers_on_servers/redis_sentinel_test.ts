import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Redis } from "ioredis";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import { REDIS_SENTINEL } from "../../scripts/programs.ts";
import { Publisher } from "../drivers/publisher.ts";
import { Witness } from "../drivers/witness.ts";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";
import { pathOf } from "../servers/path_of.ts";
import { pingRedis, RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

const CHANNELS = ["a", "b"];

/** More than the kernel holds of a connection that nobody reads. */
const FILLER = { writes: 48, bytes: 1_000_000 };

/** A master, its replica, and a sentinel that watches over both. */
class SentinelBackend implements AsyncDisposable {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly #sentinel: ServerProcess;
  readonly #port: number;
  readonly #folder: string;

  private constructor(
    master: RedisServer,
    replica: RedisServer,
    sentinel: ServerProcess,
    port: number,
    folder: string,
  ) {
    this.master = master;
    this.replica = replica;
    this.#sentinel = sentinel;
    this.#port = port;
    this.#folder = folder;
  }

  static async open(): Promise<SentinelBackend> {
    const master = await RedisServer.start("--repl-diskless-sync-delay", "0");
    const replica = await RedisServer.start("--replicaof", `127.0.0.1 ${master.port}`);
    const [port, folder] = [freePort(), await Deno.makeTempDir({ prefix: "airwave-sentinel-" })];
    await Deno.writeTextFile(
      `${folder}/sentinel.conf`,
      [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${folder}`,
        `sentinel monitor ours 127.0.0.1 ${master.port} 1`,
        "sentinel down-after-milliseconds ours 1000",
        "sentinel failover-timeout ours 3000",
        "",
      ].join("\n"),
    );
    const sentinel = await ServerProcess.start({
      command: pathOf(REDIS_SENTINEL),
      args: [`${folder}/sentinel.conf`],
      probe: () => pingRedis(port),
    });
    const backend = new SentinelBackend(master, replica, sentinel, port, folder);
    await backend.#untilWatched();
    return backend;
  }

  node(options: Partial<RedisBroadcasterOptions> = {}): RedisBroadcaster {
    const client = new Redis({
      sentinels: [{ host: "127.0.0.1", port: this.#port }],
      name: "ours",
      lazyConnect: true,
    });
    return new RedisBroadcaster({ client, prefix: "sentinel", historySize: 10_000, ...options });
  }

  /** The master dies, and the replica goes on from what it has. */
  async failOver(): Promise<void> {
    await this.master.kill();
    this.replica.thaw();
    await until("the promotion", async () => {
      // One for each look: the promotion ends all connections.
      await using stranger = this.replica.stranger();
      return String(await stranger.redis.role().catch(() => "")).startsWith("master");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sentinel.kill();
    await this.replica[Symbol.asyncDispose]();
    await this.master[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #untilWatched(): Promise<void> {
    const sentinel = new Redis(this.#port, "127.0.0.1");
    await using master = this.master.stranger();
    await until("a watched replica", async () => {
      const seen = String(await sentinel.call("SENTINEL", "REPLICAS", "ours"));
      return seen.includes(String(this.replica.port)) &&
        String(await master.redis.role()).includes(String(this.replica.port));
    });
    // A younger one could not prove that it has been there all the time.
    await using replica = this.replica.stranger();
    await until("a replica of some age", async () => {
      const uptime = /uptime_in_seconds:(\d+)/.exec(await replica.redis.info("server"))?.[1];
      return Number(uptime) >= 2;
    });
    const ended = new Promise((resolve) => sentinel.once("end", resolve));
    sentinel.disconnect();
    await ended;
  }
}

/**
 * The replica stops reading. What the kernel has of the connection it still gets, so a stranger's
 * writes fill that first.
 */
async function lag(backend: SentinelBackend): Promise<void> {
  backend.replica.freeze();
  await using stranger = backend.master.stranger();
  const filler = "x".repeat(FILLER.bytes);
  for (let i = 0; i < FILLER.writes; i++) await stranger.redis.set("filler", filler);
}

Deno.test("guarantee 2: a fail-over to a replica that lags is told, no number means two events, nobody is deaf", async () => {
  await using backend = await SentinelBackend.open();
  await using a = backend.node();
  await using b = backend.node();
  const witnesses = [await Witness.on(a, CHANNELS), await Witness.on(b, CHANNELS)];
  const publishers = [a, b].map((node, i) => new Publisher(node, `p${i}`, CHANNELS));
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await lag(backend);
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  const before = publishers.map(({ resolvedCount }) => resolvedCount);
  await backend.failOver();
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  assert(before.every((count) => count >= 100));
  const meanings = new Map<string, string>();
  for (const witness of witnesses) {
    await witness.until("the loss on every channel", () => new Set(witness.lost).size === 2);
    for (const channel of CHANNELS) {
      for (const { id, position } of witness.seen.get(channel) ?? []) {
        const place = `${channel} ${position?.epoch} ${position?.offset}`;
        assertEquals(meanings.get(place) ?? id, id, `two events at ${place}`);
        meanings.set(place, id);
      }
    }
  }
  for (const [i, channel] of CHANNELS.entries()) {
    await (i === 0 ? a : b).publish(channel, { event: "n", data: null, id: "last" });
    for (const witness of witnesses) {
      await witness.until("the last", () => witness.idsOn(channel).includes("last"));
    }
  }
});

Deno.test("guarantee 2: a promoted replica gives no number again, also where nobody saw it given", async () => {
  await using backend = await SentinelBackend.open();
  await using node = backend.node();
  await node.publish("a", { event: "n", data: null, id: "kept" });
  await using master = backend.master.stranger();
  await until("a copy", async () => await master.redis.wait(1, 100) === 1);
  await lag(backend);
  const { position: lost } = await node.publish("a", { event: "n", data: null, id: "lost" });
  await backend.failOver();
  const { position: after } = await node.publish("a", { event: "n", data: null, id: "after" });
  assertEquals([lost?.offset, after?.offset], [2, 2]);
  assertNotEquals(after?.epoch, lost?.epoch);
});

Deno.test("guarantee 2: where replicas are waited for, a fail-over loses nothing that resolved", async () => {
  await using backend = await SentinelBackend.open();
  const options = { waitForReplicas: 1, timeoutMs: 1_000 };
  await using a = backend.node(options);
  await using b = backend.node(options);
  const witnesses = [await Witness.on(a, CHANNELS), await Witness.on(b, CHANNELS)];
  const publishers = [a, b].map((node, i) => new Publisher(node, `p${i}`, CHANNELS));
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await lag(backend);
  const resolved = publishers.map(({ resolvedCount }) => resolvedCount);
  // Nothing resolves any more: each of these has waited in vain for a replica.
  const failed = publishers.map(({ failures }) => failures.length);
  await until(
    "failures",
    () =>
      Promise.resolve(
        publishers.every(({ failures }, i) => failures.length > (failed[i] ?? 0) + 8),
      ),
  );
  await backend.failOver();
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  assertEquals(publishers.map(({ resolvedCount }) => resolvedCount), resolved);
  // A replica of the new master, so that publishes can resolve again.
  await using fresh = await RedisServer.start("--replicaof", `127.0.0.1 ${backend.replica.port}`);
  await until("a replica that has everything", async () => {
    await using stranger = fresh.stranger();
    return String(await stranger.redis.role()).includes("connected");
  });
  const again = [a, b].map((node, i) => new Publisher(node, `q${i}`, CHANNELS));
  await Promise.all(again.map((publisher) => publisher.more(50)));
  await Promise.all(again.map((publisher) => publisher.stop()));
  for (const witness of witnesses) {
    for (const publisher of [...publishers, ...again]) {
      for (const [channel, ids] of publisher.resolved) {
        await witness.until(`all on ${channel}`, () => {
          const seen = new Set(witness.idsOn(channel));
          return ids.every((id) => seen.has(id));
        });
      }
    }
    assertEquals(witness.lost, []);
    for (const channel of CHANNELS) {
      const offsets = witness.seen.get(channel)?.map(({ position }) => position?.offset) ?? [];
      assertEquals(offsets, offsets.map((_, i) => i + 1));
    }
  }
});
