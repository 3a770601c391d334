import type { EventRecord, Position } from "../../core/event.ts";

/** Most events, and most characters of data but for a single one, that go together. */
const MAX_EVENTS = 256;
const MAX_CHARACTERS = 1024 * 1024;

/** So many that wait are worth a second step under way, so that neither side idles. */
const CROWD = 64;

/** A channel where something is under way. */
interface BusyChannel {
  readonly waiting: Waiting[];
  underWay: number;
}

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
  readonly #channels = new Map<string, BusyChannel>();

  /** `send` publishes events in this order, all or none as far as it knows. */
  constructor(
    send: (channel: string, records: readonly EventRecord[]) => Promise<readonly Position[]>,
  ) {
    this.#send = send;
  }

  publish(channel: string, record: EventRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      const busy = this.#channels.get(channel) ?? { waiting: [], underWay: 0 };
      this.#channels.set(channel, busy);
      const { waiting, underWay } = busy;
      waiting.push({ record, resolve, reject });
      if (underWay === 0 || (underWay === 1 && waiting.length >= CROWD)) this.#work(channel, busy);
    });
  }

  async #work(channel: string, busy: BusyChannel): Promise<void> {
    busy.underWay++;
    for (let batch = takeBatch(busy.waiting); batch.length > 0; batch = takeBatch(busy.waiting)) {
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
    if (--busy.underWay === 0) this.#channels.delete(channel);
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
