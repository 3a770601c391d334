import type { ChannelAuthorizationResult } from "../core/authorization.ts";
import type { AnyBroadcastError } from "../core/errors.ts";
import type { ChannelEvent } from "../core/event.ts";
import type { SubscriptionStart } from "../core/listener.ts";
import type { PresenceListener } from "../core/presence_channel.ts";
import type { Recovery, SubFrame, UnsubFrame, WirePosition } from "../protocol/frames.ts";
import { isChannelName, isPresenceChannel } from "../protocol/names.ts";
import { type ErrReason, REASONS } from "../protocol/reasons.ts";
import { Backlog, type BacklogSink } from "./backlog.ts";
import type { Client } from "./client.ts";
import { asBroadcastError } from "../core/hooks.ts";
import type { Position } from "../core/position.ts";
import { HeldChannel, type HeldChannelActions } from "./held_channel.ts";
import { TokenBucket } from "./rate_limit.ts";
import type { ClientHost } from "./client_host.ts";

/** For clients of revision 1, which are present and hear nothing of that. */
const UNTOLD: PresenceListener = { here() {}, join() {}, leave() {} };

/** The channels of one client: asked for, live, and told of with what happens on them. */
export class ClientChannels<Subject> implements HeldChannelActions, BacklogSink<HeldChannel> {
  readonly #host: ClientHost<Subject>;
  readonly #client: Client<Subject>;
  readonly #rate: TokenBucket;
  /** Made with the first event that was missed. */
  #backlog: Backlog<HeldChannel> | undefined;
  readonly #held = new Map<string, HeldChannel>();

  constructor(host: ClientHost<Subject>, client: Client<Subject>) {
    this.#host = host;
    this.#client = client;
    this.#rate = new TokenBucket(host.settings.subscribeRate);
  }

  get hasRoom(): boolean {
    return this.#client.hasRoom;
  }

  holds(channel: string): boolean {
    return this.#held.get(channel)?.isLive === true;
  }

