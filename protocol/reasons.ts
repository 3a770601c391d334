import type { RetryVerdict } from "./frames.ts";

/** What an `err` or `gone` frame of revision 2 says beside its reason. */
export interface ReasonDetails {
  /** Stable code. */
  readonly k: string;
  /** When to try again. */
  readonly w: RetryVerdict;
}

/**
 * Every reason that a gateway of this protocol gives in an `err` or `gone` frame, with its code and
 * verdict. A client accepts reasons and codes it does not know.
 *
 * Revision 1 has the reason alone: those that start with `publish`, and `invalid event name`, are
 * about a publish; all others mean that the client is not, or no longer, subscribed.
 */
export const REASONS = {
  /** The channel's rule said no, or does not hold any more. */
  "unauthorized": { k: "unauthorized", w: "never" },
  /** The application took it back: `revoke()`. */
  "revoked": { k: "revoked", w: "never" },
  /** The token is none, has expired, or is another user's. */
  "token refused": { k: "token_refused", w: "never" },
  /** The channel's rule threw or took too long. */
  "authorization failed": { k: "authorization_failed", w: "backoff" },
  /** The application does not let this client publish this. */
  "publish denied": { k: "publish_denied", w: "never" },
  /** The event was not stored, or that is not known. */
  "publish failed": { k: "publish_failed", w: "backoff" },
  /** The event breaks a rule: its size, or its id. */
  "publish refused": { k: "publish_refused", w: "never" },
  /** Too many publishes from this connection. */
  "publish rate limited": { k: "publish_rate_limited", w: "backoff" },
  /** The name breaks the rule of channel names. */
  "invalid channel name": { k: "invalid_channel", w: "never" },
  /** The name breaks the rule of event names. */
  "invalid event name": { k: "invalid_event", w: "never" },
  /** The connection holds as many channels as it may. */
  "too many channels": { k: "too_many_channels", w: "never" },
  /** Too many subscriptions from this connection in a short time. */
  "rate limited": { k: "rate_limited", w: "backoff" },
  /** The backplane could not open or keep the subscription. */
  "subscription failed": { k: "subscription_failed", w: "backoff" },
  /** Events may be missing: subscribe anew and reload the state. */
  "position lost": { k: "position_lost", w: "now" },
} as const satisfies Record<string, ReasonDetails>;

/** A reason that a gateway gives. */
export type ErrReason = keyof typeof REASONS;
