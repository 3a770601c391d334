/**
 * The backplane over PostgreSQL: many nodes, one broadcast, with no server but the database that is
 * there already.
 *
 * @example
 * ```ts
 * import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
 *
 * async function serve(url: string) {
 *   await using broadcaster = new PostgresBroadcaster({ url, schema: "broadcast" });
 *   await broadcaster.publish("orders.7", { event: "paid", data: { total: 12 } });
 * }
 * ```
 *
 * @module
 */
import {
  BROADCASTER_CHECKS,
  type BroadcasterOptions,
  broadcasterOptions,
} from "../core/broadcaster_options.ts";
import { DriverBroadcaster } from "../core/driver_broadcaster.ts";
import { BroadcastConfigError, BroadcastPublishError } from "../core/errors.ts";
import type { BroadcastEventInit, PublishOptions, PublishReceipt } from "../core/event.ts";
import { describe, durationMs, integer, type OptionCheck, readOptions } from "../core/options.ts";
import type { PostgresClient, PostgresTransaction } from "./postgres/client.ts";
import { PostgresDriver } from "./postgres/driver.ts";
import { isStorable, MAX_EVENT_BYTES, STORABLE_RULE } from "./postgres/storable.ts";
import { type PostgresNames, sqlName } from "./postgres/names.ts";

export { postgresMigration } from "./postgres/migration.ts";
export type { PostgresClient, PostgresNames, PostgresTransaction };

/**
 * Options of {@linkcode PostgresBroadcaster}: one of `url` and `sql`, and at least one of `schema` and
 * `prefix`, so that two applications on one database never meet by accident.
 */
export interface PostgresBroadcasterOptions extends BroadcasterOptions, PostgresNames {
  /** Largest event in UTF-8 bytes of name, id and JSON data; 1 MiB unless told, 64 MiB at most. */
  readonly maxEventBytes?: number | undefined;
  /** Where the database is: `postgres://user:password@host:port/database`. */
  readonly url?: string | undefined;
  /**
   * The application's own client of postgres.js, which is left open. It needs two free connections;
   * the one that listens is made beside it, with its options.
   */
  readonly sql?: PostgresClient | undefined;
  /**
   * Most events kept per channel, 1,000 unless told. Those younger than a minute are kept whatever
   * their number, so that an id is known again for a minute at least.
   */
  readonly historySize?: number | undefined;
  /** How long an event is kept, in milliseconds; 3,600,000 (an hour) unless told. */
  readonly historyTtlMs?: number | undefined;
  /**
   * Whether nodes call one another by LISTEN and NOTIFY, `true` unless told. It takes a connection of
   * its own that must reach the server itself: behind PgBouncer in transaction mode turn it off.
   */
  readonly listen?: boolean | undefined;
  /**
   * How often to look for new events, called or not, in milliseconds; 1,000 unless told, and 100
   * where `listen` is off.
   */
  readonly pollIntervalMs?: number | undefined;
  /** How long a publish, a subscription or a read may take before it rejects; 10,000 unless told. */
  readonly timeoutMs?: number | undefined;
  /** Most connections, beside the one that listens; 4 unless told. Only with `url`. */
  readonly maxConnections?: number | undefined;
  /**
   * Whether statements are prepared once per connection, `true` unless told. Behind PgBouncer in
   * transaction mode turn it off. Only with `url`.
   */
  readonly prepare?: boolean | undefined;
}

/** How to publish with PostgreSQL. */
export interface PostgresPublishOptions extends PublishOptions {
  /**
   * The application's transaction, as `sql.begin` of postgres.js hands it out: the event is sent if
   * and only if it commits. It takes no lock, and is numbered by a node after the commit, so the
   * receipt has no position. What one transaction publishes keeps its order.
   */
  readonly tx?: PostgresTransaction | undefined;
}

const DEFAULTS = {
  maxEventBytes: 1024 * 1024,
  historySize: 1_000,
  historyTtlMs: 3_600_000,
  listen: true,
  timeoutMs: 10_000,
  maxConnections: 4,
  prepare: true,
} as const satisfies PostgresBroadcasterOptions;

