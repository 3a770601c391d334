/**
 * Stand-in for `jsr:@std/ulid`, for networks that have npm but not JSR; backed by `npm:ulid`.
 * To run without it see links/README.md.
 *
 * @module
 */
import { monotonicFactory } from "ulid";

const next = monotonicFactory();

/** A ULID that sorts after every one made before it in this process. */
export function monotonicUlid(seedTime: number = Date.now()): string {
  return next(seedTime);
}
