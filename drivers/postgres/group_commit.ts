import { backoffMs } from "../../core/backoff.ts";
import { BroadcastClosedError } from "../../core/errors.ts";
import { eventBytes, type EventRecord } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { Alarm } from "./alarm.ts";
import { failureOf, STATEMENT_BACKOFF } from "./failures.ts";
import { MAX_EVENT_BYTES } from "./storable.ts";
import type { Entry, Store } from "./store.ts";

/** What goes in one statement at most, and what may wait for one. */
const BATCH = { events: 256, bytes: 1024 * 1024 };
const QUEUE = { events: 20_000, bytes: MAX_EVENT_BYTES };

interface Waiting extends Entry {
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Puts publishes that wait together into one statement. There is one statement at a time, so that
 * what a node publishes on a channel is stored in the order of its calls. One whose answer got lost
 * is sent again until the deadline of its publishes: the ids see to it that nothing is stored twice.
 */
export class GroupCommit {
  readonly #store: Store;
  readonly #timeoutMs: number;
  readonly #onStored: () => void;
  readonly #pause = new Alarm();
  #queue: Waiting[] = [];
  #bytes = 0;
  /** Why nothing gets through, since when something did. */
  #failure: unknown;
  #state: "idle" | "busy" | "closed" = "idle";

  constructor(store: Store, timeoutMs: number, onStored: () => void) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
    this.#onStored = onStored;
  }

  publish(channel: string, record: EventRecord): Promise<Position> {
    const bytes = eventBytes(record);
    if (this.#queue.length >= QUEUE.events || this.#bytes + bytes > QUEUE.bytes) {
      return Promise.reject(
        new Error(`Too many events wait for PostgreSQL: ${this.#queue.length}`),
      );
    }
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + this.#timeoutMs;
      this.#queue.push({ channel, record, bytes, deadlineMs, resolve, reject });
      this.#bytes += bytes;
      if (this.#state === "idle") this.#run();
    });
  }

  /** What a publish waits for that has no answer, as far as is known. */
  get hindrance(): unknown {
    if (this.#failure !== undefined || this.#queue.length === 0) return this.#failure;
    return tooSlow(this.#queue.length);
  }

  /** Whether events are on their way to the server. */
  get isBusy(): boolean {
    return this.#state === "busy";
  }

  /** Rejects what waits; the statement under way still has its answer heard. */
  close(): void {
    this.#state = "closed";
    this.#pause.ring();
    for (const { reject } of this.#queue.splice(0)) reject(closed());
  }

  async #run(): Promise<void> {
    this.#state = "busy";
    this.#failure = undefined;
    // What the same turn publishes goes along.
    await undefined;
    while (this.#queue.length > 0) await this.#commit(this.#take());
    if (this.#state === "busy") this.#state = "idle";
  }

  #take(): readonly Waiting[] {
    let bytes = 0;
    const full = this.#queue.findIndex((waiting, index) => {
      bytes += waiting.bytes;
      return index > 0 && (index >= BATCH.events || bytes > BATCH.bytes);
    });
    const { length } = this.#queue;
    const batch = this.#queue.splice(0, full < 0 ? length : full);
    const nowMs = performance.now();
    for (const { bytes, deadlineMs, reject } of batch) {
      this.#bytes -= bytes;
      // Who has waited too long behind others: nothing must come of it any more.
      if (deadlineMs <= nowMs) reject(this.#failure ?? tooSlow(length));
    }
    return batch.filter(({ deadlineMs }) => deadlineMs > nowMs);
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    for (let failures = 0; batch.length > 0; failures++) {
      try {
        const positions = await this.#store.publish(batch);
        this.#failure = undefined;
        for (const [index, position] of positions.entries()) batch[index]?.resolve(position);
        this.#onStored();
        return;
      } catch (cause) {
        if (failureOf(cause) === "refused") return await this.#refuse(batch, cause);
        this.#failure = cause;
        const pauseMs = backoffMs(failures, STATEMENT_BACKOFF);
        // While there is time to say why.
        batch = this.#withTime(batch, pauseMs, cause);
        if (batch.length > 0) await this.#pause.wait(pauseMs);
      }
    }
  }

  /** Those that may still be tried after a pause; the others reject. */
  #withTime(batch: readonly Waiting[], pauseMs: number, cause: unknown): readonly Waiting[] {
    const endMs = this.#state === "closed" ? Infinity : performance.now() + pauseMs;
    for (const { deadlineMs, reject } of batch) if (deadlineMs <= endMs) reject(cause);
    return batch.filter(({ deadlineMs }) => deadlineMs > endMs);
  }

  /** The server refuses the statement for one of its events, most likely: the others go alone. */
  async #refuse(batch: readonly Waiting[], cause: unknown): Promise<void> {
    if (batch.length === 1) return batch[0]?.reject(cause);
    for (const waiting of batch) await this.#commit([waiting]);
  }
}

function tooSlow(waiting: number): Error {
  return new Error(`Too slow: ${waiting} events wait for PostgreSQL`);
}

function closed(): BroadcastClosedError {
  return new BroadcastClosedError("publish on this driver");
}