const boolean: OptionCheck = (value) => typeof value === "boolean" ? undefined : "true or false";

const CHECKS: { readonly [Name in keyof Required<PostgresBroadcasterOptions>]: OptionCheck } = {
  ...BROADCASTER_CHECKS,
  maxEventBytes: integer(1, MAX_EVENT_BYTES),
  schema: sqlName,
  prefix: sqlName,
  url: (value) =>
    typeof value === "string" && URL.canParse(value) && /^postgres(?:ql)?:/.test(value)
      ? undefined
      : "a URL that starts with postgres://",
  sql: (value) =>
    typeof value === "function" && "options" in value && typeof value.options === "object"
      ? undefined
      : "a client of postgres.js",
  historySize: integer(1),
  historyTtlMs: durationMs(1),
  listen: boolean,
  pollIntervalMs: durationMs(1),
  timeoutMs: durationMs(1),
  maxConnections: integer(1, 1_000),
  prepare: boolean,
};

/**
 * A broadcaster for any number of nodes over one PostgreSQL. Tables and functions are made on first
 * use; {@linkcode postgresMigration} has the SQL for those who run it themselves.
 *
 * @example Publish if and only if the application's transaction commits
 * ```ts
 * import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
 * import postgres from "postgres";
 *
 * async function pay(sql: postgres.Sql, broadcaster: PostgresBroadcaster) {
 *   await sql.begin(async (tx) => {
 *     await tx`update orders set state = 'paid' where id = 7`;
 *     await broadcaster.publish("orders.7", { event: "paid", data: null }, { tx });
 *   });
 * }
 * ```
 */
export class PostgresBroadcaster<Subject = unknown> extends DriverBroadcaster<Subject> {
  readonly #driver: PostgresDriver;

  /**
   * Makes a node, which begins to connect.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: PostgresBroadcasterOptions) {
    const read = readOptions("a PostgresBroadcaster", options, CHECKS, DEFAULTS);
    const { url, sql, schema, prefix, pollIntervalMs = read.listen ? 1_000 : 100 } = read;
    if ((url === undefined) === (sql === undefined)) {
      throw new BroadcastConfigError(
        `Cannot create a PostgresBroadcaster: give one of the options "url" and "sql", not ${
          url === undefined ? "neither" : "both"
        }`,
      );
    }
    if (schema === undefined && prefix === undefined) {
      throw new BroadcastConfigError(
        `Cannot create a PostgresBroadcaster: one of the options "schema" and "prefix" is required and must be ${
          sqlName(undefined)
        }`,
      );
    }
    const driver = new PostgresDriver({ ...read, pollIntervalMs });
    super(driver, broadcasterOptions(read));
    this.#driver = driver;
  }

  /**
   * Publishes an event; see {@linkcode Broadcaster.publish}. With `tx` it resolves when the event is
   * part of that transaction, and its receipt has no position.
   */
  override async publish(
    channel: string,
    event: BroadcastEventInit,
    options: PostgresPublishOptions = {},
  ): Promise<PublishReceipt> {
    const { tx, except } = options;
    const refuse = (rule: string): never => {
      throw new BroadcastPublishError(`Cannot publish on channel ${describe(channel)}: ${rule}`, {
        context: { channel },
      });
    };
    for (const name of [event?.event, event?.id, except]) {
      if (typeof name !== "string" || isStorable(name)) continue;
      return refuse(`${STORABLE_RULE}, got ${describe(name)}`);
    }
    if (tx === undefined) return await super.publish(channel, event, options);
    if (typeof tx !== "function" || typeof tx.savepoint !== "function") {
      return refuse('option "tx" must be a transaction, as sql.begin hands it out');
    }
    return await this.send(channel, event, options, async (record) => {
      await this.#driver.publishIn(tx, channel, record);
      return undefined;
    });
  }
}
