import type { RetryVerdict } from "../protocol/frames.ts";
import { backoffDelayMs } from "./backoff.ts";

/** Bounds of the waits, in milliseconds. */
export interface RetryLimits {
  readonly reconnectInitialDelayMs: number;
  readonly reconnectMaxDelayMs: number;
}

/** Decides when to try again, and counts the attempts that failed in a row. */
export class Retry {
  readonly #limits: RetryLimits;
  readonly #attempt: () => void;
  readonly #scheduled: ((delayMs: number) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When a wait ends that may be cut short; 0 while there is none. */
  #dueAtMs = 0;
  /** Failed attempts since the last success. */
  failed: number = 0;

  constructor(
    limits: RetryLimits,
    attempt: () => void,
    scheduled?: (delayMs: number) => void,
  ) {
    this.#limits = limits;
    this.#attempt = attempt;
    this.#scheduled = scheduled;
  }

  /** Counts a failure, and tries again after a wait that fits the verdict. */
  schedule(verdict: RetryVerdict): void {
    this.failed++;
    // "Now" keeps the first, short range: a server that says it in a loop is not hammered.
    this.#draw(verdict === "now" ? 1 : this.failed, Infinity);
  }

  /** Tries again after just this time. */
  wait(delayMs: number): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.stop();
      this.#attempt();
    }, delayMs);
    this.#scheduled?.(delayMs);
  }

  /** Cuts a wait that was drawn to a short one, unless what is left of it is shorter. */
  hurry(): void {
    this.#draw(1, this.#dueAtMs - Date.now());
  }

  /** It worked: the next wait is a short one again. */
  reset(): void {
    this.failed = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#dueAtMs = 0;
  }

  /** Draws a wait, and keeps to it if it is below a limit. */
  #draw(attempt: number, limitMs: number): void {
    const { reconnectInitialDelayMs, reconnectMaxDelayMs } = this.#limits;
    const delayMs = backoffDelayMs(attempt, reconnectInitialDelayMs, reconnectMaxDelayMs);
    if (delayMs >= limitMs) return;
    this.wait(delayMs);
    this.#dueAtMs = Date.now() + delayMs;
  }
}
