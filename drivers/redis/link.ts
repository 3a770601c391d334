import type { Cluster, Redis } from "ioredis";
import { isCluster } from "./client.ts";
import { backoffMs, Pauses } from "./pauses.ts";

/** Longest wait between two attempts to connect. */
const MAX_BACKOFF_MS = 2_000;

/** What a link tells its owner. */
export interface LinkHooks {
  /** A fresh connection is ready. */
  up(): void;
  /** The connection is gone, or none could be made. */
  down(cause: unknown): void;
}

/**
 * Keeps a client connected, and gives up a connection that has fallen silent. The client's own ways
 * of coming back are switched off: it would send again what may have been executed.
 */
export class Link<Client extends Redis | Cluster = Redis | Cluster> {
  readonly client: Client;
  readonly #heartbeatMs: number;
  readonly #hooks: LinkHooks;
  readonly #pauses = new Pauses();
  readonly #waiting = new Set<() => void>();
  /** Connections that have not answered the last ping yet. */
  readonly #silent = new Set<Redis>();
  readonly #heartbeat: ReturnType<typeof setInterval>;
  readonly #kept: Promise<void>;
  #state: "down" | "up" | "closed" = "down";
  #connections = 0;
  #lastError: unknown;

  /** Begins to connect; `client` is lazy, its own from here on, and ends with it. */
  constructor(client: Client, heartbeatMs: number, hooks: LinkHooks) {
    this.client = client;
    this.#heartbeatMs = heartbeatMs;
    this.#hooks = hooks;
    // Without a listener the client writes its errors to the console.
    client.on("error", this.#onError);
    client.on("node error", this.#onError);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#kept = this.#keep();
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
    this.#disconnect();
  }

  /** Ends the connection and every attempt to make one. Idempotent. */
  async close(): Promise<void> {
    this.#state = "closed";
    clearInterval(this.#heartbeat);
    this.#pauses.close();
    this.#waiting.clear();
    this.#disconnect();
    await this.#kept;
  }

  async #keep(): Promise<void> {
    let failures = 0;
    while (!this.#isClosed) {
      const ended = new Promise<void>((resolve) => this.client.once("end", resolve));
      if (await this.#connect()) {
        failures = 0;
        // Closed while the last step of connecting was under way.
        if (this.#isClosed) this.#disconnect();
        else this.#setUp();
        await ended;
      }
      if (this.#isClosed) break;
      this.#state = "down";
      this.#silent.clear();
      this.#hooks.down(this.#lastError);
      await this.#pauses.wait(backoffMs(failures++, MAX_BACKOFF_MS));
    }
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  async #connect(): Promise<boolean> {
    // A server that takes connections and says nothing: as silent as one that stops answering.
    const timer = setTimeout(
      () => this.renew(new Error(`Not ready within ${2 * this.#heartbeatMs} ms`)),
      2 * this.#heartbeatMs,
    );
    try {
      await this.client.connect();
      return true;
    } catch (error) {
      this.#lastError ??= error;
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #disconnect(): void {
    // Of one that has ended, it would wait for an end that never comes.
    if (this.client.status !== "end") this.client.disconnect();
  }

  #setUp(): void {
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
    const { client } = this;
    const connections: readonly Redis[] = isCluster(client) ? client.nodes("master") : [client];
    for (const connection of connections) {
      if (connection.status !== "ready") continue;
      if (this.#silent.has(connection)) {
        this.#silent.delete(connection);
        this.#lastError = new Error(`No answer to a ping within ${this.#heartbeatMs} ms`);
        connection.disconnect();
      } else {
        this.#silent.add(connection);
        const answered = () => this.#silent.delete(connection);
        connection.ping().then(answered, answered);
      }
    }
  }

  readonly #onError = (error: unknown): void => {
    this.#lastError = error;
  };
}
