/** A node dies under a crowd: everybody comes back to another one, and the backplane hardly notices. */
import {
  type BroadcastDriver,
  BroadcastGateway,
  type ChannelSink,
  DriverBroadcaster,
  type EventRecord,
  type HistoryRead,
  MemoryBackend,
  MemoryDriver,
  type Position,
} from "@airwave/broadcast";
import { assert, assertEquals } from "@std/assert";
import { ModelledClient } from "../model/modelled_client.ts";
import { ModelledLog } from "../model/modelled_log.ts";

const CLIENTS = 2_000;
const CHANNELS = Array.from({ length: 50 }, (_, i) => `channel.${i}`);
const CHANNELS_PER_CLIENT = 4;
const HISTORY_SIZE = 256;

/** Counts what the backplane is asked for; an answer takes a turn of the event loop. */
class CountedDriver implements BroadcastDriver {
  readonly #inner: BroadcastDriver;
  readonly abilities: BroadcastDriver["abilities"];
  reads = 0;
  subscribes = 0;

  constructor(inner: BroadcastDriver) {
    this.#inner = inner;
    this.abilities = inner.abilities;
  }

  publish(channel: string, record: EventRecord): Promise<Position | undefined> {
    return this.#inner.publish(channel, record);
  }

  async subscribe(channel: string, sink: ChannelSink) {
    this.subscribes++;
    await turn();
    return await this.#inner.subscribe(channel, sink);
  }

  async read(channel: string, after: Position): Promise<HistoryRead> {
    this.reads++;
    await turn();
    return await this.#inner.read(channel, after);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function openNode(backend: MemoryBackend) {
  const driver = new CountedDriver(new MemoryDriver(backend));
  const broadcaster = new DriverBroadcaster(driver);
  return { driver, broadcaster, gateway: new BroadcastGateway({ broadcaster }) };
}

Deno.test("storm: 2,000 clients lose their node and come back to another, at a read or two per channel", async () => {
  const backend = new MemoryBackend({ historySize: HISTORY_SIZE });
  const [first, second] = [openNode(backend), openNode(backend)];
  const log = new ModelledLog(HISTORY_SIZE);
  const failures: unknown[] = [];
  const clients = Array.from(
    { length: CLIENTS },
    () => new ModelledClient(log, (failure) => failures.push(failure)),
  );
  let ids = 0;
  const publishAll = async () => {
    for (const channel of CHANNELS) {
      const id = String(ids++);
      log.publishing(channel);
      const { position } = await second.broadcaster.publish(channel, { event: "e", data: id, id });
      assert(position !== undefined);
      log.published(channel, id, position);
    }
  };
  const areAllCaughtUp = async () => {
    while (failures.length === 0 && !clients.every(({ isCaughtUp }) => isCaughtUp)) await turn();
    if (failures.length > 0) throw failures[0];
  };

  clients.forEach((client, i) => {
    for (let j = 0; j < CHANNELS_PER_CLIENT; j++) {
      const channel = CHANNELS[(i * 7 + j * 13) % CHANNELS.length];
      assert(channel !== undefined);
      client.subscribe(channel);
    }
    client.connect(first.gateway);
  });
  await publishAll();
  await areAllCaughtUp();

  // The network to the first node dies a little before it does: not all are equally far behind.
  const notices = clients.map((client, i) => i % 10 === 0 ? client.cut() : undefined);
  for (let round = 0; round < 5; round++) await publishAll();
  clients.forEach((client, i) => (notices[i] ?? client.cut())());
  await first.gateway.close();
  await first.broadcaster.close();
  for (let round = 0; round < 20; round++) await publishAll();

  assertEquals(second.driver.reads, 0);
  for (const [i, client] of clients.entries()) {
    client.connect(second.gateway);
    // They do not come in one turn, and events go on meanwhile.
    if (i % 50 === 0) await turn();
    if (i % 500 === 0) await publishAll();
  }
  await areAllCaughtUp();
  log.assertProven();
  assertEquals(second.gateway.clientCount, CLIENTS);
  assertEquals(second.driver.subscribes, CHANNELS.length);
  const { reads } = second.driver;
  assert(
    reads <= 3 * CHANNELS.length,
    `${reads} reads for ${CLIENTS * CHANNELS_PER_CLIENT} resumes`,
  );
  console.log(
    `storm: ${
      CLIENTS * CHANNELS_PER_CLIENT
    } resumes on ${CHANNELS.length} channels, ${reads} reads`,
  );

  await second.gateway.close();
  await second.broadcaster.close();
});
