/** Not the time of day, which may be set while something waits. Whole, as it is kept many times. */
export function monotonicMs(): number {
  return Math.round(performance.now());
}
