import { monotonicMs } from "./monotonic_ms.ts";

/** How much longer one may wait than it should, as a part of that, to be told together with others. */
const SLACK = 1 / 256;

/**
 * Waits that are all equally long, over one timer: who began first is due first. With thousands of
 * connections a timer each would cost more than what it is for.
 */
export class WaitingLine<Item> {
  readonly #waitMs: number;
  readonly #onDue: (item: Item) => void;
  /** When each began, first things first. */
  readonly #sinceMs = new Map<Item, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(waitMs: number, onDue: (item: Item) => void) {
    this.#waitMs = waitMs;
    this.#onDue = onDue;
  }

  /** Puts one that does not wait here at the end. */
  add(item: Item): void {
    this.#sinceMs.set(item, monotonicMs());
    this.#timer ??= setTimeout(this.#onTimer, this.#waitMs);
  }

  /** Takes one out that may not wait here. */
  delete(item: Item): void {
    if (!this.#sinceMs.delete(item) || this.#sinceMs.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #onTimer = (): void => {
    for (const [item, sinceMs] of this.#sinceMs) {
      const leftMs = sinceMs + this.#waitMs - monotonicMs();
      if (leftMs > 0) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.#onTimer, Math.ceil(Math.max(leftMs, this.#waitMs * SLACK)));
        return;
      }
      this.#sinceMs.delete(item);
      this.#onDue(item);
    }
    this.#timer = undefined;
  };
}
