/**
 * Stand-in for `jsr:@std/ulid`, for networks that have npm but not JSR; backed by `npm:ulid`.
 * To run without it see links/README.md.
 *
 * @module
 */
import { monotonicFactory } from "ulid";

const next = monotonicFactory(random);

/** A ULID that sorts after every one made before it in this process. */
export function monotonicUlid(seedTime: number = Date.now()): string {
  return next(seedTime);
}

/** Bytes that are random and not used yet: asking for one at a time costs more than all the rest. */
const pool = new Uint8Array(1024);
let used = pool.length;

/** A number from 0 up to 1, as the package takes it. */
function random(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
}
