import type { EventRecord, Position, StoredEvent } from "./event.ts";

interface Entry extends StoredEvent {
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
  #oldestAtMs = Infinity;
  /** Made when somebody asks for the first time. */
  #byId: Map<string, Position> | undefined;

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

  /** When the oldest stored event came; `Infinity` if none is stored. */
  get oldestAtMs(): number {
    return this.#oldestAtMs;
  }

  /** Where an event with this id is stored. */
  find(id: string): Position | undefined {
    if (this.#byId === undefined) {
      this.#byId = new Map();
      for (const entry of this.#entries) {
        if (entry !== undefined) this.#byId.set(entry.record.id, entry.position);
      }
    }
    return this.#byId.get(id);
  }

  append(record: EventRecord, nowMs: number): Position {
    const position = { epoch: this.epoch, offset: ++this.#top };
    if (this.size === 0) this.#oldestAtMs = nowMs;
    this.#entries.push({ record, position, storedAtMs: nowMs });
    this.#byId?.set(record.id, position);
    return position;
  }

  /** Drops the oldest event and tells which it was. */
  dropOldest(): StoredEvent | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    // Let go at once: compacting may be far away, or never come on a channel that falls silent.
    this.#entries[this.#head++] = undefined;
    this.#byId?.delete(entry.record.id);
    if (this.#head > 32 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#oldestAtMs = this.#entries[this.#head]?.storedAtMs ?? Infinity;
    return entry;
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
