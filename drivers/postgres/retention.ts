import { Alarm } from "./alarm.ts";
import type { Store } from "./store.ts";

/** How much is kept, and how often what is more is removed. */
export interface RetentionLimits {
  readonly historySize: number;
  readonly historyTtlMs: number;
  /** Younger events are kept whatever their number: a publish may still be tried again. */
  readonly graceMs: number;
  readonly intervalMs: number;
}

/** Rows, or channels, that one statement takes at most. */
const BATCH = 500;

/**
 * Removes what is too old or too much, in small batches. Every node runs it, and a lock in the
 * database lets one at a time do the work.
 */
export class Retention {
  readonly #store: Store;
  readonly #limits: RetentionLimits;
  readonly #onFailure: (cause: unknown) => void;
  readonly #alarm = new Alarm();
  #state: "open" | "closed" = "open";
  #running: Promise<void> | undefined;

  constructor(
    store: Store,
    limits: RetentionLimits,
    onFailure: (cause: unknown) => void,
  ) {
    this.#store = store;
    this.#limits = limits;
    this.#onFailure = onFailure;
  }

  open(): void {
    this.#running = this.#run();
  }

  /** Goes through everything once. */
  async sweep(): Promise<void> {
    const { historyTtlMs, historySize, graceMs } = this.#limits;
    while (!this.#isClosed() && await this.#store.expire(historyTtlMs, BATCH) === BATCH) {
      /* more */
    }
    let channel: string | null = "";
    while (!this.#isClosed() && channel !== null) {
      channel = await this.#store.trim(channel, historySize, graceMs, BATCH);
    }
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#alarm.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#state === "open") {
      // At different times on different nodes.
      await this.#alarm.wait(this.#limits.intervalMs * (0.5 + Math.random()));
      if (this.#isClosed()) return;
      try {
        await this.sweep();
      } catch (cause) {
        if (!this.#isClosed()) this.#onFailure(cause);
      }
    }
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
