/**
 * Stand-in for `jsr:@std/async`, for networks that have npm but not JSR; backed by the runtime's
 * own timers. To run without it see links/README.md.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Settles as `promise` does, or rejects with a `TimeoutError` after `ms` milliseconds. */
export async function deadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  const timeUp = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { signal: timeUp.signal }).then(() => {
        throw new DOMException("Signal timed out.", "TimeoutError");
      }),
    ]);
  } finally {
    timeUp.abort();
  }
}

/** Resolves after `ms` milliseconds. */
export async function delay(ms: number): Promise<void> {
  await sleep(ms);
}
