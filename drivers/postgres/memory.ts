import type { Mark, Poll, Store } from "./store.ts";

/** How soon after something was seen a mark is left, and how often in any case. */
const MARK_MS = { seen: 1_000, idle: 3_600_000 };

/**
 * What this node knows to be stored. A server that was set back to a copy of its files looks like one
 * that was only restarted, and once it is written on, its log and its numbers are as high as before.
 * So a node leaves marks, counted by itself alone: without the last of them, what was stored before
 * it is gone as well, and with it, all of that is there.
 *
 * What was seen after the last mark is vouched for by the length of the log until that is written up
 * to the same place again; what a node stored and has not polled since, by nothing.
 */
export class Memory {
  readonly #store: Store;
  readonly #node = crypto.randomUUID();
  #mark: Mark | undefined;
  #markedAtMs = 0;
  #state: "marked" | "unmarked" = "marked";

  constructor(store: Store) {
    this.#store = store;
  }

  /** Notes what a poll told; of the server that has the last mark, without a restart in between. */
  saw({ log, changed }: Poll): void {
    if (this.#mark !== undefined) this.#mark = { ...this.#mark, log };
    if (changed.length > 0) this.#state = "unmarked";
  }

  /** In how many milliseconds the next mark is due. */
  get dueMs(): number {
    const intervalMs = this.#state === "unmarked" ? MARK_MS.seen : MARK_MS.idle;
    return Math.max(0, this.#markedAtMs + intervalMs - performance.now());
  }

  /** Leaves a mark, or makes every epoch anew where something of what was seen is gone. */
  async mark(): Promise<void> {
    this.#mark = await this.#store.mark(this.#node, this.#mark);
    this.#markedAtMs = performance.now();
    this.#state = "marked";
  }
}
