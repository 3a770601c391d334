import type { ChannelEvent } from "../core/event.ts";
import type { ChannelAuthorizationResult } from "../core/authorization.ts";
import type { PresenceInfo } from "../core/presence_info.ts";
import type { AnyBroadcastError } from "../core/errors.ts";
import type { Attachment, ChannelListener, SubscriptionStart } from "../core/listener.ts";
import type { Position } from "../core/position.ts";
import type { Revision, SubFrame } from "../protocol/frames.ts";
import type { ErrReason } from "../protocol/reasons.ts";
import type { FanOut, FanOutMember } from "./fan_out.ts";
import { LongTimer } from "./long_timer.ts";
import type { OutboundQueue } from "./outbound_queue.ts";

/** What a held channel tells its session. */
export interface HeldChannelActions {
  /** The subscription is live. */
  live(channel: HeldChannel, start: SubscriptionStart): void;
  /** An event for the client; one that it missed comes before all live ones. */
  event(channel: HeldChannel, event: ChannelEvent, isMissed: boolean): void;
  /** Events may be missing before what follows. */
  lost(channel: HeldChannel): void;
  /** The server could not keep the subscription. */
  failed(error: AnyBroadcastError): void;
  /** The client's queue is full. */
  cutOff(): void;
  /** The rule's yes has run out. */
  expired(channel: HeldChannel): void;
  /** The subscription is over, for this reason. */
  over(channel: HeldChannel, reason: ErrReason): void;
}

/** What a held channel needs to know of its client. */
export interface HeldChannelClient {
  readonly revision: Revision;
  readonly outbound: OutboundQueue;
}

/**
 * One channel as one connection holds it, from the request to the end: `asking` while its rule
 * decides, `opening` until the backplane has acknowledged, `live`, `released`.
 */
export class HeldChannel implements ChannelListener, FanOutMember {
  readonly name: string;
  /** The requests that wait for its first answer; nothing once it is live. */
  requests: SubFrame[] | undefined;
  /** Sends it live events. */
  readonly group: FanOut;
  readonly revision: Revision;
  readonly outbound: OutboundQueue;
  /** Among the members of its group. */
  index = -1;
  /** How the client appears on a presence channel. */
  presence: PresenceInfo | undefined;
  /** How many of its events wait for room. */
  backlog = 0;
  /** The last event that it was sent by itself, or where the subscription began. */
  #position: Position | undefined;
  /** How many missed events are still to come. */
  #missed = 0;
  readonly #actions: HeldChannelActions;
  #state: "asked" | "live" | "released" = "asked";
  #attachment: Attachment | undefined;
  #expiry: LongTimer | undefined;
  /** Ends the watch of who is present. */
  #unwatch: (() => void) | undefined;

  constructor(
    request: SubFrame,
    actions: HeldChannelActions,
    { revision, outbound }: HeldChannelClient,
    group: FanOut,
  ) {
    this.name = request.c;
    this.requests = [request];
    this.group = group;
    this.revision = revision;
    this.outbound = outbound;
    this.#actions = actions;
  }

  /** The last event that was sent, or where the subscription began. */
  get position(): Position | undefined {
    const isWithGroup = this.index >= 0 && this.#missed === 0 && this.backlog === 0;
    return isWithGroup ? this.group.position : this.#position;
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  /** The client unsubscribed or left while the rule still decided. */
  get isReleased(): boolean {
    return this.#state === "released";
  }

  /** The rule said yes. */
  open(
    attach: (listener: ChannelListener) => Attachment,
    decision: ChannelAuthorizationResult,
  ): void {
    this.presence = decision.presence;
    this.#attachment = attach(this);
    this.holdUntil(decision.expiresAt);
  }

  /** The rule said yes again: until then, or for good. */
  holdUntil(expiresAt: number | undefined): void {
    if (expiresAt === undefined) return this.#expiry?.clear();
    this.#expiry ??= new LongTimer();
    this.#expiry.set(Math.max(0, expiresAt - Date.now()), () => this.#actions.expired(this));
  }

  /** Watches who is present, for as long as the channel is held. */
  watchPresence(watch: () => () => void): void {
    if (this.isReleased) return;
    this.#unwatch = watch();
  }

  /** An event was sent, or left out, by itself. */
  passed(position: Position | undefined): void {
    this.#position = position;
  }

  /** Sends what its group still holds back. */
  flush(): void {
    this.group.flush();
  }

  /** Ends it without a word to the client. Idempotent. */
  release(): void {
    this.#state = "released";
    this.#expiry?.clear();
    this.#unwatch?.();
    this.#attachment?.detach();
  }

  live(start: SubscriptionStart): void {
    this.#state = "live";
    // Where something was missed it stands where it was asked for, until the first of that is sent.
    if (start.missed === 0) this.#position = start.position;
    if (this.index >= 0) this.group.position = start.position;
    this.#missed = start.missed;
    this.#actions.live(this, start);
  }

  event(event: ChannelEvent): void {
    const isMissed = this.#missed > 0;
    if (isMissed) this.#missed--;
    this.#actions.event(this, event, isMissed);
  }

  grouped(isGrouped: boolean): void {
    if (isGrouped) this.group.add(this);
    else this.group.remove(this);
  }

  cutOff(): void {
    this.#actions.cutOff();
  }

  lost(): void {
    this.#actions.lost(this);
  }

  ended(error: AnyBroadcastError | undefined): void {
    if (error !== undefined) this.#actions.failed(error);
    this.#actions.over(this, "subscription failed");
  }
}
