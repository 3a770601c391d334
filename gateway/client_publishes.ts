import { isBroadcastError } from "../core/errors.ts";
import type { PublishReceipt } from "../core/event.ts";
import { asBroadcastError } from "../core/hooks.ts";
import { describe } from "../core/options.ts";
import type { PubFrame } from "../protocol/frames.ts";
import { isChannelName, isEventName, MAX_NAME_LENGTH } from "../protocol/names.ts";
import type { ErrReason } from "../protocol/reasons.ts";
import type { Client } from "./client.ts";
import { type ClientChannels, toWire } from "./client_channels.ts";
import type { ClientHost } from "./client_host.ts";
import { TokenBucket } from "./rate_limit.ts";

/** Longest event id that a client may choose: two characters are kept for a mark of ours. */
const MAX_CLIENT_ID_LENGTH = MAX_NAME_LENGTH - 2;

/** A publish that waits for its decision, and the characters it came in. */
interface PendingPublish {
  readonly frame: PubFrame;
  readonly size: number;
}

/** The publishes of one client, one after the other: their order is part of what it said. */
export class ClientPublishes<Subject> {
  readonly #host: ClientHost<Subject>;
  readonly #client: Client<Subject>;
  readonly #channels: Pick<ClientChannels<Subject>, "holds">;
  readonly #rate: TokenBucket;
  readonly #pending: PendingPublish[] = [];
  #pendingBytes = 0;

  constructor(
    host: ClientHost<Subject>,
    client: Client<Subject>,
    channels: Pick<ClientChannels<Subject>, "holds">,
  ) {
    this.#host = host;
    this.#client = client;
    this.#channels = channels;
    this.#rate = new TokenBucket(host.settings.publishRate);
  }

  /** Nothing waits and nothing is being decided. */
  get isIdle(): boolean {
    return this.#pending.length === 0;
  }

  accept(frame: PubFrame, size: number): void {
    const isOver = this.#pendingBytes + size > this.#host.settings.maxQueuedBytes;
    if (!this.#rate.take() || isOver) {
      return this.#client.refuse(frame, "publish rate limited");
    }
    this.#pending.push({ frame, size });
    this.#pendingBytes += size;
    if (this.#pending.length === 1) this.#workOff();
  }

  /** Forgets what waits; what is being decided is decided. */
  clear(): void {
    this.#pending.length = 0;
  }

  async #workOff(): Promise<void> {
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      const outcome = await this.#publish(next.frame);
      if (typeof outcome === "string") this.#client.refuse(next.frame, outcome);
      else this.#acknowledge(next.frame, outcome);
      this.#pendingBytes -= next.size;
      this.#pending.shift();
    }
  }

  /** What the event became, or why it is refused. */
  async #publish(frame: PubFrame): Promise<PublishReceipt | ErrReason> {
    const { c: channel, e: event, d: data, i: id } = frame;
    const { broadcaster, allowClientPublish, authorizationTimeoutMs } = this.#host.settings;
    if (!isChannelName(channel)) return "invalid channel name";
    if (!isEventName(event)) return "invalid event name";
    const isGoodId = id === undefined ||
      (isEventName(id) && id.isWellFormed() && id.length <= MAX_CLIENT_ID_LENGTH);
    if (!isGoodId) return "publish refused";
    const deny = (reason?: string) => {
      this.#host.reporter.refused(`a publish on channel "${channel}"`, reason);
      return "publish denied" as const;
    };
    if (allowClientPublish === undefined) return deny('the option "allowClientPublish" is not set');
    const { subject, id: clientId } = this.#client;
    try {
      const { access, deadlines } = this.#host;
      // The rule of a channel that is held was asked already.
      if (!this.#channels.holds(channel)) {
        const { authorized, reason } = await access.decide(channel, this.#client);
        if (authorized !== true) return deny(reason);
      }
      const request = { channel, event, data, subject, clientId };
      const answer: unknown = await deadlines.race(
        allowClientPublish(request),
        authorizationTimeoutMs,
      );
      if (answer !== true) {
        return deny(
          answer === false
            ? undefined
            : `allowClientPublish answered ${describe(answer)}, and only true allows`,
        );
      }
      // She may have been revoked while that was asked.
      if (!await access.stillHolds(channel, this.#client)) return "publish denied";
    } catch (error) {
      // A gateway that closes waits for no decision; that is not an error of the application.
      if (!this.#client.isEnded) this.#report(error, "Cannot decide on a client's publish");
      return "publish denied";
    }
    try {
      const except = frame.x === true ? clientId : undefined;
      const options = { except, isIdFromClient: id !== undefined };
      return await broadcaster.publish(channel, { event, data, id }, options);
    } catch (error) {
      this.#report(error, "Cannot publish for a client");
      // Revision 1 has one word for both.
      const isRefused = isBroadcastError(error) && error.status === 400;
      return isRefused && this.#client.revision === 2 ? "publish refused" : "publish failed";
    }
  }

  #acknowledge({ c, n }: PubFrame, { id, position }: PublishReceipt): void {
    if (n !== undefined) this.#client.send({ t: "ok", c, n, i: id, p: toWire(position) });
  }

  #report(error: unknown, message: string): void {
    this.#host.reporter.report(asBroadcastError(error, message));
  }
}
