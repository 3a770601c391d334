/**
 * Stand-in for `jsr:@std/ulid`, for networks that have npm but not JSR; backed by the runtime's
 * `crypto`. Not by a package: what is inlined in the npm build must bring no dependency along.
 * To run without it see links/README.md.
 *
 * @module
 */

/** Crockford's base 32: no I, L, O and U. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

let lastTimeMs = -1;
let timePart = "";
let randomPart = "";

/** A ULID that sorts after every one made before it in this process. */
export function monotonicUlid(seedTime: number = Date.now()): string {
  if (seedTime > lastTimeMs) {
    lastTimeMs = seedTime;
    timePart = digits(10, (at) => Math.floor(seedTime / 32 ** (9 - at)));
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    randomPart = digits(16, (at) => bytes[at] ?? 0);
  } else {
    randomPart = increment(randomPart);
  }
  return timePart + randomPart;
}

function digits(length: number, valueAt: (at: number) => number): string {
  return Array.from({ length }, (_, at) => DIGITS.charAt(valueAt(at) % 32)).join("");
}

function increment(number: string): string {
  const kept = number.replace(/Z+$/, "");
  if (kept === "") throw new Error("Failed to create a ULID: too many in one millisecond");
  const digit = DIGITS.charAt(DIGITS.indexOf(kept.slice(-1)) + 1);
  return kept.slice(0, -1) + digit + "0".repeat(number.length - kept.length);
}
