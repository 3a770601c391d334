/** Waits between attempts that end early, all at once, with their owner. */
export class Pauses {
  readonly #pending = new Set<() => void>();
  #state: "open" | "closed" = "open";

  /** Resolves after `ms` milliseconds, on `close()` and after it. */
  wait(ms: number): Promise<void> {
    if (this.#state === "closed") return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pending.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#pending.add(end);
    });
  }

  /** Ends every wait. */
  close(): void {
    this.#state = "closed";
    for (const end of this.#pending) end();
  }
}
