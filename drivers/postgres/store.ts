import { BroadcastConfigError } from "../../core/errors.ts";
import type { EventRecord } from "../../core/event.ts";
import type { LeasedChange, LeasedEntry } from "../../core/leases.ts";
import type { Position } from "../../core/position.ts";
import { type Client, template, type TextRow } from "./client.ts";
import { failureOf } from "./failures.ts";
import { migration, SCHEMA_VERSION } from "./migration.ts";
import type { Names } from "./names.ts";
import { type ChannelTop, isText, readPosition, readRow, readTop, type Row } from "./rows.ts";

/** An event on its way into a channel. */
export interface Entry {
  readonly channel: string;
  readonly record: EventRecord;
}

/** What a node knows to be stored, as the server told it. */
export interface Mark {
  readonly epoch: string;
  /** Higher for a later epoch. */
  readonly generation: string;
  /** How many marks the node has left. */
  readonly marks: string;
  /** How far the log is written. */
  readonly log: string;
}

/** What has changed since the poll before. */
export interface Poll {
  /** Where the next poll goes on. */
  readonly cursor: string;
  /** Another value tells of another server, or the same one started again. */
  readonly server: string;
  /** How far its log is written. */
  readonly log: string;
  /** Something waits in the outbox. */
  readonly hasWaiting: boolean;
  /** Channels that were published on. */
  readonly changed: readonly ChannelTop[];
}

/** What was taken from the outbox. */
export interface Relay {
  /** How many rows, whatever became of them; while it is not 0, there may be more. */
  readonly taken: number;
  /** Those that can be no event, and where they are now. */
  readonly refused: readonly { readonly seq: string; readonly channel: string }[];
}

/** How much one read brings at most. */
const SLICE = { events: 1_000, bytes: 4 * 1024 * 1024 };

/** The oldest server that has `pg_current_xact_id`. */
const MIN_SERVER_VERSION = 13_00_00;

/** The functions of the migration, each with the number of its parameters. */
const CALLS = {
  poll: 1,
  tops: 1,
  read: 5,
  publish: 5,
  relay: 1,
  mark: 5,
  regressed: 3,
  expire: 2,
  trim: 4,
  lease: 5,
  leased_on: 1,
  remaining: 1,
} as const;

/** A poll's answer. As text, a time would be told in the time zone of the connection. */
const POLLED = "next, extract(epoch from server), written, outbox, channel, epoch, top";

/** The tables and functions of one application, which are made on first use. */
export class Store {
  readonly #client: Client;
  readonly #names: Names;
  readonly #maxEventBytes: number;
  readonly #statements = new Map<string, TemplateStringsArray>();
  readonly #notify = template(["select pg_notify(", ", '')"]);
  readonly #enqueue: TemplateStringsArray;
  #migrating: Promise<void> | undefined;
  /** A table or function is missing, whatever version they are said to be. */
  #isIncomplete = false;

