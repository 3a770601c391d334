/**
 * How long to wait before an attempt: anywhere between nothing and a bound that doubles with each
 * attempt. Drawing from the whole range ("full jitter") spreads clients that lost the same server at
 * the same moment evenly over time.
 *
 * @param attempt 1 for the first attempt after a connection was lost.
 */
export function backoffDelayMs(attempt: number, initialMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, initialMs * 2 ** (attempt - 1));
}
