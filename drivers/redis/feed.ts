import { backoffMs } from "../../core/backoff.ts";
import { BoundedBuffer } from "../../core/bounded_buffer.ts";
import { deferred } from "../../core/deferred.ts";
import type { ChannelSink } from "../../core/driver.ts";
import { eventBytes } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { Pauses } from "./pauses.ts";
import type { Message } from "./wire.ts";

/** How long to wait before the store is asked again for a channel's top. */
const BACKOFF = { initialMs: 50, maxMs: 5_000 };

/** What a feed needs of its driver. */
export interface FeedSource {
  /** Where the channel stands in the store, which is told what was seen; `undefined` without history. */
  top(channel: string, seen: Position | undefined): Promise<Position | undefined>;
  /** The feed is in step with the store again. */
  live(): void;
  /** A message or an answer that is no good, in a sentence. */
  report(channel: string, rule: string, cause?: unknown): void;
}

/**
 * What a node hears of one channel. Only an event that follows on the last one is passed on; any
 * other is a reason to ask the store where the channel stands, and the core reads the rest. So
 * neither a lost message nor a forged one can put a hole into the order.
 */
export class Feed {
  readonly channel: string;
  /** Resolves when the channel is live for the first time. */
  readonly ready: Promise<void>;
  readonly #ready = deferred<void>();
  readonly #source: FeedSource;
  readonly #sink: ChannelSink;
  readonly #pauses = new Pauses();
  /**
   * - `opening`: not acknowledged yet.
   * - `asking`: the store was asked for the top.
   * - `cut`: was live, and its connection is gone.
   */
  #state: "opening" | "asking" | "live" | "cut" | "closed" = "opening";
  #wasLive = false;
  /** Counts the connections: a question that was asked for an older one is nobody's business. */
  #turn = 0;
  #position: Position | undefined;
  /** What comes while the store is asked. */
  readonly #held = new BoundedBuffer<Message>();
  /** Something happened that the question under way may have come too early for. */
  #mustAskAgain = false;
  /** Events that did not follow; the store's answer says whether they are true. */
  #doubted: Position[] = [];
  #lastError: unknown;

  constructor(channel: string, source: FeedSource, sink: ChannelSink) {
    this.channel = channel;
    this.#source = source;
    this.#sink = sink;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
  }

  /** Whether it was live and is out of step. */
  get isBehind(): boolean {
    return this.#state === "cut" || (this.#state === "asking" && this.#wasLive);
  }

  /** Why it was not put in step yet. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Its connection is gone; what comes next on it is a new acknowledgement. */
  cut(): void {
    if (this.#state === "closed") return;
    this.#state = this.#wasLive ? "cut" : "opening";
    this.#turn++;
    this.#held.takeAll();
  }

  /** The subscription is acknowledged, for the first time or on a new connection. */
  acknowledged(): void {
    this.#ask();
  }

  /** A message has come. */
  message(message: Message): void {
    if (this.#state === "live") this.#take(message);
    else if (this.#state === "asking") this.#held.push(message, eventBytes(message.record));
  }

  /** The sink hears nothing more. */
  close(cause: unknown): void {
    this.#state = "closed";
    this.#turn++;
    this.#pauses.close();
    this.#held.takeAll();
    this.#ready.reject(cause);
  }

  #take({ record, position }: Message): void {
    const last = this.#position;
    if (last === undefined) {
      this.#sink.event(record, undefined);
    } else if (position === undefined) {
      this.#source.report(this.channel, "a message without a number, where history is kept");
    } else if (position.epoch !== last.epoch || position.offset > last.offset + 1) {
      this.#doubted.push(position);
      this.#ask();
    } else if (position.offset > last.offset) {
      this.#position = position;
      this.#sink.event(record, position);
    }
  }

  async #ask(): Promise<void> {
    this.#mustAskAgain = true;
    if (this.#state === "closed" || this.#state === "asking") return;
    this.#state = "asking";
    const turn = this.#turn;
    let failures = 0;
    while (this.#mustAskAgain) {
      this.#mustAskAgain = false;
      const doubted = this.#doubted.splice(0);
      try {
        const top = await this.#source.top(this.channel, this.#position);
        if (this.#turn !== turn) return;
        this.#arrive(top, doubted);
        failures = 0;
      } catch (cause) {
        if (this.#turn !== turn) return;
        this.#lastError = cause;
        this.#source.report(this.channel, "its top cannot be read", cause);
        this.#mustAskAgain = true;
        await this.#pauses.wait(backoffMs(failures++, BACKOFF));
        if (this.#turn !== turn) return;
      }
    }
    this.#state = "live";
    this.#wasLive = true;
    this.#ready.resolve();
    this.#source.live();
  }

  #arrive(top: Position | undefined, doubted: readonly Position[]): void {
    for (const { epoch, offset } of doubted) {
      if (top !== undefined && epoch === top.epoch && offset <= top.offset) continue;
      this.#source.report(this.channel, `an event ${epoch} ${offset} that the store does not know`);
    }
    this.#position = top;
    this.#sink.live(top);
    if (this.#held.hasOverflowed) this.#mustAskAgain = true;
    for (const message of this.#held.takeAll()) this.#take(message);
  }
}
