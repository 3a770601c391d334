/**
 * A driver of one's own, whole: many processes of one machine over a file of SQLite, held to the
 * suite that every driver must pass. docs/writing-a-driver.md goes through it.
 */
import { DatabaseSync } from "node:sqlite";
import type { BroadcastDriver, ChannelSink, EventRecord, Position } from "@airwave/broadcast";

const KEPT_EVENTS = 1_000;
const POLL_INTERVAL_MS = 20;
const AFTER = "SELECT * FROM events WHERE channel = ? AND offset > ? ORDER BY offset";
const TABLES = `
  PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS channels (name TEXT PRIMARY KEY, epoch TEXT, top INTEGER);
  CREATE TABLE IF NOT EXISTS events (channel TEXT, offset INTEGER, id TEXT, record TEXT,
    PRIMARY KEY (channel, offset), UNIQUE (channel, id));`;

export class SqliteDriver implements BroadcastDriver {
  readonly abilities = { history: true, multiNode: true } as const;
  readonly #database: DatabaseSync;
  readonly #feeds = new Set<{ channel: string; sink: ChannelSink; position: Position }>();
  readonly #poll = setInterval(() => this.#deliver(), POLL_INTERVAL_MS);

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(TABLES);
  }

  publish(channel: string, record: EventRecord) {
    return Promise.try(() => {
      this.#rows("BEGIN IMMEDIATE"); // one writer at a time, so numbers have no holes
      try {
        const position = this.#store(channel, record);
        this.#rows("COMMIT");
        return position;
      } catch (error) {
        this.#rows("ROLLBACK");
        throw error;
      }
    });
  }

  subscribe(channel: string, sink: ChannelSink) {
    return Promise.try(() => {
      const feed = { channel, sink, position: this.#top(channel) };
      sink.live(feed.position);
      this.#feeds.add(feed);
      return { close: () => Promise.resolve(void this.#feeds.delete(feed)) };
    });
  }

  read(channel: string, after: Position) {
    return Promise.try(() => {
      const [top, events] = [this.#top(channel), this.#after(channel, after)];
      const complete = after.epoch === top.epoch && events.length === top.offset - after.offset;
      return complete ? { complete, events, top } : { complete, top };
    });
  }

  close() {
    clearInterval(this.#poll); // nobody else reads the feeds
    return Promise.resolve(this.#database.isOpen ? this.#database.close() : undefined);
  }

  #store(channel: string, { id, ...record }: EventRecord): Position {
    const { epoch, offset } = this.#top(channel);
    const [known] = this.#rows("SELECT * FROM events WHERE channel = ? AND id = ?", channel, id);
    if (known !== undefined) return { epoch, offset: Number(known.offset) };
    const next = offset + 1;
    this.#rows("UPDATE channels SET top = ? WHERE name = ?", next, channel);
    this.#rows("INSERT INTO events VALUES (?, ?, ?, ?)", channel, next, id, JSON.stringify(record));
    this.#rows("DELETE FROM events WHERE channel = ? AND offset = ?", channel, next - KEPT_EVENTS);
    return { epoch, offset: next };
  }

  #top(channel: string): Position {
    this.#rows("INSERT OR IGNORE INTO channels VALUES (?, ?, 0)", channel, crypto.randomUUID());
    const [row] = this.#rows("SELECT * FROM channels WHERE name = ?", channel);
    return { epoch: String(row?.epoch), offset: Number(row?.top) };
  }

  #after(channel: string, { epoch, offset }: Position) {
    return this.#rows(AFTER, channel, offset).map((row) => ({
      record: { ...JSON.parse(String(row.record)), id: String(row.id) },
      position: { epoch, offset: Number(row.offset) },
    }));
  }

  #deliver(): void {
    for (const feed of this.#feeds) {
      for (const { record, position } of this.#after(feed.channel, feed.position)) {
        feed.position = position;
        feed.sink.event(record, position);
      }
    }
  }

  #rows(sql: string, ...values: (string | number)[]) {
    return this.#database.prepare(sql).all(...values);
  }
}
