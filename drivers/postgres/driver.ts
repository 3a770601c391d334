import { Deadlines } from "../../core/deadline.ts";
import type {
  BroadcastDriver,
  ChannelSink,
  DriverHost,
  DriverSubscription,
  HistoryRead,
} from "../../core/driver.ts";
import { BroadcastClosedError, BroadcastSubscribeError } from "../../core/errors.ts";
import { eventBytes, type EventRecord, type StoredEvent } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { explainPostgres } from "./advice.ts";
import { Bell } from "./bell.ts";
import { Client, type PostgresClient, type PostgresTransaction } from "./client.ts";
import { failureOf } from "./failures.ts";
import { GroupCommit } from "./group_commit.ts";
import { PostgresLeases } from "./leases.ts";
import { Names } from "./names.ts";
import { Outbox } from "./outbox.ts";
import { Reader } from "./reader.ts";
import { Retention } from "./retention.ts";
import { isStorable, STORABLE_RULE } from "./storable.ts";
import { Store } from "./store.ts";

/** What a driver is made from: options that were read. */
export interface PostgresDriverOptions {
  readonly url?: string | undefined;
  readonly sql?: PostgresClient | undefined;
  readonly schema?: string | undefined;
  readonly prefix?: string | undefined;
  readonly historySize: number;
  readonly historyTtlMs: number;
  readonly listen: boolean;
  readonly pollIntervalMs: number;
  readonly timeoutMs: number;
  readonly maxConnections: number;
  readonly prepare: boolean;
  readonly maxEventBytes: number;
}

/** What one `read` brings at most; a longer gap is not proven but told as lost. */
const MAX_READ_BYTES = 64 * 1024 * 1024;
const RETENTION_INTERVAL_MS = 15_000;
const RETENTION_GRACE_MS = 60_000;

const DEAF =
  "Cannot hear NOTIFY, so events wait for the next poll: LISTEN needs a connection of its " +
  'own, behind PgBouncer in transaction mode set the option "listen" to false';

