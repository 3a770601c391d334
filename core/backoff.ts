/** What a pause doubles from, and where it stops. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before something that failed is tried again: doubling with each failure, and up to
 * half of it less by chance, so that those who failed together do not come back together.
 *
 * @param failures How many there were before this one.
 */
export function backoffMs(failures: number, { initialMs, maxMs }: Backoff): number {
  return Math.min(maxMs, initialMs * 2 ** failures) * (0.5 + Math.random() / 2);
}
