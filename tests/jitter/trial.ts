/**
 * Hundreds of clients on a bad network, over nodes that are processes, one of which is killed and
 * started again in the middle: what was published arrives at each, once and in order, and nobody is
 * told of a loss that did not happen.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import type { NodeProcess } from "../nodes/node_process.ts";
import { RestlessClient, type Seen } from "./restless_client.ts";

/** How the trial goes. */
export interface JitterOptions {
  readonly clients: number;
  readonly channels: number;
  readonly channelsPerClient: number;
  readonly durationMs: number;
  readonly publishesPerSecond: number;
  /** Whether the first node is killed at half time, and started again two seconds later. */
  readonly kill: boolean;
}

/** 500 clients on 4 channels each, for a minute. */
export const WHOLE: Omit<JitterOptions, "kill"> = {
  clients: 500,
  channels: 20,
  channelsPerClient: 4,
  durationMs: 60_000,
  publishesPerSecond: 20,
};

/** What came of it. */
export interface JitterResult {
  readonly published: number;
  readonly expected: number;
  readonly delivered: number;
  readonly twice: number;
  readonly outOfOrder: number;
  readonly resets: number;
  readonly lost: number;
  /** Clients that were told of a loss on every channel. */
  readonly toldLost: number;
  /** Milliseconds from the welcome to the last missed event: median, 95th and 99th percentile. */
  readonly replayMs: { readonly p50: number; readonly p95: number; readonly p99: number };
}

/** How long a server is gone. */
const OUTAGE_MS = 2_000;

/** What is still missing this long after the last reset does not come any more. */
const PATIENCE_MS = 60_000;

const nameOf = (channel: number) => `jitter.${channel}`;

type Published = ReadonlyMap<string, readonly string[]>;

/** Whether a client has everything that is to come. */
type IsDone = (client: RestlessClient, published: Published) => boolean;

/** It has seen the last event of each of its channels. */
const hasSeenAll: IsDone = ({ seen }, published) =>
  [...seen].every(([channel, events]) => {
    const last = published.get(channel)?.at(-1);
    return last === undefined || events.some(({ id }) => id === last);
  });

/** Plays the trial over nodes and counts. */
export async function jitter(
  nodes: readonly NodeProcess[],
  options: JitterOptions,
  isDone: IsDone = hasSeenAll,
): Promise<JitterResult> {
  const clients = Array.from({ length: options.clients }, (_, i) => {
    const channels = Array.from(
      { length: options.channelsPerClient },
      (_, j) => nameOf((i + j * 7) % options.channels),
    );
    return new RestlessClient(
      () => nodes[Math.floor(Math.random() * nodes.length)]?.url() ?? "",
      channels,
    );
  });
  try {
    await Promise.all(clients.map(({ ready }) => ready));
    for (const client of clients) client.beginResets();
    const publishing = publish(nodes, options);
    if (options.kill) await killAmid(nodes, options.durationMs);
    const published = await publishing;
    for (const client of clients) client.endResets();
    const giveUpAtMs = Date.now() + PATIENCE_MS;
    while (!clients.every((client) => isDone(client, published)) && Date.now() < giveUpAtMs) {
      await delay(50);
    }
    return count(clients, published);
  } finally {
    for (const client of clients) client.close();
  }
}

async function killAmid([node]: readonly NodeProcess[], durationMs: number): Promise<void> {
  await delay(durationMs / 2);
  await node?.kill();
  await delay(OUTAGE_MS);
  await node?.restart();
}

/** Publishes until the time is over; tells what resolved, in order, by channel. */
async function publish(
  nodes: readonly NodeProcess[],
  { channels, durationMs, publishesPerSecond }: JitterOptions,
): Promise<Map<string, string[]>> {
  const published = new Map<string, string[]>();
  const startedAtMs = Date.now();
  for (let number = 0;; number++) {
    const dueAtMs = startedAtMs + number * 1_000 / publishesPerSecond;
    if (dueAtMs - startedAtMs > durationMs) return published;
    await delay(Math.max(0, dueAtMs - Date.now()));
    const channel = nameOf(number % channels);
    const id = `event ${number}`;
    await publishOnce(nodes, number, channel, id);
    published.set(channel, [...published.get(channel) ?? [], id]);
  }
}

/** As a careful application does: the same id again, elsewhere, until it is known to be published. */
async function publishOnce(
  nodes: readonly NodeProcess[],
  number: number,
  channel: string,
  id: string,
): Promise<void> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  for (let attempt = number;; attempt++) {
    try {
      const event = { event: "tick", data: number, id };
      await nodes[attempt % nodes.length]?.ask({ do: "publish", channel, event });
      return;
    } catch (cause) {
      if (Date.now() > giveUpAtMs) throw new Error("Nobody takes an event", { cause });
      await delay(50);
    }
  }
}

function count(
  clients: readonly RestlessClient[],
  published: Published,
): JitterResult {
  let [expected, delivered, twice, outOfOrder] = [0, 0, 0, 0];
  for (const { seen } of clients) {
    for (const [channel, events] of seen) {
      const wanted = published.get(channel) ?? [];
      const ids = new Set(events.map(({ id }) => id));
      expected += wanted.length;
      delivered += wanted.filter((id) => ids.has(id)).length;
      twice += events.length - ids.size;
      outOfOrder += countOutOfOrder(events, wanted);
    }
  }
  const replays = clients.flatMap(({ replaysMs }) => replaysMs).sort((a, b) => a - b);
  const percentile = (part: number) => replays[Math.floor(part * (replays.length - 1))] ?? NaN;
  return {
    published: [...published.values()].flat().length,
    expected,
    delivered,
    twice,
    outOfOrder,
    resets: clients.reduce((sum, { resets }) => sum + resets, 0),
    lost: clients.reduce((sum, { lost }) => sum + lost, 0),
    toldLost: clients.filter(({ lost, seen }) => lost >= seen.size).length,
    replayMs: { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) },
  };
}

/** Events that came before one that was published earlier. */
function countOutOfOrder(events: readonly Seen[], published: readonly string[]): number {
  const places = new Map(published.map((id, place) => [id, place]));
  const order = events.map(({ id }) => places.get(id) ?? -1);
  return order.filter((place, i) => i > 0 && place < (order[i - 1] ?? 0)).length;
}

/** Fails unless everything arrived, once and in order, and nobody was told of a loss. */
export function assertPerfect(result: JitterResult): void {
  const { expected, delivered, twice, outOfOrder, lost, resets } = result;
  console.log(describe(result));
  assertEquals({ delivered, twice, outOfOrder, lost }, {
    delivered: expected,
    twice: 0,
    outOfOrder: 0,
    lost: 0,
  });
  assert(resets > 0 && expected > 0);
}

/** The figures in a line. */
export function describe({ replayMs: { p50, p95, p99 }, ...counts }: JitterResult): string {
  const ms = [p50, p95, p99].map((value) => value.toFixed(1)).join(" / ");
  const figures = Object.entries(counts).map(([name, value]) => `${name} ${value}`).join(", ");
  return `${figures}; replay p50 / p95 / p99: ${ms} ms`;
}