/** A node over PostgreSQL: the parts, put together. */
export class PostgresDriver implements BroadcastDriver {
  readonly abilities = { history: true, multiNode: true } as const;
  readonly leases: PostgresLeases;
  readonly #options: PostgresDriverOptions;
  readonly #client: Client;
  readonly #store: Store;
  readonly #deadlines = new Deadlines();
  readonly #commit: GroupCommit;
  readonly #bell: Bell | undefined;
  #host: DriverHost | undefined;
  #outbox: Outbox | undefined;
  #reader: Reader | undefined;
  #retention: Retention | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresDriverOptions) {
    const { url, sql, maxConnections, prepare, timeoutMs } = options;
    this.#options = options;
    // Half of the time for a statement, so that there is time for a second try.
    const statementTimeoutMs = Math.ceil(timeoutMs / 2);
    this.#client = new Client({ url, sql, maxConnections, prepare, statementTimeoutMs });
    const names = new Names(options);
    this.#store = new Store(this.#client, names, options.maxEventBytes);
    this.leases = new PostgresLeases(this.#store, (answer) => this.#within(answer));
    this.#commit = new GroupCommit(this.#store, timeoutMs, () => this.#onStored());
    const server = url ?? sql?.options;
    this.#bell = options.listen && server !== undefined
      ? new Bell(this.#store, {
        server,
        name: names.bell,
        timeoutMs: statementTimeoutMs,
        onRing: () => this.#reader?.wake(),
        onDeaf: () => this.#host?.report(new BroadcastSubscribeError(DEAF, { status: 503 })),
        isPublishing: () => this.#commit.isBusy,
      })
      : undefined;
  }

  open(host: DriverHost): void {
    this.#host = host;
    const { pollIntervalMs, historySize, historyTtlMs } = this.#options;
    const outbox = this.#outbox = new Outbox({
      store: this.#store,
      host,
      onRelayed: (taken) => {
        if (taken > 0) this.#bell?.ring();
        // There may be more, also where another node was faster.
        this.#reader?.look();
      },
    });
    this.#reader = new Reader({
      store: this.#store,
      host,
      pollIntervalMs,
      onOutbox: () => outbox.relay(),
    });
    this.#retention = new Retention(
      this.#store,
      { historySize, historyTtlMs, graceMs: RETENTION_GRACE_MS, intervalMs: RETENTION_INTERVAL_MS },
      (cause) => {
        // An outage is told as health.
        if (failureOf(cause) === "disconnected") return;
        const message = `Cannot trim the history: ${explainPostgres(cause)}`;
        host.report(new BroadcastSubscribeError(message, { status: 503, cause }));
      },
    );
    this.#reader.open();
    this.#bell?.open();
    this.#retention.open();
  }

  async publish(channel: string, record: EventRecord): Promise<Position> {
    this.#assertOpen("publish");
    assertStorable(record);
    return await this.#within(
      this.#commit.publish(channel, record),
      () => this.#commit.hindrance,
    );
  }

  /** Puts an event into the outbox as part of the application's transaction, without any lock. */
  async publishIn(
    tx: PostgresTransaction,
    channel: string,
    record: EventRecord,
  ): Promise<void> {
    this.#assertOpen("publish");
    assertStorable(record);
    const statement = await this.#within(this.#store.enqueueing());
    const { id, event, json, except = null } = record;
    await this.#within(tx(statement, channel, id, event, json, except));
    this.#reader?.expectOutbox();
  }

  async subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription> {
    this.#assertOpen("subscribe");
    const subscription = this.#reader?.subscribe(channel, sink);
    if (subscription === undefined) throw new TypeError("The driver was not opened");
    try {
      await this.#within(subscription.started);
    } catch (cause) {
      subscription.end();
      throw this.#reader?.failure ?? cause;
    }
    return {
      close: () => {
        subscription.end();
        return Promise.resolve();
      },
    };
  }

  async read(channel: string, after: Position): Promise<HistoryRead> {
    this.#assertOpen("read");
    return await this.#within(this.#read(channel, after));
  }

  explain(cause: unknown): string {
    return explainPostgres(cause);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#commit.close();
    const parts = [this.#reader?.close(), this.#outbox?.close(), this.#retention?.close()];
    await this.#bell?.finish();
    parts.push(this.#bell?.close());
    await this.#client.close();
    this.#deadlines.close();
    await Promise.all(parts);
  }

  #onStored(): void {
    this.#reader?.wake();
    this.#bell?.ring();
  }

  /** Once more on a new connection, if it was only that: a resume must not fail for it. */
  async #read(channel: string, after: Position): Promise<HistoryRead> {
    try {
      return await this.#readOnce(channel, after);
    } catch (cause) {
      if (failureOf(cause) !== "disconnected") throw cause;
      return await this.#readOnce(channel, after);
    }
  }

  async #readOnce(channel: string, after: Position): Promise<HistoryRead> {
    const [located] = await this.#store.tops([channel]);
    if (located === undefined) throw new TypeError("PostgreSQL does not know where the channel is");
    const { top } = located;
    if (after.epoch !== top.epoch) return { complete: false, top };
    const events: StoredEvent[] = [];
    let last = after.offset;
    let bytes = 0;
    while (last < top.offset) {
      const rows = await this.#store.read([[channel, last]]);
      for (const { epoch, number, record } of rows) {
        if (number > top.offset) break;
        if (record === undefined || number !== last + 1 || epoch !== top.epoch) break;
        events.push({ record, position: { epoch, offset: number } });
        bytes += eventBytes(record);
        last = number;
      }
      const next = rows.at(-1)?.number ?? 0;
      if (last < Math.min(next, top.offset) || rows.length === 0 || bytes > MAX_READ_BYTES) break;
    }
    return last === top.offset ? { complete: true, events, top } : { complete: false, top };
  }

  #within<T>(answer: PromiseLike<T>, why?: () => unknown): Promise<T> {
    return this.#deadlines.race(Promise.resolve(answer), this.#options.timeoutMs, why);
  }

  #assertOpen(action: string): void {
    if (this.#closing !== undefined) throw new BroadcastClosedError(`${action} on this driver`);
  }
}

function assertStorable({ id, event, json, except = "" }: EventRecord): void {
  for (const [part, text] of Object.entries({ id, event, json, except })) {
    if (!isStorable(text)) throw new TypeError(`Cannot store the ${part}: ${STORABLE_RULE}`);
  }
}
