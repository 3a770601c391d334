import type { EventRecord } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";

/** Most events, and most characters of data but for a single one, that go together. */
const MAX_EVENTS = 256;
const MAX_CHARACTERS = 1024 * 1024;

/** A channel where a step is under way. */
interface BusyChannel {
  /** In the order of their calls. */
  readonly waiting: Set<Publish>;
  /** What went wrong last, since a step went well. */
  lastError: unknown;
}

interface Publish {
  readonly record: EventRecord;
  readonly busy: BusyChannel;
  /** By when it is to be settled. */
  readonly deadline: number;
  resolve(position: Position): void;
  reject(cause: unknown): void;
}

/**
 * Publishes events in this order, all or none as far as it knows, and settles within the time.
 * `failed` hears of every attempt that failed.
 */
type Send = (
  channel: string,
  records: readonly EventRecord[],
  timeoutMs: number,
  failed: (cause: unknown) => void,
) => Promise<readonly Position[]>;

/**
 * Publishes at once on a channel where nothing is under way; what comes meanwhile goes together in
 * the next step. So an idle channel waits for nothing, and a busy one asks seldom. Never are two steps
 * under way on a channel: where the first had to be tried again, the second would overtake it.
 * However many wait before it, a publish is rejected when its own time is over.
 */
export class Batches {
  readonly #send: Send;
  readonly #timeoutMs: number;
  readonly #lastError: () => unknown;
  readonly #channels = new Map<string, BusyChannel>();
  /** Whose time is watched here, the oldest first. The newest of a step has that of its step. */
  readonly #watched = new Set<Publish>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `lastError` is what keeps everything, if anything does; told when the time is over. */
  constructor(send: Send, timeoutMs: number, lastError: () => unknown) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
    this.#lastError = lastError;
  }

  publish(channel: string, record: EventRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      const known = this.#channels.get(channel);
      const busy = known ?? { waiting: new Set(), lastError: undefined };
      const publish = { record, busy, deadline: Date.now() + this.#timeoutMs, resolve, reject };
      busy.waiting.add(publish);
      this.#watched.add(publish);
      if (known === undefined) this.#work(channel, busy);
      this.#watch();
    });
  }

  async #work(channel: string, busy: BusyChannel): Promise<void> {
    this.#channels.set(channel, busy);
    for (let batch = takeBatch(busy.waiting); batch.length > 0; batch = takeBatch(busy.waiting)) {
      try {
        const positions = await this.#step(channel, busy, batch);
        busy.lastError = undefined;
        for (const [i, publish] of batch.entries()) {
          const position = positions[i];
          if (position === undefined) publish.reject(new Error("Redis answered for fewer events"));
          else publish.resolve(position);
        }
      } catch (cause) {
        busy.lastError = cause;
        for (const publish of batch) publish.reject(cause);
      }
      for (const publish of batch) this.#watched.delete(publish);
      // Whose time is over with the step's is not sent any more.
      this.#expire();
    }
    this.#channels.delete(channel);
  }

  #step(
    channel: string,
    busy: BusyChannel,
    batch: readonly Publish[],
  ): Promise<readonly Position[]> {
    const deadline = batch.at(-1)?.deadline ?? 0;
    // Who has as much time as the step hears from it what went wrong.
    for (const publish of batch) {
      if (publish.deadline === deadline) this.#watched.delete(publish);
    }
    const timeoutMs = Math.max(0, deadline - Date.now());
    const failed = (cause: unknown) => busy.lastError = cause;
    return this.#send(channel, batch.map(({ record }) => record), timeoutMs, failed);
  }

  /** One timer is enough: who called first is first to be over. */
  #watch(): void {
    const [oldest] = this.#watched;
    if (oldest === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#expire();
      }, Math.max(0, oldest.deadline - Date.now()));
    }
  }

  #expire(): void {
    const now = Date.now();
    for (const publish of this.#watched) {
      if (publish.deadline > now) break;
      this.#watched.delete(publish);
      publish.busy.waiting.delete(publish);
      publish.reject(
        new Error(`No answer within ${this.#timeoutMs} ms`, {
          cause: this.#lastError() ?? publish.busy.lastError,
        }),
      );
    }
    this.#watch();
  }
}

function takeBatch(waiting: Set<Publish>): Publish[] {
  const batch: Publish[] = [];
  let characters = 0;
  for (const publish of waiting) {
    characters += publish.record.json.length;
    if (batch.length === MAX_EVENTS) break;
    if (batch.length > 0 && characters > MAX_CHARACTERS) break;
    waiting.delete(publish);
    batch.push(publish);
  }
  return batch;
}
