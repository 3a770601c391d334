/**
 * The chat as two nodes over one Redis. `deno task demo:redis` runs it: node A serves the page at
 * http://localhost:8000, node B on the next port, and B says what the server itself has to say. Kill
 * one: it is back after five seconds.
 *
 * @module
 */
import { Nodes } from "./nodes.ts";
import { PrivateRedis } from "./private_redis.ts";
import { readSettings } from "./settings.ts";

/** Time to see what is shown while a node is away. */
const RESTART_DELAY_MS = 5_000;
const RADIO_INTERVAL_MS = 2_000;

const { port, redisUrl } = readSettings();
const ended = Promise.withResolvers<void>();
Deno.addSignalListener("SIGINT", ended.resolve);
Deno.addSignalListener("SIGTERM", ended.resolve);

await using redis = redisUrl === undefined ? await PrivateRedis.start() : undefined;
const url = redisUrl ?? redis?.url ?? "";
console.log(redis?.description ?? `Redis: yours at ${new URL(url).host}`);

await using nodes = new Nodes(url, RESTART_DELAY_MS);
// With port 0 both take any.
nodes.run({ name: "A", port, radioIntervalMs: 0 });
nodes.run({ name: "B", port: port === 0 ? 0 : port + 1, radioIntervalMs: RADIO_INTERVAL_MS });
await ended.promise;
