/**
 * The driver contract. A driver carries events between nodes and keeps their history; the core does
 * everything else once, for all drivers: names and limits, ids, serialising, fan-out inside the
 * process, iterators, authorization, and merging history with live events.
 *
 * A driver's whole duty:
 *
 * 1. `publish` stores the event and reaches the subscribed nodes, **this one included**, in one
 *    order for all of them. It resolves when the event is stored (with history) or handed over
 *    (without), and rejects when it was not.
 * 2. `subscribe` calls `sink.live(top)` once the backplane has acknowledged, and after that
 *    `sink.event` for every event behind `top`. After each reconnect it calls `sink.live(top)`
 *    again: the core compares positions, reads what is missing and keeps the order. A driver never
 *    replays by itself.
 * 3. `read` says what lies behind a position, and whether that is provably everything.
 * 4. `close` ends every timer, socket and listener, is safe to call twice, and ends all
 *    subscriptions silently.
 *
 * Channel names are opaque text of up to 250 printable ASCII characters: the core has channels of its
 * own, whose names no client can say.
 *
 * A driver may deliver an event twice or late: the core drops what it already had and fetches what
 * is missing, by offset. It must never invent, alter or reorder one within its numbering.
 *
 * `testing/` holds the suite that a driver must pass: `driverContract`.
 *
 * @module
 */
import type { AnyBroadcastError } from "./errors.ts";
import type { EventRecord, StoredEvent } from "./event.ts";
import type { BackplaneState } from "./health.ts";
import type { LeaseStore } from "./leases.ts";
import type { Position } from "./position.ts";

/** What a driver can do. The core asks these flags, never the driver's type. */
export interface DriverAbilities {
  /**
   * Events are numbered and stored. Without it positions are `undefined`, `read` is never called,
   * and whatever is missed during an outage is reported as lost.
   */
  readonly history: boolean;
  /**
   * History lies within the process, where reading it costs next to nothing: the core does not
   * remember every event beside it then, only while many come back. Not so unless told.
   */
  readonly localHistory?: boolean;
  /** Two drivers on one backend reach each other, so an application may run many nodes. */
  readonly multiNode: boolean;
}

/** Where a driver hands over what it hears of one channel. None of the members throws. */
export interface ChannelSink {
  /**
   * The subscription is acknowledged: every event after `top` will come. Called again after each
   * reconnect. `top` is `undefined` without history.
   */
  live(top: Position | undefined): void;
  /** An event was published, on whatever node. */
  event(record: EventRecord, position: Position | undefined): void;
}

/** An open subscription of one node to one channel. */
export interface DriverSubscription {
  /** Ends it. The sink hears nothing after this was called. */
  close(): Promise<void>;
}

/** What lies behind a position. */
export type HistoryRead =
  /** `events` is provably everything after the position that was asked for, up to `top`. */
  | { readonly complete: true; readonly events: readonly StoredEvent[]; readonly top: Position }
  /** The gap cannot be proven: another epoch, or part of it is no longer stored. */
  | { readonly complete: false; readonly top: Position };

/** Where a driver reports what no caller can be told of. None of the members throws. */
export interface DriverHost {
  /** The backplane became reachable, or is not any more, for this reason. */
  health(state: Exclude<BackplaneState, "closed">, cause?: unknown): void;
  /** Something failed beside every call, such as a message that is none of ours. */
  report(error: AnyBroadcastError): void;
}

/** Reaches the other nodes and the store. See the module's text for the duties. */
export interface BroadcastDriver {
  /** What this driver can do. */
  readonly abilities: DriverAbilities;
  /**
   * Entries that live as long as a lease: who is present, who is revoked. Without it channels that
   * start with `presence-` and revoking are refused.
   */
  readonly leases?: LeaseStore;
  /**
   * Called once, before anything else: a driver that can lose its backplane says here how it is, and
   * may begin to connect. One without it counts as `up`, one with it as `connecting`.
   */
  open?(host: DriverHost): void;
  /**
   * Stores and sends an event. The same `record.id` again, while the first is stored, is not
   * delivered a second time and resolves with the position of the first.
   */
  publish(channel: string, record: EventRecord): Promise<Position | undefined>;
  /** Opens this node's subscription to a channel; the core opens at most one per channel. */
  subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription>;
  /** Reads all events after a position. Only called where `abilities.history` is set. */
  read(channel: string, after: Position): Promise<HistoryRead>;
  /**
   * Says in one sentence what a failure of this driver means and what to do about it, for the message
   * of the error that it becomes; what the failure itself says, unless told.
   */
  explain?(cause: unknown): string;
  /** Ends everything this driver holds; idempotent. */
  close(): Promise<void>;
}
