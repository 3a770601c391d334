import type { Cluster, Redis } from "ioredis";
import type { HistoryRead } from "../../core/driver.ts";
import type { EventRecord, Position, StoredEvent } from "../../core/event.ts";
import { isCluster } from "./client.ts";
import type { Commands } from "./commands.ts";
import type { Link } from "./link.ts";
import type { Names } from "./names.ts";
import type { RedisOptions } from "./options.ts";
import { PUBLISH, READ } from "./scripts.ts";
import { decodeRecord, encodeRecord } from "./wire.ts";

/**
 * How long a channel's position outlives its last event: a week. Who comes back later is told that
 * something may be lost.
 */
const KEEP_STATE_MS = 7 * 24 * 60 * 60_000;

/** What the scripts answer first of all. */
interface State {
  readonly epoch: string;
  readonly offset: number;
  readonly past: readonly Position[];
}

/** The numbered and stored events of all channels. */
export class History {
  readonly #commands: Commands;
  readonly #link: Link;
  readonly #names: Names;
  readonly #options: RedisOptions;
  readonly #epochPrefix = crypto.randomUUID();
  #epochs = 0;

  constructor(commands: Commands, link: Link, names: Names, options: RedisOptions) {
    this.#commands = commands;
    this.#link = link;
    this.#names = names;
    this.#options = options;
  }

  /** Numbers, stores and sends an event, once however often it is tried. */
  publish(channel: string, record: EventRecord): Promise<Position> {
    const { historySize, historyTtlMs, idWindowMs, waitForReplicas } = this.#options;
    const keys = this.#names.keys(channel);
    const args = [
      encodeRecord(record),
      record.id,
      historySize,
      historyTtlMs,
      idWindowMs,
      this.#names.messages(channel),
    ];
    return this.#commands.run(async (client) => {
      const { connection } = this.#link;
      const send = isCluster(client) ? "SPUBLISH" : "PUBLISH";
      const answer = await this.#commands.script(client, PUBLISH, keys, [
        ...this.#first(),
        ...args,
        send,
      ]);
      const { epoch, offset, past } = parseState(answer);
      if (waitForReplicas > 0) await this.#replicated(client, connection, waitForReplicas);
      return { epoch: epochOf(offset, epoch, past), offset };
    }, { repeatable: true });
  }

  /** Where a channel stands. */
  async top(channel: string): Promise<Position> {
    const { epoch, offset } = parseState(await this.#read(channel, { epoch: "", offset: 0 }));
    return { epoch, offset };
  }

  /** What lies behind a position; `report` hears of what is stored and no good. */
  async read(
    channel: string,
    after: Position,
    report: (rule: string, cause: unknown) => void,
  ): Promise<HistoryRead> {
    const answer = await this.#read(channel, after);
    const state = parseState(answer);
    const top = { epoch: state.epoch, offset: state.offset };
    const last = after.epoch === top.epoch
      ? top.offset
      : state.past.find(({ epoch }) => epoch === after.epoch)?.offset ?? -1;
    if (after.offset > last) return { complete: false, top };
    try {
      const events = this.#parseEntries(listOf(answer)[3], after.offset, state);
      return events === undefined ? { complete: false, top } : { complete: true, events, top };
    } catch (cause) {
      report("an entry of its stream that is none of ours", cause);
      return { complete: false, top };
    }
  }

  #read(channel: string, { epoch, offset }: Position): Promise<unknown> {
    return this.#commands.run(
      (client) =>
        this.#commands.script(client, READ, this.#names.keys(channel), [
          ...this.#first(),
          epoch,
          offset,
        ]),
      { repeatable: true },
    );
  }

  /** The arguments that both scripts begin with. */
  #first(): readonly [epoch: string, keepMs: number] {
    return [`${this.#epochPrefix}-${(this.#epochs++).toString(36)}`, KEEP_STATE_MS];
  }

  async #replicated(client: Redis | Cluster, connection: number, wanted: number): Promise<void> {
    if (isCluster(client)) return;
    const replicas = await this.#commands.replicated(client, wanted);
    // On another connection Redis answers for what was written there, and knows nothing of this.
    if (this.#link.connection !== connection) throw new Error("The connection was lost meanwhile");
    if (replicas < wanted) {
      throw new Error(`Stored, but on ${replicas} of ${wanted} replicas within the time`);
    }
  }

  /** All events after an offset, in order, or `undefined` where one is missing. */
  #parseEntries(entries: unknown, after: number, state: State): StoredEvent[] | undefined {
    const newestFirst = listOf(entries);
    if (newestFirst.length !== state.offset - after) return undefined;
    return newestFirst.toReversed().map((entry, i) => {
      const [id, fields] = listOf(entry);
      const offset = after + 1 + i;
      if (typeof id !== "string" || Number(id.split("-")[1]) !== offset) {
        throw new Error(`entry ${String(id)} stands where ${offset} should`);
      }
      const [, text] = listOf(fields);
      if (typeof text !== "string") throw new Error(`entry ${id} has no record`);
      const record = decodeRecord(text, this.#options.maxEventBytes);
      return { record, position: { epoch: epochOf(offset, state.epoch, state.past), offset } };
    });
  }
}

/** The epoch in which an offset was given. */
function epochOf(offset: number, epoch: string, past: readonly Position[]): string {
  return past.find((ended) => offset <= ended.offset)?.epoch ?? epoch;
}

function parseState(answer: unknown): State {
  const [epoch, offset, past] = listOf(answer);
  if (typeof epoch !== "string" || !Number.isSafeInteger(offset) || typeof past !== "string") {
    throw new Error("Redis answered what our script does not");
  }
  const words = past.split(" ");
  const ended: Position[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    ended.push({ epoch: words[i] ?? "", offset: Number(words[i + 1]) });
  }
  return { epoch, offset: Number(offset), past: ended };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
