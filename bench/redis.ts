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
const ROUNDS = 3;
const TURNS = 40;
const ROUND_TRIPS = 200;
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

/**
 * Milliseconds from a bare `PUBLISH` to its message, and from one node to another, each one after the
 * other. By short turns: how soon an idle machine wakes a process changes from second to second.
 */
async function latencies(): Promise<{ readonly bare: number; readonly ours: number }> {
  const [bareSender, bareReceiver] = [new Redis(port, "127.0.0.1"), new Redis(port, "127.0.0.1")];
  await bareReceiver.subscribe("bench");
  const message = JSON.stringify(DATA);
  const options = { url: `redis://127.0.0.1:${port}`, prefix: "bench" };
  await using sender = new RedisBroadcaster(options);
  await using receiver = new RedisBroadcaster(options);
  let onEvent = () => {};
  await new Promise<unknown>((resolve) =>
    receiver.listen("latency", { live: resolve, event: () => onEvent(), lost() {}, ended() {} })
  );
  const [bare, ours]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < TURNS; turn++) {
    await roundTrips(bare, (received) => {
      bareReceiver.once("message", received);
      return bareSender.publish("bench", message);
    });
    await roundTrips(ours, (received) => {
      onEvent = received;
      return sender.publish("latency", { event: "n", data: DATA });
    });
  }
  bareSender.disconnect();
  bareReceiver.disconnect();
  return { bare: middle(bare), ours: middle(ours) };
}

async function roundTrips(
  times: number[],
  send: (received: () => void) => Promise<unknown>,
): Promise<void> {
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const startedAt = performance.now();
    await new Promise<void>((resolve) => {
      send(() => {
        times.push(performance.now() - startedAt);
        resolve();
      });
    });
  }
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const rates: { readonly bare: number[]; readonly ours: number[] } = { bare: [], ours: [] };
for (let round = 0; round < ROUNDS; round++) {
  rates.bare.push(await bareRate());
  rates.ours.push(await ourRate());
}
const rate = [middle(rates.ours), middle(rates.bare)] as const;
const { bare, ours } = await latencies();
console.log(`medians, ${DATA.text.length} bytes of data`);
console.log(
  `publish with history: ${rate[0].toFixed(0)}/s, bare EVALSHA ${rate[1].toFixed(0)}/s, ratio ${
    (rate[0] / rate[1]).toFixed(2)
  } (to reach: 0.5)`,
);
console.log(
  `publish to receive: ${ours.toFixed(3)} ms, bare PUBLISH ${bare.toFixed(3)} ms, ratio ${
    (ours / bare).toFixed(2)
  } (to reach: 2)`,
);
