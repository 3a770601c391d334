import type { BroadcastEvent } from "./event.ts";
import type { SubscriptionStart } from "./listener.ts";
import {
  callback,
  integer,
  oneOf,
  type OptionCheck,
  readOptions,
  type Resolved,
} from "./options.ts";
import { isPosition, type Position, POSITION_RULE } from "./position.ts";

/** What happens to a subscriber whose queue is full. */
export type OverflowPolicy = "drop-oldest" | "drop-newest" | "close";

/** What `onOverflow` is told. */
export interface SubscriptionOverflow {
  /** Channel of the subscription. */
  readonly channel: string;
  /** The policy that was applied. */
  readonly policy: OverflowPolicy;
  /** Events this subscription has dropped so far, this time included. */
  readonly dropped: number;
}

/** How to subscribe. Everything is optional. */
export interface SubscribeOptions {
  /** Resume after this position: missed events come first, or `ready` says `lost`. */
  readonly after?: Position | undefined;
  /** Most events that wait to be taken, 1,024 unless told. */
  readonly maxQueuedEvents?: number | undefined;
  /** Most bytes that wait to be taken, 4 MiB unless told. */
  readonly maxQueuedBytes?: number | undefined;
  /** What to do when one of the two is reached; `drop-oldest` unless told. */
  readonly overflow?: OverflowPolicy | undefined;
  /** Called each time events are dropped or the subscription ends because of that. */
  readonly onOverflow?: ((overflow: SubscriptionOverflow) => void) | undefined;
  /**
   * Called when events may be missing for good, after an outage of the backplane: reload your
   * state. Events after `position` follow.
   */
  readonly onLost?: ((position: Position | undefined) => void) | undefined;
}

const DEFAULTS = {
  maxQueuedEvents: 1024,
  maxQueuedBytes: 4 * 1024 * 1024,
  overflow: "drop-oldest",
} as const satisfies SubscribeOptions;

const CHECKS: { readonly [Name in keyof Required<SubscribeOptions>]: OptionCheck } = {
  after: (value) => isPosition(value) ? undefined : POSITION_RULE,
  maxQueuedEvents: integer(1),
  maxQueuedBytes: integer(1),
  overflow: oneOf("drop-oldest", "drop-newest", "close"),
  onOverflow: callback,
  onLost: callback,
};

/** The options of a subscription, with their defaults. */
export function readSubscribeOptions(
  options: SubscribeOptions,
): Resolved<SubscribeOptions, typeof DEFAULTS> {
  return readOptions("a subscription", options, CHECKS, DEFAULTS);
}

/**
 * A subscriber inside the process, as an async iterable. Events wait in a bounded queue until they
 * are taken. Leaving a `for await` loop, `await using` and `unsubscribe()` end it.
 *
 * @example
 * ```ts
 * import { MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using subscription = broadcaster.subscribe("news");
 * await subscription.ready;
 * await broadcaster.publish("news", { event: "headline", data: "It works" });
 * for await (const { event, data } of subscription) {
 *   assertEquals([event, data], ["headline", "It works"]);
 *   break;
 * }
 * ```
 */
export interface BroadcastSubscription
  extends AsyncIterableIterator<BroadcastEvent, undefined>, AsyncDisposable {
  /** Channel. */
  readonly channel: string;
  /**
   * Resolves when the backplane has acknowledged: every event published after that arrives. Rejects
   * with a {@linkcode BroadcastError} where that failed, or the subscription ended before.
   */
  readonly ready: Promise<SubscriptionStart>;
  /** The next event; several calls may wait at once and are served in order. */
  next(): Promise<IteratorResult<BroadcastEvent, undefined>>;
  /** Ends the subscription; waiting calls of `next()` are done. Idempotent. */
  unsubscribe(): void;
}
