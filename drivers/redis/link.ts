import type { Cluster, Redis } from "ioredis";
import { backoffMs } from "../../core/backoff.ts";
import { Deadlines } from "../../core/deadline.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import { reasonOf } from "../../core/reason.ts";
import { isCluster } from "./client.ts";
import { Pauses } from "./pauses.ts";

/** How long to wait between two attempts to connect. */
const BACKOFF = { initialMs: 50, maxMs: 2_000 };

/** What a link tells its owner. */
export interface LinkHooks {
  /** A fresh connection is ready. */
  up(): void;
  /** The connection is gone, or none could be made. */
  down(cause: unknown): void;
  /** It is asked whether it still answers; what else may change with time is to be asked now. */
  beat?(): void;
}

/**
 * Keeps connected, and gives up a connection that has fallen silent. Each connection is a client of
 * its own, whose ways of coming back are switched off: it would send again what may have been
 * executed, and a cluster's client that has lost every node may never say so.
 */
export class Link<Client extends Redis | Cluster = Redis | Cluster> {
  /** Between two pings. */
  readonly heartbeatMs: number;
  readonly #make: () => Client;
  readonly #hooks: LinkHooks;
  readonly #pauses = new Pauses();
  readonly #deadlines = new Deadlines();
  readonly #waiting = new Set<() => void>();
  /** Connections that have not answered the last ping yet. */
  readonly #silent = new Set<Redis>();
  readonly #heartbeat: ReturnType<typeof setInterval>;
  readonly #kept: Promise<void>;
  #client: Client;
  /** Resolves when the client of now is to be given up. */
  #given: Deferred<void> = deferred();
  #state: "down" | "up" | "closed" = "down";
  #connections = 0;
  #lastError: unknown;

  /** Begins to connect. `make` makes a client that does not connect by itself. */
  constructor(make: () => Client, heartbeatMs: number, hooks: LinkHooks) {
    this.#make = make;
    this.heartbeatMs = heartbeatMs;
    this.#hooks = hooks;
    this.#client = this.#make();
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#kept = this.#keep();
  }

  /** The client of the connection that is, or was last. */
  get client(): Client {
    return this.#client;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Counts the connections so far: two calls with the same number had the same connection. */
  get connection(): number {
    return this.#connections;
  }

  /** What went wrong last. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Calls back once it is up, at once if it is. What it returns takes the call back. */
  whenUp(call: () => void): () => void {
    if (this.#state === "up") call();
    else this.#waiting.add(call);
    return () => this.#waiting.delete(call);
  }

  /** Gives up the connection and makes another. */
  renew(cause: unknown): void {
    this.#lastError = cause;
    this.#given.resolve();
  }

  /** Ends the connection and every attempt to make one. Idempotent. */
  async close(): Promise<void> {
    this.#state = "closed";
    clearInterval(this.#heartbeat);
    this.#pauses.close();
    this.#deadlines.close();
    this.#waiting.clear();
    this.#given.resolve();
    await this.#kept;
  }

  async #keep(): Promise<void> {
    for (let failures = 0; !this.#isClosed; failures++) {
      const given = this.#given = deferred();
      const client = this.#client;
      // Without a listener the client writes its errors to the console.
      client.on("error", this.#onError);
      client.on("node error", this.#onError);
      let said: unknown;
      client.on("error", (error) => said = error);
      client.once("end", () => given.resolve());
      try {
        // A server that takes connections and says nothing is as silent as one that stops answering.
        await this.#deadlines.race(client.connect(), 2 * this.heartbeatMs);
        // It would go on in another database than it was told.
        if (isWrongDatabase(said)) throw said;
        failures = 0;
        this.#setUp();
        await given.promise;
        this.#lastError ??= new Error("The connection was closed");
      } catch (error) {
        this.#lastError ??= error;
      }
      this.#silent.clear();
      const ended = end(client);
      if (!this.#isClosed) {
        this.#state = "down";
        this.#hooks.down(this.#lastError);
      }
      await ended;
      await this.#pauses.wait(backoffMs(failures, BACKOFF));
      if (!this.#isClosed) this.#client = this.#make();
    }
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #setUp(): void {
    if (this.#isClosed) return;
    this.#state = "up";
    this.#connections++;
    this.#lastError = undefined;
    this.#hooks.up();
    for (const call of [...this.#waiting]) {
      this.#waiting.delete(call);
      call();
    }
  }

  #beat(): void {
    const connections = connectionsOf(this.#client);
    // A cluster's client that has lost every node does not always say so.
    if (connections.length === 0) this.renew(new Error("No node of the cluster is left"));
    for (const connection of connections) {
      if (connection.status !== "ready") continue;
      if (this.#silent.has(connection)) {
        this.#silent.delete(connection);
        this.#lastError = new Error(`No answer to a ping within ${this.heartbeatMs} ms`);
        connection.disconnect();
      } else {
        this.#silent.add(connection);
        const answered = () => this.#silent.delete(connection);
        connection.ping().then(answered, answered);
      }
    }
    if (this.#state === "up") this.#hooks.beat?.();
  }

  readonly #onError = (error: unknown): void => {
    this.#lastError = error;
  };
}

function isWrongDatabase(error: unknown): boolean {
  return /^ERR (?:DB index|SELECT)/.test(reasonOf(error));
}

/** Ends a client; resolves when nothing of it is left. */
async function end(client: Redis | Cluster): Promise<void> {
  const ended = connectionsOf(client).filter(({ status }) => status !== "end").map((connection) =>
    new Promise((resolve) => connection.once("end", resolve))
  );
  if (client.status !== "end") client.disconnect();
  await Promise.all(ended);
}

function connectionsOf(client: Redis | Cluster): readonly Redis[] {
  return isCluster(client) ? client.nodes("all") : [client];
}
