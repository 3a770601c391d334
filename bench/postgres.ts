/**
 * What publishing and receiving over PostgreSQL cost, beside what the same server does under its own
 * tool in the same run: `deno run -A bench/postgres.ts`.
 *
 * @module
 */
import { PostgresBroadcaster, postgresMigration } from "../drivers/postgres.ts";
import { findProgram, POSTGRES } from "../scripts/programs.ts";
import { PostgresServer } from "../tests/drivers_on_servers/postgres_server.ts";

const SECONDS = 5;
const CONNECTIONS = 4;
const CONCURRENT = 256;
const SAMPLES = 500;
const WHERE = { schema: "bench", prefix: "b" };
const DATA = { text: "x".repeat(150) };

/** Publishes until the time is over; the events a second that were stored. */
async function publishRate(nodes: readonly PostgresBroadcaster[], perNode: number) {
  let stored = 0;
  const publish = async (node: PostgresBroadcaster, publisher: number, until: number) => {
    for (let i = publisher; performance.now() < until; i++) {
      await node.publish(`c.${i % 20}`, { event: "n", data: DATA });
      stored++;
    }
  };
  const run = async (ms: number) => {
    stored = 0;
    const startedAt = performance.now();
    await Promise.all(
      nodes.flatMap((node) =>
        Array.from({ length: perNode }, (_, i) => publish(node, i, startedAt + ms))
      ),
    );
    return stored / ((performance.now() - startedAt) / 1_000);
  };
  await run(500);
  return await run(SECONDS * 1_000);
}

/** The same statement for one event, as fast as pgbench sends it. */
async function pgbenchRate(server: PostgresServer, folder: string, connections: number) {
  const script = `${folder}/publish.sql`;
  await Deno.writeTextFile(
    script,
    `\\set n random(1, 20)
select * from bench.b_publish(array['c.' || :n], array[gen_random_uuid()::text], array['n'],
  array['${JSON.stringify(DATA)}'], array[null]);
`,
  );
  const { stdout, stderr } = await new Deno.Command(
    Deno.realPathSync(findProgram(POSTGRES) ?? "postgres").replace(/[^/]*$/, "pgbench"),
    {
      args: [
        ...["-n", "-M", "prepared", "-c", `${connections}`, "-j", "1", "-T", `${SECONDS}`],
        ...["-f", script, server.url],
      ],
    },
  ).output();
  const [, rate] = /tps = ([\d.]+)/.exec(new TextDecoder().decode(stdout)) ?? [];
  if (rate === undefined) throw new Error(`pgbench: ${new TextDecoder().decode(stderr)}`);
  return Number(rate);
}

/** From the call of publish on one node to the listener on another, in milliseconds. */
async function latencies(a: PostgresBroadcaster, b: PostgresBroadcaster) {
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

await using server = await PostgresServer.start("-c", "fsync=on");
const { url } = server;
{
  await using stranger = server.client();
  await stranger.sql.unsafe(postgresMigration(WHERE));
}
const folder = await Deno.makeTempDir();
await using closing = new AsyncDisposableStack();
const open = (options = {}) => closing.use(new PostgresBroadcaster({ url, ...WHERE, ...options }));

const { median, p99 } = await latencies(open(), open());
console.log(`publish → receive       median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);

const tool = await pgbenchRate(server, folder, CONNECTIONS);
const nodes = Array.from({ length: CONNECTIONS }, () => open());
const single = await publishRate(nodes, 1);
const batched = await publishRate(nodes.slice(0, 1), CONCURRENT);
const after = await pgbenchRate(server, folder, CONNECTIONS);
const pgbench = (tool + after) / 2;
const report = (what: string, rate: number) =>
  console.log(`${what} ${rate.toFixed(0).padStart(6)}/s  ${(rate / pgbench).toFixed(2)} × pgbench`);
report(`pgbench, ${CONNECTIONS} connections  `, pgbench);
report(`${CONNECTIONS} nodes, one at a time `, single);
report(`1 node, ${CONCURRENT} at a time `, batched);

await Deno.remove(folder, { recursive: true });
