import type { Backoff } from "../../core/backoff.ts";
import { BroadcastError } from "../../core/errors.ts";

/** How long to wait before a statement that failed is sent again. */
export const STATEMENT_BACKOFF: Backoff = { initialMs: 25, maxMs: 1_000 };

/** What a failed statement means for the next attempt. */
export type Failure =
  /** The connection is gone or silent; whether the statement took effect is unknown. */
  | "disconnected"
  /** The server refused for now: it starts, stops, recovers, or asks for a second try. */
  | "busy"
  /** Tables or functions are not there. */
  | "unmigrated"
  /** The same statement would fail again. */
  | "refused";

/** Classes of SQLSTATE, and single codes, by what they mean. */
const MEANINGS: readonly (readonly [RegExp, Failure])[] = [
  [/^(?:08|57P0[1-5])/, "disconnected"],
  // Rolled back, out of resources, locked, interrupted, a replica on its way to take over, system.
  [/^(?:40|53|55P03|57|25006|55000|58)/, "busy"],
  // No such schema, table, function or column.
  [/^(?:3F000|42P01|42883|42703)$/, "unmigrated"],
];

/** Says what a failure means. What carries no SQLSTATE happened on the way to the server. */
export function failureOf(cause: unknown): Failure {
  // Our own: it is closed, or the tables are of another version.
  if (cause instanceof BroadcastError) return "refused";
  const state = sqlState(cause);
  if (state === undefined) return "disconnected";
  return MEANINGS.find(([pattern]) => pattern.test(state))?.[1] ?? "refused";
}

function sqlState(cause: unknown): string | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return;
  const { code } = cause;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
