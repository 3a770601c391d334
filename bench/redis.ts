/**
 * What Redis costs beneath us and through us, measured side by side on a server of this run's own:
 *
 *     deno run -A bench/redis.ts
 *
 * - Publishing with history, as a ratio to what `redis-benchmark` gets out of the same script on one
 *   pipelined connection. To reach: 0.5.
 * - From publish to receive, as a ratio to a bare `PUBLISH` to `SUBSCRIBE`. To reach: 2.
 *
 * @module
 */
import { Redis } from "ioredis";
import { RedisBroadcaster } from "../drivers/redis.ts";
import { publishScript } from "../drivers/redis/scripts.ts";
import { findOnPath, findProgram, REDIS } from "../scripts/programs.ts";
import { freePort } from "../tests/servers/port.ts";
import { ServerProcess } from "../tests/servers/server_process.ts";
import { pingRedis } from "../tests/drivers_on_servers/redis_server.ts";

const EVENTS = 50_000;
const IN_FLIGHT = 512;
const ROUND_TRIPS = 2_000;
const ROUNDS = 3;
const DATA = { text: "x".repeat(150) };

const port = freePort();
await using _server = await ServerProcess.start({
  command: findProgram(REDIS) ?? "redis-server",
  args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
  probe: () => pingRedis(port),
});

/** Publishes of the same script in a second, by Redis's own tool. */
async function bareRate(): Promise<number> {
  const redis = new Redis(port, "127.0.0.1");
  const script = publishScript({
    keepStateMs: 604_800_000,
    historySize: 256,
    historyTtlMs: 300_000,
    idWindowMs: 120_000,
    waits: false,
    send: "PUBLISH",
  });
  await redis.script("LOAD", script.lua);
  const run = /^run_id:(\w+)/m.exec(await redis.info("server"))?.[1] ?? "";
  redis.disconnect();
  const keys = ["state", "events", "ids", "ids:older"].map((key) => `bench:{bare}:${key}`);
  const record = `["01JAZ0000000000000000000__","n"]\n${JSON.stringify(DATA)}`;
  const { stdout } = await new Deno.Command(findOnPath("redis-benchmark") ?? "redis-benchmark", {
    args: [
      ...["-p", `${port}`, "-c", "1", "-P", "64", "-n", `${EVENTS}`, "-r", "1000000000000", "-q"],
      ...["EVALSHA", script.sha, "4", ...keys, "epoch", run, "0"],
      ...["bench:{bare}", "__rand_int__", record],
    ],
  }).output();
  const rates = [...new TextDecoder().decode(stdout).matchAll(/([\d.]+) requests per second/g)];
  return Number(rates.at(-1)?.[1]);
}

/** Publishes in a second, each awaited by one of many that are under way at once. */
async function ourRate(): Promise<number> {
  await using node = new RedisBroadcaster({ url: `redis://127.0.0.1:${port}`, prefix: "bench" });
  await node.publish("ours", { event: "n", data: DATA });
  const startedAt = performance.now();
  let left = EVENTS;
  const publish = async () => {
    while (left-- > 0) await node.publish("ours", { event: "n", data: DATA });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, publish));
  return EVENTS / (performance.now() - startedAt) * 1_000;
}

/** Milliseconds from a bare `PUBLISH` to its message, one after the other. */
async function bareLatency(): Promise<number> {
  const [sender, receiver] = [new Redis(port, "127.0.0.1"), new Redis(port, "127.0.0.1")];
  await receiver.subscribe("bench");
  const message = JSON.stringify(DATA);
  const median = await medianOf((received) => {
    receiver.once("message", received);
    return sender.publish("bench", message);
  });
  sender.disconnect();
  receiver.disconnect();
  return median;
}

/** The same from one node to another. */
async function ourLatency(): Promise<number> {
  const options = { url: `redis://127.0.0.1:${port}`, prefix: "bench" };
  await using sender = new RedisBroadcaster(options);
  await using receiver = new RedisBroadcaster(options);
  let onEvent = () => {};
  await new Promise<unknown>((resolve) =>
    receiver.listen("latency", { live: resolve, event: () => onEvent(), lost() {}, ended() {} })
  );
  return await medianOf((received) => {
    onEvent = received;
    return sender.publish("latency", { event: "n", data: DATA });
  });
}

async function medianOf(send: (received: () => void) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const startedAt = performance.now();
    await new Promise<void>((resolve) => {
      send(() => {
        times.push(performance.now() - startedAt);
        resolve();
      });
    });
  }
  return middle(times);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const rounds = { bareRate: [0], ourRate: [0], bareLatency: [0], ourLatency: [0] };
const measures = { bareRate, ourRate, bareLatency, ourLatency };
for (const name of Object.keys(measures) as (keyof typeof measures)[]) rounds[name] = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const name of Object.keys(measures) as (keyof typeof measures)[]) {
    rounds[name].push(await measures[name]());
  }
}
const rate = [middle(rounds.ourRate), middle(rounds.bareRate)] as const;
const latency = [middle(rounds.ourLatency), middle(rounds.bareLatency)] as const;
console.log(`median of ${ROUNDS} rounds, ${DATA.text.length} bytes of data`);
console.log(
  `publish with history: ${rate[0].toFixed(0)}/s, bare EVALSHA ${rate[1].toFixed(0)}/s, ratio ${
    (rate[0] / rate[1]).toFixed(2)
  } (to reach: 0.5)`,
);
console.log(
  `publish to receive: ${latency[0].toFixed(3)} ms, bare PUBLISH ${
    latency[1].toFixed(3)
  } ms, ratio ${(latency[0] / latency[1]).toFixed(2)} (to reach: 2)`,
);
