import type { DefaultAccess } from "./authorization.ts";
import type { HealthChange } from "./health.ts";
import type { ErrorHook } from "./hooks.ts";
import { callback, durationMs, integer, oneOf, type OptionCheck } from "./options.ts";

/** Options that every broadcaster takes, whatever its driver. */
export interface BroadcasterOptions {
  /** Largest event in UTF-8 bytes of name, id and JSON data; 1 MiB unless told. */
  readonly maxEventBytes?: number | undefined;
  /** How long an authorizer may take before it counts as a refusal; 10,000 unless told. */
  readonly authorizationTimeoutMs?: number | undefined;
  /** What happens on channels that no rule matches; `allow` unless told. */
  readonly defaultAccess?: DefaultAccess | undefined;
  /** Hears of errors that no caller could be told of, such as a listener that threw. */
  readonly onError?: ErrorHook | undefined;
  /** Hears when the backplane becomes reachable or unreachable. */
  readonly onHealth?: ((change: HealthChange) => void) | undefined;
  /**
   * How long a user stays on a presence channel after her last connection left, in milliseconds, so
   * that a reload does not flap; 5,000 unless told.
   */
  readonly presenceGraceMs?: number | undefined;
  /**
   * How long the users of a node that says nothing stay on presence channels, in milliseconds; 15,000
   * unless told. A node speaks three times as often.
   */
  readonly presenceLeaseMs?: number | undefined;
  /** Most members that a presence channel lists; above it only their number is told; 1,000 unless told. */
  readonly maxPresenceMembers?: number | undefined;
  /** Largest description of a member in UTF-8 bytes of JSON; 1,024 unless told. */
  readonly maxPresenceInfoBytes?: number | undefined;
}

/** Every default of a broadcaster. */
export const BROADCASTER_DEFAULTS = {
  maxEventBytes: 1024 * 1024,
  authorizationTimeoutMs: 10_000,
  defaultAccess: "allow",
  presenceGraceMs: 5_000,
  presenceLeaseMs: 15_000,
  maxPresenceMembers: 1_000,
  maxPresenceInfoBytes: 1_024,
} as const satisfies BroadcasterOptions;

/** How the options of {@linkcode BroadcasterOptions} are checked; drivers add their own. */
export const BROADCASTER_CHECKS: {
  readonly [Name in keyof Required<BroadcasterOptions>]: OptionCheck;
} = {
  maxEventBytes: integer(1),
  authorizationTimeoutMs: durationMs(1),
  defaultAccess: oneOf("allow", "deny"),
  onError: callback,
  onHealth: callback,
  presenceGraceMs: durationMs(0),
  presenceLeaseMs: durationMs(100),
  maxPresenceMembers: integer(0),
  maxPresenceInfoBytes: integer(16),
};

/** Those of a driver's options that are the broadcaster's. */
export function broadcasterOptions(options: BroadcasterOptions): BroadcasterOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(BROADCASTER_CHECKS, name)),
  );
}
