import type { EventRecord, StoredEvent } from "./event.ts";
import type { Position } from "./position.ts";

/**
 * The recent events of one channel: numbered without holes, oldest first. It only keeps and trims;
 * how much is kept is decided by its owner, who sees all channels. An event's position follows from
 * where it stands, so that nothing is kept for each but its record and its time.
 */
export class HistoryRing {
  readonly epoch: string;
  #records: (EventRecord | undefined)[] = [];
  /** When each of them came. */
  #storedAtMs: number[] = [];
  /** Records before it are dropped; compacting now and then keeps dropping cheap. */
  #head = 0;
  #top = 0;
  #oldestAtMs = Infinity;
  /** The offset of each id; made when somebody asks for the first time. */
  #byId: Map<string, number> | undefined;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** Position of the newest event ever appended, whether or not it is still stored. */
  get top(): Position {
    return { epoch: this.epoch, offset: this.#top };
  }

  /** How many events are stored. */
  get size(): number {
    return this.#records.length - this.#head;
  }

  /** When the oldest stored event came; `Infinity` if none is stored. */
  get oldestAtMs(): number {
    return this.#oldestAtMs;
  }

  /** Where an event with this id is stored. */
  find(id: string): Position | undefined {
    this.#byId ??= this.#index();
    const offset = this.#byId.get(id);
    return offset === undefined ? undefined : { epoch: this.epoch, offset };
  }

  append(record: EventRecord, nowMs: number): Position {
    if (this.size === 0) this.#oldestAtMs = nowMs;
    this.#records.push(record);
    this.#storedAtMs.push(nowMs);
    this.#top++;
    this.#byId?.set(record.id, this.#top);
    return this.top;
  }

  /** Drops the oldest event and tells which it was. */
  dropOldest(): StoredEvent | undefined {
    const record = this.#records[this.#head];
    if (record === undefined) return undefined;
    const position = this.#positionAt(this.#head);
    // Let go at once: compacting may be far away, or never come on a channel that falls silent.
    this.#records[this.#head++] = undefined;
    this.#byId?.delete(record.id);
    if (this.#head > 32 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#storedAtMs = this.#storedAtMs.slice(this.#head);
      this.#head = 0;
    }
    this.#oldestAtMs = this.#storedAtMs[this.#head] ?? Infinity;
    return { record, position };
  }

  /** Everything after a position, or `undefined` where that cannot be proven. */
  after(position: Position): StoredEvent[] | undefined {
    const missing = this.#top - position.offset;
    const isWithin = Number.isSafeInteger(missing) && missing >= 0 && missing <= this.size;
    if (position.epoch !== this.epoch || !isWithin) return undefined;
    const events: StoredEvent[] = [];
    for (let at = this.#records.length - missing; at < this.#records.length; at++) {
      const record = this.#records[at];
      if (record !== undefined) events.push({ record, position: this.#positionAt(at) });
    }
    return events;
  }

  #positionAt(index: number): Position {
    return { epoch: this.epoch, offset: this.#top - this.#records.length + 1 + index };
  }

  #index(): Map<string, number> {
    const offsets = new Map<string, number>();
    this.#records.forEach((record, index) => {
      if (record !== undefined) offsets.set(record.id, this.#positionAt(index).offset);
    });
    return offsets;
  }
}
