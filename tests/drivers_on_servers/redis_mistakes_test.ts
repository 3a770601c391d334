/** Mistakes that only a real Redis answers. */
import { connect, createServer, type Server } from "node:net";
import { assertFalse, assertMatch, assertRejects } from "@std/assert";
import { BroadcastPublishError } from "../../core/mod.ts";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import { messageOf, mistake } from "../mistakes/mistake.ts";
import { listenOnLoopback } from "../servers/listen_on_loopback.ts";
import { freePort } from "../servers/port.ts";
import { RedisServer } from "./redis_server.ts";

/** The first word on what is wrong: the hook's, or that of a publish. */
async function firstWord(options: Partial<RedisBroadcasterOptions>): Promise<string> {
  const reported = Promise.withResolvers<string>();
  await using broadcaster = new RedisBroadcaster({
    url: undefined,
    prefix: "shop",
    timeoutMs: 5_000,
    heartbeatMs: 1_000,
    onError: ({ message }) => reported.resolve(message),
    ...options,
  });
  const published = messageOf(() => broadcaster.publish("chat", { event: "message", data: 1 }));
  return await Promise.race([reported.promise, published]);
}

/** A Redis that was told something after its start. */
async function told(...command: [string, ...string[]]): Promise<RedisServer> {
  const redis = await RedisServer.start();
  await using operator = redis.stranger();
  await operator.redis.call(...command);
  return redis;
}

mistake(
  "Redis is not there",
  () => firstWord({ url: `redis://127.0.0.1:${freePort()}` }),
);
mistake("A host of Redis that does not exist", () => firstWord({ url: "redis://redis.invalid" }));
mistake("No password for Redis", async () => {
  await using redis = await told("CONFIG", "SET", "requirepass", "secret");
  return await firstWord({ url: redis.url });
});
mistake("A wrong password for Redis", async () => {
  await using redis = await told("CONFIG", "SET", "requirepass", "secret");
  return await firstWord({ url: `redis://:wrong@127.0.0.1:${redis.port}` });
});
mistake("A database that Redis does not have", async () => {
  await using redis = await RedisServer.start();
  return await firstWord({ url: `${redis.url}/99` });
});
mistake("rediss:// to a Redis without TLS", async () => {
  await using redis = await RedisServer.start();
  return await firstWord({ url: redis.url.replace("redis:", "rediss:") });
});
mistake("A user of Redis who may not", async () => {
  await using redis = await told("ACL", "SETUSER", "bob", "on", ">secret", "~other:*", "+@all");
  return await firstWord({ url: `redis://bob:secret@127.0.0.1:${redis.port}` });
});
mistake("A replica of Redis", async () => {
  await using master = await RedisServer.start();
  await using replica = await RedisServer.start("--replicaof", "127.0.0.1", `${master.port}`);
  return await firstWord({ url: replica.url });
});
mistake("A Redis whose memory is used up", async () => {
  await using redis = await RedisServer.start();
  await using operator = redis.stranger();
  await using broadcaster = new RedisBroadcaster({ url: redis.url, prefix: "shop" });
  const publish = () => broadcaster.publish("chat", { event: "message", data: 1 });
  await publish();
  await operator.redis.config("SET", "maxmemory", "1");
  return await messageOf(publish);
});
Deno.test("what Redis refused is printed without the data that it refused", async () => {
  await using redis = await RedisServer.start();
  await using operator = redis.stranger();
  await using broadcaster = new RedisBroadcaster({ url: redis.url, prefix: "shop" });
  const publish = () =>
    broadcaster.publish("chat", { event: "message", data: "nobody's business" });
  await publish();
  await operator.redis.config("SET", "maxmemory", "1");
  const error = await assertRejects(publish, BroadcastPublishError);
  assertMatch(Deno.inspect(error), /OOM/);
  assertFalse(Deno.inspect(error).includes("nobody's business"));
});

Deno.test("every publish whose time is over says what Redis answered, also those that waited for another", async () => {
  await using redis = await told("CONFIG", "SET", "min-replicas-to-write", "1");
  await using broadcaster = new RedisBroadcaster({ url: redis.url, prefix: "a", timeoutMs: 1_500 });
  const publish = () => broadcaster.publish("chat", { event: "message", data: 1 });
  for (const message of await Promise.all([publish, publish, publish].map(messageOf))) {
    assertMatch(message, /NOREPLICAS/);
  }
});

mistake("Redis 6", async () => {
  await using redis = await RedisServer.start();
  await using old = await OldRedis.open(redis.port);
  return await firstWord({ url: old.url });
});

/** A way to a Redis that makes it look like one of version 6. */
class OldRedis implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async open(port: number): Promise<OldRedis> {
    const server = createServer((client) => {
      const redis = connect(port, "127.0.0.1");
      client.pipe(redis);
      redis.on("data", (bytes: Uint8Array) => {
        const text = new TextDecoder("latin1").decode(bytes);
        const at = text.indexOf("redis_version:");
        if (at >= 0) bytes[at + "redis_version:".length] = "6".charCodeAt(0);
        client.write(bytes);
      });
      // Either side may end it at any time.
      for (const [side, other] of [[client, redis], [redis, client]] as const) {
        side.on("error", () => {});
        side.on("close", () => other.destroy());
      }
    });
    return new OldRedis(server, await listenOnLoopback(server));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