  subscribe(request: SubFrame): void {
    const { c: name } = request;
    const held = this.#held.get(name);
    if (held !== undefined) return this.#subscribeAgain(held, request);
    if (!this.#rate.take()) return this.#client.refuse(request, "rate limited");
    if (!isChannelName(name)) return this.#client.refuse(request, "invalid channel name");
    if (this.#held.size >= this.#host.settings.maxChannelsPerConnection) {
      return this.#client.refuse(request, "too many channels");
    }
    const channel = new HeldChannel(request, this, this.#client, this.#host.fanOuts.hold(name));
    this.#held.set(name, channel);
    this.#open(channel, request.p);
  }

  unsubscribe({ c, n }: UnsubFrame): void {
    const channel = this.#held.get(c);
    if (channel !== undefined) this.#release(channel);
    if (n !== undefined) this.#client.send({ t: "ok", c, n });
  }

  /** Hands over what the channels still hold back for the end of the turn. */
  flush(): void {
    for (const channel of this.#held.values()) channel.flush();
  }

  /** Gives all of them up without a word. */
  releaseAll(): void {
    for (const channel of [...this.#held.values()]) this.#release(channel);
    this.#backlog?.clear();
  }

  /** Asks for every channel again whether it may be held. */
  reauthorize(): void {
    for (const channel of this.#held.values()) this.#askAgain(channel);
  }

  /** Ends the subscription to a channel, or to all, because the application took it back. */
  revoke(name: string | undefined): void {
    for (const channel of [...this.#held.values()]) {
      if (channel.name === (name ?? channel.name)) this.over(channel, "revoked");
    }
  }

  expired(channel: HeldChannel): void {
    this.#askAgain(channel);
  }

  live(channel: HeldChannel, { position, recovery, missed }: SubscriptionStart): void {
    this.#host.subscribed(channel.name);
    const { requests = [] } = channel;
    channel.requests = undefined;
    for (const request of requests) {
      // Who asked from another position than the first was not resumed from there.
      const isResumed = isSamePosition(request.p, requests[0]?.p);
      if (isResumed) this.#answer(request, position, recovery, missed);
      else this.#answer(request, channel.position, "none");
    }
    if (isPresenceChannel(channel.name)) this.#watchPresence(channel);
  }

  event(channel: HeldChannel, event: ChannelEvent, isMissed: boolean): void {
    if (!isMissed && channel.backlog === 0) return this.deliver(channel, event, false);
    const { flusher, backlogLimit, settings } = this.#host;
    this.#backlog ??= new Backlog(this, flusher, backlogLimit, settings.maxQueuedBytes);
    const isTaken = isMissed
      ? this.#backlog.missed(channel, event)
      : this.#backlog.live(channel, event);
    if (!isTaken) this.cutOff();
  }

  cutOff(): void {
    this.#client.cutOff();
  }

  deliver(channel: HeldChannel, event: ChannelEvent, isMissed: boolean): void {
    const { id, revision } = this.#client;
    channel.passed(event.position);
    if (event.except !== undefined && event.except === id) return this.#skip(event);
    const { encoder } = this.#host;
    this.#client.sendEncoded(
      isMissed ? encoder.encodeMissed(event, revision) : encoder.encode(event, revision),
    );
  }

  /** Revision 1 has no word for it; the client goes on with what follows. */
  lost(channel: HeldChannel): void {
    if (this.#client.revision === 2) this.over(channel, "position lost");
  }

  failed(error: AnyBroadcastError): void {
    this.#host.reporter.report(error);
  }

  /** The client does not hold the channel, or not any more. */
  over(channel: HeldChannel, reason: ErrReason): void {
    const { name, isLive, requests = [] } = channel;
    this.#release(channel);
    if (!isLive) {
      for (const request of requests) this.#client.refuse(request, reason);
    } else if (this.#client.revision === 1) {
      this.#client.refuse({ c: name }, reason);
    } else {
      const { k, w } = REASONS[reason];
      this.#client.send({ t: "gone", c: name, k, r: reason, w });
    }
  }

  #subscribeAgain(held: HeldChannel, request: SubFrame): void {
    if (held.isLive) return this.#answer(request, held.position, "none");
    // One that is still on its way is answered when it is live; revision 1 has one answer for all.
    if (this.#client.revision === 1) return;
    if (!this.#rate.take()) return this.#client.refuse(request, "rate limited");
    held.requests?.push(request);
  }

  async #open(channel: HeldChannel, p: WirePosition | undefined): Promise<void> {
    const { broadcaster } = this.#host.settings;
    try {
      const decision = await this.#decide(channel.name);
      if (channel.isReleased) return;
      if (decision.authorized !== true) return this.#deny(channel, decision);
      const after = p && { epoch: p.e, offset: p.o };
      channel.passed(after);
      channel.open((listener) => broadcaster.listen(channel.name, listener, { after }), decision);
    } catch (error) {
      this.#fail(channel, error);
    }
  }

  /** Asks whether a channel may still be held. */
  async #askAgain(channel: HeldChannel): Promise<void> {
    try {
      const decision = await this.#decide(channel.name);
      if (channel.isReleased) return;
      if (decision.authorized === true) channel.holdUntil(decision.expiresAt);
      else this.#deny(channel, decision);
    } catch (error) {
      this.#fail(channel, error);
    }
  }

  /** A decision about who the client was when it was asked is none about who she is now. */
  async #decide(channel: string): Promise<ChannelAuthorizationResult> {
    for (;;) {
      const { subject } = this.#client;
      const decision = await this.#host.access.decide(channel, this.#client);
      if (subject === this.#client.subject) return decision;
    }
  }

  #deny(channel: HeldChannel, { reason }: ChannelAuthorizationResult): void {
    this.#host.reporter.refused(`channel "${channel.name}"`, reason);
    this.over(channel, "unauthorized");
  }

  #fail(channel: HeldChannel, error: unknown): void {
    if (channel.isReleased) return;
    const failure = asBroadcastError(error, "Cannot open a subscription");
    this.#host.reporter.report(failure);
    const isRuleFailure = failure.code === "broadcast.authorization_failed";
    this.over(channel, isRuleFailure ? "authorization failed" : "subscription failed");
  }

  /** The roster comes behind what the client missed. */
  #watchPresence(channel: HeldChannel): void {
    const { broadcaster } = this.#host.settings;
    const { name, presence } = channel;
    const isTold = this.#client.revision === 2;
    queueMicrotask(() => {
      try {
        channel.watchPresence(() =>
          broadcaster.watchPresence(
            name,
            isTold
              ? this.#host.presenceFrames.listener(name, (frame) => this.#client.sendEncoded(frame))
              : UNTOLD,
            presence,
          )
        );
      } catch (error) {
        this.#fail(channel, error);
      }
    });
  }

  #release(channel: HeldChannel): void {
    // What came before is sent. Where there is no room for it, that ends all channels of the client.
    channel.flush();
    if (channel.isReleased) return;
    if (channel.isLive) this.#host.unsubscribed(channel.name);
    channel.release();
    this.#host.fanOuts.letGo(channel.name);
    this.#held.delete(channel.name);
  }

  #answer({ c, n }: SubFrame, position: Position | undefined, r: Recovery, missed = 0): void {
    if (this.#client.revision === 1) return this.#client.send({ t: "ok", c });
    const m = r === "ok" ? missed : undefined;
    this.#client.send({ t: "ok", c, n, p: toWire(position), r, m });
  }

  /** The client is left out, but must know where the channel stands. */
  #skip({ channel, position }: ChannelEvent): void {
    if (this.#client.revision === 1 || position === undefined) return;
    this.#client.send({ t: "skip", c: channel, o: position.offset });
  }
}

/** A position as frames carry it. */
export function toWire(position: Position | undefined): WirePosition | undefined {
  return position && { e: position.epoch, o: position.offset };
}

function isSamePosition(a: WirePosition | undefined, b: WirePosition | undefined): boolean {
  return a?.e === b?.e && a?.o === b?.o;
}
