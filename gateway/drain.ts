import { deferred } from "../core/deferred.ts";
import { durationMs, type OptionCheck, readOptions } from "../core/options.ts";

/** How to drain a gateway. Everything is optional. */
export interface DrainOptions {
  /** Milliseconds until what is stuck is cut off; 10,000 unless told. */
  readonly deadlineMs?: number | undefined;
}

const DEFAULTS = { deadlineMs: 10_000 } as const satisfies DrainOptions;

const CHECKS: { readonly [Name in keyof Required<DrainOptions>]: OptionCheck } = {
  deadlineMs: durationMs(0),
};

/** Shortest time over which clients are told to come back. */
const MIN_WINDOW_MS = 1_000;

/** What a drain needs of a connection. */
interface Drainable {
  /** Says when to come back, and ends. */
  drain(ms: number): void;
  /** Cuts it off. */
  terminate(): void;
}

/** The way of a gateway from open to empty, once. */
export class Drain {
  /** Resolves when it is over: everything is gone, or was cut off. */
  readonly over: Promise<void>;
  readonly #deadlineAtMs: number;
  readonly #deadline: ReturnType<typeof setTimeout>;
  readonly #resolve: () => void;

  /**
   * Begins it. `left` is asked at the deadline for the connections that are still there.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: DrainOptions, left: () => Iterable<Drainable>) {
    const { deadlineMs } = readOptions("a drain", options, CHECKS, DEFAULTS);
    const { promise, resolve } = deferred<void>();
    this.over = promise;
    this.#resolve = resolve;
    this.#deadlineAtMs = Date.now() + deadlineMs;
    this.#deadline = setTimeout(() => {
      for (const connection of left()) connection.terminate();
      this.end();
    }, deadlineMs);
  }

  /** Seconds after which whatever answers here is another process, at least one. */
  get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil((this.#deadlineAtMs - Date.now()) / 1000));
  }

  /**
   * Sends every connection away. They come back evenly over a window of a millisecond for each, so
   * that no two have the same time and no node gets more than a thousand a second.
   */
  sendAway(connections: readonly Drainable[]): void {
    const windowMs = Math.max(MIN_WINDOW_MS, connections.length);
    connections.forEach((connection, i) => {
      connection.drain(Math.floor(i * windowMs / connections.length));
    });
  }

  /** Nothing is left to wait for. Idempotent. */
  end(): void {
    clearTimeout(this.#deadline);
    this.#resolve();
  }
}
