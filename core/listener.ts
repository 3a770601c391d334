import type { AnyBroadcastError } from "./errors.ts";
import type { ChannelEvent } from "./event.ts";
import type { Position } from "./position.ts";

/** What a subscriber is told when its subscription is live. */
export interface SubscriptionStart {
  /** The channel's top: live events start after it. `undefined` where no history is kept. */
  readonly position: Position | undefined;
  /**
   * `none`: no position was asked for. `ok`: the `missed` events that follow are provably the whole
   * gap. `lost`: the gap cannot be proven and nothing is replayed, reload your state.
   */
  readonly recovery: "none" | "ok" | "lost";
  /** How many missed events follow before the live ones. */
  readonly missed: number;
}

/**
 * A direct subscriber: called back in the publisher's turn, without a promise or an iterator in
 * between. `live` comes first and once, then events in order; `ended` is the last call. A throw is
 * reported and touches nobody else.
 */
export interface ChannelListener {
  /** The subscription is live. */
  live(start: SubscriptionStart): void;
  /** The next event. */
  event(event: ChannelEvent): void;
  /** Events up to `position` may be missing: what follows starts after it. */
  lost(position: Position | undefined): void;
  /** The subscription is over; with an error unless the broadcaster was closed. */
  ended(error: AnyBroadcastError | undefined): void;
  /**
   * Hears live events in this listener's stead, once for all listeners of a channel that name the
   * same one. What was missed still comes to the listener itself.
   */
  readonly group?: ListenerGroup | undefined;
  /** From here on the group hears live events, or not any more. */
  grouped?(isGrouped: boolean): void;
}

/**
 * Hears events for many listeners of a channel: a gateway that sends one message to thousands need not
 * be called for each of them.
 */
export interface ListenerGroup {
  /** The next live event. A throw is reported and touches nobody else. */
  event(event: ChannelEvent): void;
}

/** A listener's hold on its channel. */
export interface Attachment {
  /** Ends it; the listener hears nothing from here on. Idempotent. */
  detach(): void;
}
