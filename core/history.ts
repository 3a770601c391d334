import type { EventRecord, Position, StoredEvent } from "./event.ts";

interface Entry extends StoredEvent {
  readonly bytes: number;
  readonly storedAtMs: number;
}

/**
 * The recent events of one channel: numbered without holes, oldest first. It only keeps and trims;
 * how much is kept is decided by its owner, who sees all channels.
 */
export class HistoryRing {
  readonly epoch: string;
  #entries: (Entry | undefined)[] = [];
  /** Entries before it are dropped; compacting now and then keeps dropping cheap. */
  #head = 0;
  #top = 0;
  #byId = new Map<string, Position>();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** Position of the newest event ever appended, whether or not it is still stored. */
  get top(): Position {
    return { epoch: this.epoch, offset: this.#top };
  }

  /** How many events are stored. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** When the oldest stored event came, or `undefined` if none is stored. */
  get oldestAtMs(): number | undefined {
    return this.#entries[this.#head]?.storedAtMs;
  }

  /** Where an event with this id is stored. */
  find(id: string): Position | undefined {
    return this.#byId.get(id);
  }

  append(record: EventRecord, bytes: number, nowMs: number): Position {
    const position = { epoch: this.epoch, offset: ++this.#top };
    this.#entries.push({ record, position, bytes, storedAtMs: nowMs });
    this.#byId.set(record.id, position);
    return position;
  }

  /** Drops the oldest event and tells its bytes; 0 if there was none. */
  dropOldest(): number {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return 0;
    // Let go at once: compacting may be far away, or never come on a channel that falls silent.
    this.#entries[this.#head++] = undefined;
    this.#byId.delete(entry.record.id);
    if (this.#head > 32 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry.bytes;
  }

  /** Everything after a position, or `undefined` where that cannot be proven. */
  after(position: Position): StoredEvent[] | undefined {
    const missing = this.#top - position.offset;
    const isWithin = Number.isSafeInteger(missing) && missing >= 0 && missing <= this.size;
    if (position.epoch !== this.epoch || !isWithin) return undefined;
    const events: StoredEvent[] = [];
    for (const entry of this.#entries.slice(this.#entries.length - missing)) {
      if (entry !== undefined) events.push({ record: entry.record, position: entry.position });
    }
    return events;
  }
}
