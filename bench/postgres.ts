/**
 * What publishing and receiving over PostgreSQL cost, beside what the same server does under its own
 * tool in the same run:
 *
 *     deno run -A bench/postgres.ts
 *
 * - Publishing on as many nodes as `pgbench` has connections, each awaiting one publish before the
 *   next, as a ratio to what `pgbench` gets out of the same statement with the same durability. The
 *   nodes are in one process, as the clients of `pgbench` are, and call one another after their
 *   commits, which `pgbench` does not. To reach: 0.5.
 * - The same with every node subscribed to every channel, which `pgbench` has no part of: each event
 *   is also read four times.
 * - One node with many publishes under way, which go to the server in batches.
 * - From publish to receive on an idle server. To reach: 10 ms.
 *
 * Rounds are interleaved, as a machine is not equally fast all the time.
 *
 * @module
 */
import { PostgresBroadcaster, postgresMigration } from "../drivers/postgres.ts";
import { findProgram, POSTGRES } from "../scripts/programs.ts";
import { PostgresServer } from "../tests/drivers_on_servers/postgres_server.ts";

const ROUNDS = 5;
const SECONDS = 2;
const CONNECTIONS = 4;
const CHANNELS = 20;
const CONCURRENT = 256;
const SAMPLES = 500;
const WHERE = { schema: "bench", prefix: "b" };
const DATA = { text: "x".repeat(150) };

/** Publishes until the time is over, on channels at random; the events a second that were stored. */
async function publishRate(nodes: readonly PostgresBroadcaster[], perNode: number) {
  let stored = 0;
  const publish = async (node: PostgresBroadcaster, until: number) => {
    while (performance.now() < until) {
      const channel = 1 + Math.floor(Math.random() * CHANNELS);
      await node.publish(`c.${channel}`, { event: "n", data: DATA });
      stored++;
    }
  };
  const run = async (ms: number) => {
    stored = 0;
    const startedAt = performance.now();
    const publishers = nodes.flatMap((node) => Array<PostgresBroadcaster>(perNode).fill(node));
    await Promise.all(publishers.map((node) => publish(node, startedAt + ms)));
    return stored / ((performance.now() - startedAt) / 1_000);
  };
  await run(500);
  return await run(SECONDS * 1_000);
}

/** The same statement for one event, as fast as pgbench sends it. */
async function pgbenchRate() {
  const script = `${folder}/publish.sql`;
  await Deno.writeTextFile(
    script,
    `\\set n random(1, ${CHANNELS})
select * from bench.b_publish(array['c.' || :n], array[gen_random_uuid()::text], array['n'],
  array['${JSON.stringify(DATA)}'], array[null]);
`,
  );
  const { stdout, stderr } = await new Deno.Command(
    Deno.realPathSync(findProgram(POSTGRES) ?? "postgres").replace(/[^/]*$/, "pgbench"),
    {
      args: [
        ...["-n", "-M", "prepared", "-c", `${CONNECTIONS}`, "-j", "1", "-T", `${SECONDS}`],
        ...["-f", script, server.url],
      ],
    },
  ).output();
  const [, rate] = /tps = ([\d.]+)/.exec(new TextDecoder().decode(stdout)) ?? [];
  if (rate === undefined) throw new Error(`pgbench: ${new TextDecoder().decode(stderr)}`);
  return Number(rate);
}

/** From the call of publish on one node to the listener on another, in milliseconds. */
async function latencies() {
  await using a = open();
  await using b = open();
  const samples: number[] = [];
  await using subscription = b.subscribe("latency");
  await subscription.ready;
  for (let i = 0; i < SAMPLES; i++) {
    const startedAt = performance.now();
    const [{ done }] = await Promise.all([
      subscription.next().then((next) => {
        samples.push(performance.now() - startedAt);
        return next;
      }),
      a.publish("latency", { event: "n", data: DATA }),
    ]);
    if (done) throw new Error("The subscription ended");
  }
  samples.sort((x, y) => x - y);
  return { median: samples[SAMPLES >> 1] ?? 0, p99: samples[Math.floor(SAMPLES * 0.99)] ?? 0 };
}

function open(): PostgresBroadcaster {
  return new PostgresBroadcaster({ url: server.url, ...WHERE });
}

/** What nodes of this round's own come to. */
async function ourRate(count: number, perNode: number, subscribed: boolean) {
  await using closing = new AsyncDisposableStack();
  const nodes = Array.from({ length: count }, () => closing.use(open()));
  if (subscribed) await Promise.all(nodes.map(listenToAll));
  return await publishRate(nodes, perNode);
}

async function listenToAll(node: PostgresBroadcaster) {
  const channels = Array.from({ length: CHANNELS }, (_, i) => `c.${1 + i}`);
  await Promise.all(
    channels.map((channel) =>
      new Promise<unknown>((resolve) =>
        node.listen(channel, { live: resolve, event() {}, lost() {}, ended() {} })
      )
    ),
  );
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

await using server = await PostgresServer.start("-c", "fsync=on");
{
  await using stranger = server.client();
  await stranger.sql.unsafe(postgresMigration(WHERE));
}
const folder = await Deno.makeTempDir();

const { median, p99 } = await latencies();
console.log(`publish → receive: median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);

const ours = [
  [`${CONNECTIONS} nodes, one at a time`, () => ourRate(CONNECTIONS, 1, false)],
  [`the same, all subscribed`, () => ourRate(CONNECTIONS, 1, true)],
  [`1 node, ${CONCURRENT} at a time`, () => ourRate(1, CONCURRENT, false)],
] as const;
const bare: number[] = [];
const rates = ours.map((): number[] => []);
for (let round = 0; round < ROUNDS; round++) {
  bare.push(await pgbenchRate());
  for (const [index, [, measure]] of ours.entries()) rates[index]?.push(await measure());
}
console.log(`median of ${ROUNDS} rounds, ${DATA.text.length} bytes of data`);
console.log(`pgbench, ${CONNECTIONS} connections: ${middle(bare).toFixed(0)}/s`);
for (const [index, [what]] of ours.entries()) {
  const ratios = rates[index]?.map((rate, round) => rate / (bare[round] ?? NaN)) ?? [];
  console.log(
    `${what}: ${middle(rates[index] ?? []).toFixed(0)}/s, ${middle(ratios).toFixed(2)} × pgbench`,
  );
}

await Deno.remove(folder, { recursive: true });
