import { backoffMs } from "../../core/backoff.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import type { ChannelSink, DriverHost } from "../../core/driver.ts";
import { BroadcastSubscribeError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import { explainPostgres } from "./advice.ts";
import { Alarm } from "./alarm.ts";
import { failureOf, STATEMENT_BACKOFF } from "./failures.ts";
import { Memory } from "./memory.ts";
import type { ChannelTop, Row } from "./rows.ts";
import type { Poll, Store } from "./store.ts";

/** How many channels one statement asks for. */
const CHANNELS = { located: 1_000, read: 64 };
/** How soon the outbox is looked at after a publish in a transaction; doubling, up to the poll's interval. */
const OUTBOX_FIRST_MS = 5;

interface Reading {
  readonly sink: ChannelSink;
  readonly started: Deferred<void>;
  /** The last event that was handed over, or where the channel stood when it went live. */
  last: Position | undefined;
  /** Number of the newest event that is known to be stored. */
  top: number;
}

/** What the reader works with. */
export interface ReaderOptions {
  readonly store: Store;
  readonly host: DriverHost;
  readonly pollIntervalMs: number;
  /** Hears that something waits in the outbox. */
  readonly onOutbox: () => void;
}

/**
 * Reads what is new, for all channels of this node in one loop. A poll asks for the channels that
 * changed since the last one, so that it costs what was published and not what is subscribed; then
 * the events behind the last ones of these channels are read, a bounded slice at a time.
 */
export class Reader {
  readonly #options: ReaderOptions;
  readonly #channels = new Map<string, Reading>();
  /** Subscribed and not located yet. */
  readonly #entering = new Set<string>();
  /** With events to be read, those that waited longest first. */
  readonly #pending = new Set<string>();
  readonly #memory: Memory;
  readonly #alarm = new Alarm();
  readonly #pause = new Alarm();
  #state: "open" | "closed" = "open";
  /** What the last poll said; unset, every channel has to be located anew. */
  #last: Poll | undefined;
  #hasReached = false;
  #outboxMs = Infinity;
  #refusal: string | undefined;
  #failure: unknown;
  #running: Promise<void> | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#memory = new Memory(options.store);
  }

  open(): void {
    this.#running = this.#run();
  }

  /** Adds a channel. `started` resolves once its sink went live. */
  subscribe(channel: string, sink: ChannelSink): { started: Promise<void>; end: () => void } {
    const started = deferred<void>();
    const reading: Reading = { sink, started, last: undefined, top: 0 };
    this.#forget(channel);
    this.#channels.set(channel, reading);
    this.#entering.add(channel);
    this.wake();
    return {
      started: started.promise,
      end: () => {
        if (this.#channels.get(channel) === reading) this.#forget(channel);
      },
    };
  }

  /** Why nothing is read at the moment, if so. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Makes the next poll come now, if anybody wants what it may bring. */
  wake(): void {
    if (this.#channels.size > 0) this.look();
  }

  /** Makes the next poll come now, whoever wants it. */
  look(): void {
    this.#alarm.ring();
  }

  /** An application's transaction has put something into the outbox; nobody tells when it commits. */
  expectOutbox(): void {
    this.#outboxMs = OUTBOX_FIRST_MS;
    this.look();
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#channels.clear();
    this.#alarm.ring();
    this.#pause.ring();
    await this.#running;
  }

  #forget(channel: string): void {
    this.#channels.delete(channel);
    this.#entering.delete(channel);
    this.#pending.delete(channel);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (this.#state === "open") {
      try {
        await this.#step();
        failures = 0;
        this.#failure = undefined;
        await this.#rest();
      } catch (cause) {
        if (this.#isClosed()) return;
        this.#failure = cause;
        this.#reportRefusal(cause);
        if (this.#hasReached) this.#options.host.health("down", cause);
        this.#last = undefined;
        await this.#pause.wait(backoffMs(failures++, STATEMENT_BACKOFF));
      }
    }
  }

  /**
   * An outage is told as health. What time does not mend, such as a wrong password, is said once, and
   * so is what keeps a node from its first connection.
   */
  #reportRefusal(cause: unknown): void {
    const isOutage = failureOf(cause) !== "refused" && this.#hasReached;
    const reason = explainPostgres(cause);
    if (isOutage || this.#refusal === reason) return;
    this.#refusal = reason;
    this.#options.host.report(
      new BroadcastSubscribeError(`Cannot read from PostgreSQL: ${reason}`, { status: 503, cause }),
    );
  }

  async #rest(): Promise<void> {
    if (this.#pending.size > 0 || this.#isClosed()) return;
    const { pollIntervalMs } = this.#options;
    const ms = Math.min(pollIntervalMs, this.#outboxMs);
    this.#outboxMs = ms < pollIntervalMs ? ms * 2 : Infinity;
    const markMs = this.#memory.dueMs;
    if (markMs >= ms) return void await this.#alarm.wait(ms);
    if (await this.#alarm.wait(markMs) === "rung") return;
    await this.#memory.mark();
    await this.#alarm.wait(ms - markMs);
  }

  async #step(): Promise<void> {
    const { store, onOutbox } = this.#options;
    const last = this.#last ?? await this.#locateAll();
    if (this.#entering.size > 0) await this.#locate([...this.#entering], false);
    const poll = await store.poll(last.cursor);
    if (poll.server !== last.server) {
      // Its transactions are counted anew.
      this.#last = undefined;
      return this.#alarm.ring();
    }
    this.#last = poll;
    this.#memory.saw(poll);
    this.#reached();
    await this.#note(poll.changed, false);
    if (poll.hasWaiting) onOutbox();
    if (this.#pending.size > 0) await this.#readSlice();
    if (this.#memory.dueMs === 0) await this.#memory.mark();
  }

  /**
   * Finds where every channel stands; from the poll before it on, changes are told. The poll comes
   * first for the sake of the next one, too: if both are answered by the same server, without a
   * restart, then so was all in between. What was seen is noted from that next one on.
   */
  async #locateAll(): Promise<Poll> {
    const { store } = this.#options;
    const poll = await store.poll(undefined);
    await this.#memory.mark();
    await this.#locate([...this.#channels.keys()], true);
    // Whoever was told that a channel is live may look how the backplane is.
    this.#reached();
    return poll;
  }

  #reached(): void {
    this.#hasReached = true;
    this.#options.host.health("up");
  }

  async #locate(channels: readonly string[], reconnected: boolean): Promise<void> {
    for (let from = 0; from < channels.length; from += CHANNELS.located) {
      const some = channels.slice(from, from + CHANNELS.located);
      await this.#note(await this.#options.store.tops(some), reconnected);
    }
  }

  async #note(tops: readonly ChannelTop[], reconnected: boolean): Promise<void> {
    for (const { channel, top } of tops) {
      const reading = this.#channels.get(channel);
      const last = reading?.last;
      if (reading === undefined) continue;
      if (last !== undefined && last.epoch === top.epoch && top.offset < last.offset) {
        // Events that were seen are gone, and their numbers will be given to others.
        // A channel without a row is in no poll: where it stands then has to be asked for.
        this.#entering.add(channel);
        this.wake();
        await this.#options.store.regressed(channel, last);
      } else if (last === undefined || last.epoch !== top.epoch || reconnected) {
        this.#goLive(channel, reading, top);
      } else if (top.offset > last.offset) {
        reading.top = top.offset;
        this.#pending.add(channel);
      }
    }
  }

  #goLive(channel: string, reading: Reading, top: Position): void {
    reading.last = top;
    reading.top = top.offset;
    this.#entering.delete(channel);
    this.#pending.delete(channel);
    reading.sink.live(top);
    reading.started.resolve();
  }

  async #readSlice(): Promise<void> {
    const channels = [...this.#pending].slice(0, CHANNELS.read);
    const afters = channels.map((channel) =>
      [channel, this.#channels.get(channel)?.last?.offset ?? 0] as const
    );
    const rows = await this.#options.store.read(afters);
    for (const row of rows) this.#deliver(row);
    const delivered = new Set(rows.map(({ channel }) => channel));
    for (const [index, channel] of channels.entries()) {
      const reading = this.#channels.get(channel);
      const last = reading?.last;
      if (reading === undefined || last === undefined || last.offset >= reading.top) {
        this.#pending.delete(channel);
      } else if (delivered.has(channel)) {
        // To the end of the row: there may be more, and others wait.
        this.#pending.delete(channel);
        this.#pending.add(channel);
      } else if (index === 0) {
        // What should have come first did not: it is no longer stored.
        this.#goLive(channel, reading, { epoch: last.epoch, offset: reading.top });
      }
    }
  }

  #deliver({ channel, epoch, number, record }: Row): void {
    const reading = this.#channels.get(channel);
    const last = reading?.last;
    // Of another epoch the next poll tells.
    if (reading === undefined || last?.epoch !== epoch || number <= last.offset) return;
    const position = { epoch, offset: number };
    reading.last = position;
    if (record !== undefined) return reading.sink.event(record, position);
    this.#options.host.report(
      new BroadcastSubscribeError(
        `Cannot read event ${number} of channel "${channel}": the row is none of this library's, or too large`,
        { status: 502, context: { channel, number } },
      ),
    );
    reading.sink.live(position);
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
