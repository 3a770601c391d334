import { type AnyBroadcastError, BroadcastHookError, isBroadcastError } from "../core/errors.ts";
import type { PublishReceipt } from "../core/event.ts";
import type { PubFrame, Revision } from "../protocol/frames.ts";
import type { ErrReason } from "../protocol/reasons.ts";
import { isChannelName, isEventName } from "../protocol/names.ts";
import { TokenBucket } from "./rate_limit.ts";
import type { SessionHost } from "./session.ts";

/** What the publishes of a client need of its session. */
export interface Publisher<Subject> {
  readonly id: string;
  readonly subject: Subject | undefined;
  readonly revision: Revision;
  readonly isEnded: boolean;
  /** Whether the client holds the channel, so that its rule has been asked already. */
  holds(channel: string): boolean;
  published(frame: PubFrame, receipt: PublishReceipt): void;
  refuse(frame: PubFrame, reason: ErrReason): void;
}

/** A publish that waits for its decision, and the characters it came in. */
interface PendingPublish {
  readonly frame: PubFrame;
  readonly size: number;
}

/** The publishes of one client, one after the other: their order is part of what it said. */
export class ClientPublishes<Subject> {
  readonly #host: SessionHost<Subject>;
  readonly #publisher: Publisher<Subject>;
  readonly #rate: TokenBucket;
  readonly #pending: PendingPublish[] = [];
  #pendingBytes = 0;

  constructor(host: SessionHost<Subject>, publisher: Publisher<Subject>) {
    this.#host = host;
    this.#publisher = publisher;
    this.#rate = new TokenBucket(host.settings.publishRate);
  }

  accept(frame: PubFrame, size: number): void {
    const isOver = this.#pendingBytes + size > this.#host.settings.maxQueuedBytes;
    if (!this.#rate.take() || isOver) {
      return this.#publisher.refuse(frame, "publish rate limited");
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
      if (typeof outcome === "string") this.#publisher.refuse(next.frame, outcome);
      else this.#publisher.published(next.frame, outcome);
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
    if (id !== undefined && !isEventName(id)) return "publish refused";
    if (allowClientPublish === undefined) return "publish denied";
    const { subject, id: clientId } = this.#publisher;
    try {
      if (!this.#publisher.holds(channel)) {
        const decision = await broadcaster.authorizeFor(channel, subject);
        if (decision.authorized !== true) return "publish denied";
      }
      const request = { channel, event, data, subject, clientId };
      const answer = allowClientPublish(request);
      const decision = await this.#host.deadlines.race(answer, authorizationTimeoutMs);
      if (decision !== true) return "publish denied";
    } catch (error) {
      // A gateway that closes waits for no decision; that is not an error of the application.
      if (!this.#publisher.isEnded) this.#report(error, "Cannot decide on a client's publish");
      return "publish denied";
    }
    try {
      const except = frame.x === true ? clientId : undefined;
      return await broadcaster.publish(channel, { event, data, id }, { except });
    } catch (error) {
      this.#report(error, "Cannot publish for a client");
      // Revision 1 has one word for both.
      const isRefused = isBroadcastError(error) && error.status === 400;
      return isRefused && this.#publisher.revision === 2 ? "publish refused" : "publish failed";
    }
  }

  #report(error: unknown, message: string): void {
    this.#host.report(asBroadcastError(error, message));
  }
}

/** An error of this library as it is; anything else was thrown by a callback. */
export function asBroadcastError(error: unknown, message: string): AnyBroadcastError {
  return isBroadcastError(error)
    ? error
    : new BroadcastHookError(`${message}: a callback threw`, { cause: error });
}
