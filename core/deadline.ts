const CLOSED = "Nobody waits for the answer any more";

/**
 * Waits for answers of the application, each with its deadline. Unlike `deadline` of `@std/async`,
 * which leaves its timer armed, nothing is left of it once the answer is there, or after `close()`.
 */
export class Deadlines {
  /** What ends each wait early. */
  readonly #pending = new Set<(reason: string) => void>();
  #state: "open" | "closed" = "open";

  /**
   * Settles as the answer does, or rejects after `ms` milliseconds, on `close()` and after it. Where
   * it is known by then why there is no answer, `why` says so.
   */
  race<T>(answer: T | Promise<T>, ms: number, why?: () => unknown): Promise<T> {
    // What was answered at once, as most rules do, needs no timer.
    if (!isThenable(answer) && this.#state === "open") return Promise.resolve(answer);
    return new Promise((resolve, reject) => {
      const giveUp = (reason: string, cause?: unknown) => {
        clearTimeout(timer);
        this.#pending.delete(giveUp);
        reject(new Error(reason, cause === undefined ? {} : { cause }));
      };
      const timer = setTimeout(() => giveUp(`No answer within ${ms} ms`, why?.()), ms);
      this.#pending.add(giveUp);
      if (this.#state === "closed") giveUp(CLOSED);
      Promise.resolve(answer).then(resolve, reject).finally(() => {
        clearTimeout(timer);
        this.#pending.delete(giveUp);
      });
    });
  }

  /** Rejects whatever is still waited for. */
  close(): void {
    this.#state = "closed";
    for (const giveUp of this.#pending) giveUp(CLOSED);
  }
}

function isThenable(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "then" in answer;
}
