/**
 * 2,000 clients on 50 channels lose their node at once and come back to another: how long until the
 * last one is live again, where the node said when to come (`bye`) and where it just died.
 * `deno run -A bench/storm.ts`. Needs `redis-server` on the PATH.
 */
import { delay } from "@std/async";
import { BroadcastClient } from "@airwave/broadcast/client";
import { RedisServer } from "../tests/drivers_on_servers/redis_server.ts";
import { FlakySocket } from "../tests/jitter/flaky_socket.ts";
import { NodeProcess } from "../tests/nodes/node_process.ts";

const CLIENTS = 2_000;
const CHANNELS = 50;
const CHANNELS_PER_CLIENT = 4;
const MISSED = 100;

const nameOf = (channel: number) => `storm.${channel % CHANNELS}`;

interface Outcome {
  readonly lastMs: number;
  readonly medianMs: number;
  readonly lost: number;
  readonly delivered: number;
}

async function storm(end: (node: NodeProcess) => Promise<unknown>): Promise<Outcome> {
  await using redis = await RedisServer.start();
  const config = { driver: "redis", url: redis.url, name: "storm" } as const;
  await using a = await NodeProcess.start(config);
  await using b = await NodeProcess.start(config);
  let node = a;
  let [lost, delivered, startedAtMs] = [0, 0, 0];
  const backMs: number[] = [];
  const allBack = Promise.withResolvers<void>();
  const clients = Array.from({ length: CLIENTS }, (_, i) => {
    const client = new BroadcastClient({
      url: a.url(),
      webSocketFactory: () => new FlakySocket(`${node.url()}?v=2`),
    });
    let live = 0;
    const channels = Array.from({ length: CHANNELS_PER_CLIENT }, (_, j) => {
      const channel = client.channel(nameOf(i + j * 7));
      channel.on("*", () => delivered++);
      channel.onLost(() => lost++);
      return channel;
    });
    client.on("subscribed", () => {
      if (node === a || ++live < CHANNELS_PER_CLIENT) return;
      if (backMs.push(performance.now() - startedAtMs) === CLIENTS) allBack.resolve();
    });
    return { client, ready: Promise.all(channels.map(({ ready }) => ready)) };
  });
  await Promise.all(clients.map(({ ready }) => ready));
  node = b;
  startedAtMs = performance.now();
  const ended = end(a);
  for (let number = 0; number < MISSED; number++) {
    const event = { event: "tick", data: number };
    await b.ask({ do: "publish", channel: nameOf(number), event });
  }
  await Promise.all([ended, allBack.promise]);
  // What the last ones missed is on its way.
  await delay(2_000);
  for (const { client } of clients) client.disconnect();
  backMs.sort((x, y) => x - y);
  return {
    lastMs: Math.round(backMs.at(-1) ?? NaN),
    medianMs: Math.round(backMs[CLIENTS / 2] ?? NaN),
    lost,
    delivered,
  };
}

/** How many deliveries there are to make. */
const expected = MISSED / CHANNELS * CLIENTS * CHANNELS_PER_CLIENT;

for (
  const [what, end] of [
    ["with bye", (node: NodeProcess) => node.ask({ do: "drain" })],
    ["killed, without bye", (node: NodeProcess) => node.kill()],
  ] as const
) {
  const { lastMs, medianMs, lost, delivered } = await storm(end);
  console.log(
    `${what}: last of ${CLIENTS} live after ${lastMs} ms (median ${medianMs}), ` +
      `lost ${lost}, delivered ${delivered} of ${expected}`,
  );
}