  constructor(client: Client, names: Names, maxEventBytes: number) {
    this.#client = client;
    this.#names = names;
    this.#maxEventBytes = maxEventBytes;
    for (const [name, parameters] of Object.entries(CALLS)) {
      this.#statements.set(name, call(names.of(name), parameters, name === "poll" ? POLLED : "*"));
    }
    this.#enqueue = template([
      `insert into ${names.of("outbox")} (channel, id, event, json, except_id) values (`,
      ", ",
      ", ",
      ", ",
      ", ",
      ")",
    ]);
  }

  /** The statement that puts an event into the outbox, for the application's own transaction. */
  async enqueueing(): Promise<TemplateStringsArray> {
    await this.#migrated();
    return this.#enqueue;
  }

  /** Numbers and stores events, all or none; the positions come in the order of the events. */
  async publish(entries: readonly Entry[]): Promise<Position[]> {
    const column = (value: (entry: Entry) => string | undefined) => textArray(entries.map(value));
    const rows = await this.#call("publish", [
      column(({ channel }) => channel),
      column(({ record }) => record.id),
      column(({ record }) => record.event),
      column(({ record }) => record.json),
      column(({ record }) => record.except),
    ]);
    if (rows.length !== entries.length) {
      throw new TypeError(`PostgreSQL numbered ${rows.length} of ${entries.length} events`);
    }
    return rows.map(readPosition);
  }

  /** Numbers what waits in the outbox, and sets aside what can be no event. */
  async relay(): Promise<Relay> {
    const rows = await this.#call("relay", ["100"]);
    const refused = rows.flatMap(([, seq, channel]) =>
      isText(seq) && isText(channel) ? [{ seq, channel }] : []
    );
    return { taken: Number(rows[0]?.[0] ?? 0), refused };
  }

  /** Where that is, for people. */
  get refusedTable(): string {
    return this.#names.of("refused");
  }

  /** Tells what has changed since the cursor, or only where to begin. */
  async poll(since: string | undefined): Promise<Poll> {
    const rows = await this.#call("poll", [since ?? null]);
    const [cursor, server, log, outbox] = rows[0] ?? [];
    if (!isText(cursor) || !isText(server) || !isText(log)) {
      throw new TypeError("PostgreSQL answered a poll without a cursor");
    }
    const changed = rows.map((row) => readTop(row.slice(4))).filter((top) => top !== undefined);
    return { cursor, server, log, hasWaiting: outbox === "t", changed };
  }

  /** Tells where channels stand. */
  async tops(channels: readonly string[]): Promise<ChannelTop[]> {
    const rows = await this.#call("tops", [textArray(channels)]);
    return rows.map(readTop).filter((top) => top !== undefined);
  }

  /** Reads the next events of channels, each after a number: some of them, never none if there are. */
  async read(afters: readonly (readonly [channel: string, after: number])[]): Promise<Row[]> {
    const rows = await this.#call("read", [
      textArray(afters.map(([channel]) => channel)),
      textArray(afters.map(([, after]) => String(after))),
      String(SLICE.events),
      String(SLICE.bytes),
      String(this.#maxEventBytes),
    ]);
    return rows.map(readRow).filter((row) => row !== undefined);
  }

  /**
   * Leaves a mark of this node's. Every epoch is made anew where the data is not of this server's line,
   * or without what the node's last mark proves to have been there.
   */
  async mark(node: string, last: Mark | undefined): Promise<Mark> {
    const [row] = await this.#call("mark", [
      node,
      last?.epoch ?? null,
      last?.generation ?? null,
      last?.marks ?? null,
      last?.log ?? null,
    ]);
    const [epoch, generation, marks, log] = row ?? [];
    if (!isText(epoch) || !isText(generation) || !isText(marks) || !isText(log)) {
      throw new TypeError("PostgreSQL took a mark without an answer");
    }
    return { epoch, generation, marks, log };
  }

  /** Makes every epoch anew, as a channel ends before an event that was seen on it. */
  async regressed(channel: string, { epoch, offset }: Position): Promise<void> {
    await this.#call("regressed", [channel, epoch, String(offset)]);
  }

  /** Removes some of what is older; the count tells whether there may be more. */
  async expire(ageMs: number, most: number): Promise<number> {
    const [row] = await this.#call("expire", [String(ageMs), String(most)]);
    return Number(row?.[0] ?? 0);
  }

  /** Removes some of what is too much on the channels after this one, and says where to go on. */
  async trim(after: string, events: number, graceMs: number, most: number): Promise<string | null> {
    const rows = await this.#call("trim", [after, String(events), String(graceMs), String(most)]);
    return rows[0]?.[0] ?? null;
  }

  /** Writes an owner's entries and renews the lease; answers its name. */
  async lease(
    owner: string,
    leaseMs: number,
    changes: readonly LeasedChange[],
  ): Promise<string> {
    const [row] = await this.#call("lease", [
      owner,
      String(leaseMs),
      textArray(changes.map(({ topic }) => topic)),
      textArray(changes.map(({ key }) => key)),
      textArray(changes.map(({ value }) => value)),
    ]);
    const name = row?.[0];
    if (!isText(name)) throw new TypeError("PostgreSQL answered no name of a lease");
    return name;
  }

  /** Every entry of a topic whose owner's lease holds. */
  async leasedOn(topic: string): Promise<LeasedEntry[]> {
    const rows = await this.#call("leased_on", [topic]);
    return rows.flatMap(([owner, key, value]) =>
      isText(owner) && isText(key) && isText(value) ? [{ owner, key, value }] : []
    );
  }

  /** How long these leases hold, in milliseconds. */
  async remainingMs(owners: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#call("remaining", [textArray(owners)]);
    return new Map(rows.flatMap(([owner, ms]) => isText(owner) ? [[owner, Number(ms)]] : []));
  }

  /** Tells the other nodes to look. */
  async ring(): Promise<void> {
    await this.#client.run(this.#notify, [this.#names.bell]);
  }

  async #call(
    name: keyof typeof CALLS,
    parameters: readonly (string | null)[],
  ): Promise<TextRow[]> {
    await this.#migrated();
    const statement = this.#statements.get(name);
    if (statement === undefined) throw new TypeError(`There is no function "${name}"`);
    try {
      return await this.#client.run(statement, parameters);
    } catch (cause) {
      // Somebody has dropped the tables, or some: the next call makes them again, with new epochs.
      if (failureOf(cause) === "unmigrated") {
        this.#migrating = undefined;
        this.#isIncomplete = true;
      }
      throw cause;
    }
  }

  #migrated(): Promise<void> {
    return this.#migrating ??= this.#migrate().catch((cause) => {
      this.#migrating = undefined;
      throw cause;
    });
  }

  async #migrate(): Promise<void> {
    const version = await this.#version();
    if (version === SCHEMA_VERSION && !this.#isIncomplete) return;
    if (version !== undefined && !(version <= SCHEMA_VERSION)) {
      throw new BroadcastConfigError(
        `Cannot use the tables ${
          this.#names.of("*")
        }: their version must be ${SCHEMA_VERSION}, got ${version}`,
        { context: { version } },
      );
    }
    await this.#assertServer();
    await this.#client.run(template([migration(this.#names)]));
    this.#isIncomplete = false;
  }

  async #assertServer(): Promise<void> {
    const rows = await this.#client.run(template(["select current_setting('server_version_num')"]));
    const version = Number(rows[0]?.[0]);
    if (version >= MIN_SERVER_VERSION) return;
    const major = Math.floor(version / 10_000);
    throw new BroadcastConfigError(
      `Cannot make tables: PostgreSQL ${major} is too old, 13 or later is needed`,
      { context: { version } },
    );
  }

  async #version(): Promise<number | undefined> {
    try {
      const rows = await this.#client.run(
        template([`select version from ${this.#names.of("store")}`]),
      );
      return rows[0] === undefined ? undefined : Number(rows[0][0]);
    } catch (cause) {
      if (failureOf(cause) === "unmigrated") return;
      throw cause;
    }
  }
}

function call(name: string, parameters: number, columns: string): TemplateStringsArray {
  return template([`select ${columns} from ${name}(`, ...Array(parameters - 1).fill(", "), ")"]);
}

/** An array as PostgreSQL reads it: one parameter, however many events there are. */
function textArray(values: readonly (string | undefined)[]): string {
  const quoted = values.map((value) =>
    value === undefined ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`
  );
  return `{${quoted.join(",")}}`;
}
