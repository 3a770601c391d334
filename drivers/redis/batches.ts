import type { EventRecord, Position } from "../../core/event.ts";

/** Most events, and most characters of data but for a single one, that go together. */
const MAX_EVENTS = 256;
const MAX_CHARACTERS = 1024 * 1024;

interface Waiting {
  readonly record: EventRecord;
  resolve(position: Position): void;
  reject(cause: unknown): void;
}

/**
 * Publishes at once on a channel where nothing is under way; what comes meanwhile goes together in
 * the next step. So an idle channel waits for nothing, and a busy one asks seldom.
 */
export class Batches {
  readonly #send: (
    channel: string,
    records: readonly EventRecord[],
  ) => Promise<readonly Position[]>;
  /** What waits on each channel where something is under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  /** `send` publishes events in this order, all or none as far as it knows. */
  constructor(
    send: (channel: string, records: readonly EventRecord[]) => Promise<readonly Position[]>,
  ) {
    this.#send = send;
  }

  publish(channel: string, record: EventRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      const entry = { record, resolve, reject };
      const waiting = this.#waiting.get(channel);
      if (waiting !== undefined) waiting.push(entry);
      else this.#work(channel, entry);
    });
  }

  async #work(channel: string, first: Waiting): Promise<void> {
    const waiting: Waiting[] = [];
    this.#waiting.set(channel, waiting);
    for (let batch = [first]; batch.length > 0; batch = takeBatch(waiting)) {
      try {
        const positions = await this.#send(channel, batch.map(({ record }) => record));
        for (const [i, entry] of batch.entries()) {
          const position = positions[i];
          if (position === undefined) entry.reject(new Error("Redis answered for fewer events"));
          else entry.resolve(position);
        }
      } catch (cause) {
        for (const entry of batch) entry.reject(cause);
      }
    }
    this.#waiting.delete(channel);
  }
}

function takeBatch(waiting: Waiting[]): Waiting[] {
  let [count, characters] = [0, 0];
  for (const { record } of waiting) {
    characters += record.json.length;
    if (count === MAX_EVENTS || (count > 0 && characters > MAX_CHARACTERS)) break;
    count++;
  }
  return waiting.splice(0, count);
}
