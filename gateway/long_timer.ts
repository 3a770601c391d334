/** Longest wait of a platform timer; a longer one is waited for in steps. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One timer at a time, as far away as may be. */
export class LongTimer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls back after that time, instead of what was set before. */
  set(afterMs: number, call: () => void): void {
    this.clear();
    this.#timer = afterMs <= MAX_TIMER_MS
      ? setTimeout(call, afterMs)
      : setTimeout(() => this.set(afterMs - MAX_TIMER_MS, call), MAX_TIMER_MS);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
