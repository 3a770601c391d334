import { monotonicMs } from "./monotonic_ms.ts";

/** How often something may happen: `burst` at once, then `perSecond` on average. */
export interface RateLimit {
  /** Most at once. */
  readonly burst: number;
  /** How many a second come back. */
  readonly perSecond: number;
}

/** A token bucket for one connection; it needs no timer. */
export class TokenBucket {
  readonly #limit: RateLimit;
  #tokens: number;
  #filledAtMs = monotonicMs();

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#tokens = limit.burst;
  }

  /** Takes one token; false if there is none. */
  take(): boolean {
    const nowMs = monotonicMs();
    const elapsedMs = nowMs - this.#filledAtMs;
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(
      this.#limit.burst,
      this.#tokens + elapsedMs * this.#limit.perSecond / 1000,
    );
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** How an option that is a {@linkcode RateLimit} is checked. */
export function rateLimitCheck(value: unknown): string | undefined {
  const isAtLeast = (min: number, rate: unknown) => typeof rate === "number" && rate >= min;
  return typeof value === "object" && value !== null &&
      "burst" in value && isAtLeast(1, value.burst) &&
      "perSecond" in value && isAtLeast(Number.MIN_VALUE, value.perSecond)
    ? undefined
    : "{burst, perSecond} with a burst of at least 1 and a rate above 0";
}
