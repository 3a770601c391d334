import postgres from "postgres";
import { Deadlines } from "../../core/deadline.ts";
import { BroadcastClosedError } from "../../core/errors.ts";
import { failureOf } from "./failures.ts";
import { Sockets } from "./sockets.ts";

/** A row as the server sent it: text, column by column, whatever types the client knows. */
export type TextRow = readonly (string | null)[];

/** A client of postgres.js, as far as it is used. */
export interface PostgresClient {
  /** Prepares a statement with text parameters. */
  (template: TemplateStringsArray, ...parameters: (string | null)[]): {
    /** Runs it. */
    raw(): PromiseLike<unknown>;
  };
  /** What it connects with: LISTEN needs a connection of its own, which is ours to end. */
  readonly options: object;
}

/** A transaction of postgres.js, as `sql.begin` hands it out. */
export interface PostgresTransaction {
  /** Runs a statement with text parameters. */
  (template: TemplateStringsArray, ...parameters: (string | null)[]): PromiseLike<unknown>;
  /** What tells a transaction from a client. */
  savepoint(...args: never[]): unknown;
}

/** What to connect to: a URL, or a client of the application's. */
export interface ClientOptions {
  readonly url?: string | undefined;
  readonly sql?: PostgresClient | undefined;
  readonly maxConnections: number;
  readonly prepare: boolean;
  /** How long one statement may take, connecting included. */
  readonly statementTimeoutMs: number;
}

/** How long `close` waits for what is under way. */
const CLOSING_SECONDS = 1;

/**
 * Runs statements, each with its deadline. A client of our own is thrown away whole when a connection
 * breaks or falls silent: what waits on it is told at once, and the next statement starts clean. The
 * application's client is used as it is, and left open.
 */
export class Client {
  readonly #options: ClientOptions;
  readonly #deadlines = new Deadlines();
  readonly #decoder = new TextDecoder();
  #state: "open" | "closed" = "open";
  #own: OwnClient | undefined;
  /** What is thrown away and not gone yet. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Runs a statement with text parameters. */
  async run(
    strings: TemplateStringsArray,
    parameters: readonly (string | null)[] = [],
  ): Promise<TextRow[]> {
    if (this.#state === "closed") throw new BroadcastClosedError("ask PostgreSQL");
    const own = this.#options.sql === undefined ? this.#own ??= this.#open() : undefined;
    const sql = own?.sql ?? this.#options.sql;
    if (sql === undefined) throw new Error("There is no client");
    try {
      const query = Promise.resolve(sql(strings, ...parameters).raw());
      const rows = await this.#deadlines.race(query, this.#options.statementTimeoutMs);
      return this.#decode(rows);
    } catch (cause) {
      if (own !== undefined && own === this.#own && failureOf(cause) === "disconnected") {
        this.#own = undefined;
        this.#leave(own.discard());
      }
      throw cause;
    }
  }

  /** Ends our own connections; what is under way has a moment to finish. */
  async close(): Promise<void> {
    this.#state = "closed";
    const own = this.#own;
    this.#own = undefined;
    if (own !== undefined) this.#leave(own.end());
    await Promise.all(this.#leaving);
    this.#deadlines.close();
  }

  #open(): OwnClient {
    const { url = "", maxConnections, prepare, statementTimeoutMs } = this.#options;
    return new OwnClient(url, {
      max: maxConnections,
      prepare,
      connectTimeoutMs: statementTimeoutMs,
    });
  }

  #leave(leaving: Promise<void>): void {
    const gone = leaving.finally(() => this.#leaving.delete(gone));
    this.#leaving.add(gone);
  }

  #decode(rows: unknown): TextRow[] {
    if (!Array.isArray(rows)) throw new TypeError("PostgreSQL sent no rows");
    return rows.map((row: unknown) => {
      if (!Array.isArray(row)) throw new TypeError("PostgreSQL sent a row without columns");
      return row.map((value: unknown) =>
        value instanceof Uint8Array ? this.#decoder.decode(value) : null
      );
    });
  }
}

/** What a client that we open ourselves is made from, beside its address. */
export interface OwnClientOptions {
  readonly max: number;
  readonly prepare: boolean;
  readonly connectTimeoutMs: number;
  /** Hears of notifications. */
  readonly onnotify?: () => void;
  /** Hears that a connection ended. */
  readonly onclose?: () => void;
}

/** A client that we opened ourselves, with its connections. */
export class OwnClient {
  readonly sql: postgres.Sql;
  readonly #sockets = new Sockets();

  /** `server` is a URL, or the options of another client. */
  constructor(server: string | object, { connectTimeoutMs, ...options }: OwnClientOptions) {
    const all = {
      ...options,
      connect_timeout: connectTimeoutMs / 1_000,
      // Who runs statements decides when to try again, so that no timer of the client outlives it.
      backoff: false,
      max_lifetime: null,
      fetch_types: false,
      // Otherwise notices are printed.
      onnotice() {},
      socket: (address: postgres.ParsedOptions) => this.#sockets.connect(address),
    };
    this.sql = typeof server === "string" ? postgres(server, all) : postgres({
      ...server,
      ...all,
      // The application may open sockets in a way of its own.
      ...("socket" in server && server.socket ? { socket: server.socket } : {}),
    });
  }

  /** Ends it, with a moment for what is under way. */
  end(): Promise<void> {
    return this.#end(CLOSING_SECONDS);
  }

  /** Ends it at once; what is under way rejects. */
  discard(): Promise<void> {
    return this.#end(0);
  }

  async #end(timeout: number): Promise<void> {
    // First: a goodbye on an encrypted socket that is gone is an error that Node ends the process with.
    await this.sql.end({ timeout });
    await this.#sockets.close();
  }
}

/** Statements by their texts: a handful for each schema and prefix. */
const templates = new Map<string, TemplateStringsArray>();

/**
 * A statement that is not written in place. One object for each text, whoever asks for it: postgres.js
 * prepares an object once, and remembers it for good, together with the client that ran it first.
 */
export function template(strings: readonly string[]): TemplateStringsArray {
  const text = strings.join("\0");
  const known = templates.get(text);
  if (known !== undefined) return known;
  const made = Object.assign([...strings], { raw: strings });
  templates.set(text, made);
  return made;
}
