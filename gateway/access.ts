import type { ChannelAuthorizationResult } from "../core/authorization.ts";
import type { Broadcaster } from "../core/broadcaster.ts";
import type { ControlWatch } from "../core/control.ts";
import type { Deadlines } from "../core/deadline.ts";
import { BroadcastUnauthorizedError } from "../core/errors.ts";
import type { ControlOrder } from "../core/orders.ts";
import { isUserChannel, userChannel } from "../protocol/names.ts";

/** Who asks: a subject, and the user she is, if that is known. */
export interface Asker<Subject> {
  readonly subject: Subject | undefined;
  readonly user: string | undefined;
}

const DENIED: ChannelAuthorizationResult = { authorized: false };

/**
 * Decides who may hold which channel: the orders in force, the rule of users' own channels, then the
 * application's rules. Where it cannot be known which orders are in force, nobody who could be
 * revoked is let in.
 */
export class Access<Subject> {
  readonly #broadcaster: Broadcaster<Subject>;
  readonly #deadlines: Deadlines;
  readonly #timeoutMs: number;
  readonly #onOrder: (order: ControlOrder) => void;
  #control: ControlWatch | undefined;

  constructor(
    broadcaster: Broadcaster<Subject>,
    deadlines: Deadlines,
    timeoutMs: number,
    onOrder: (order: ControlOrder) => void,
  ) {
    this.#broadcaster = broadcaster;
    this.#deadlines = deadlines;
    this.#timeoutMs = timeoutMs;
    this.#onOrder = onOrder;
  }

  /** Begins to listen for orders: with the first connection, not before anybody needs it. */
  open(): void {
    this.#control ??= this.#broadcaster.watchControl(this.#onOrder);
  }

  close(): void {
    this.#control?.close();
    this.#control = undefined;
  }

  /** Whether an order keeps a user out; one that is not known here yet is told of when it is. */
  isDisconnected(user: string): boolean {
    return this.#control?.isDisconnected(user) === true;
  }

  /**
   * Asks whether somebody may hold a channel.
   *
   * @throws {BroadcastUnauthorizedError} Where that cannot be known: deny.
   */
  async decide(channel: string, { subject, user }: Asker<Subject>) {
    if (user !== undefined) {
      await this.#assertCurrent(channel);
      if (this.#isRevoked(user, channel)) return DENIED;
    }
    if (isUserChannel(channel)) {
      return user !== undefined && channel === userChannel(user) ? { authorized: true } : DENIED;
    }
    const decision = await this.#broadcaster.authorizeFor(channel, subject);
    // The order may have come while the rule was asked.
    return user !== undefined && this.#isRevoked(user, channel) ? DENIED : decision;
  }

  /**
   * Whether a decision of before still holds, as far as orders go.
   *
   * @throws {BroadcastUnauthorizedError} Where that cannot be known: deny.
   */
  async stillHolds(channel: string, { user }: Asker<Subject>): Promise<boolean> {
    if (user === undefined) return true;
    await this.#assertCurrent(channel);
    return !this.#isRevoked(user, channel);
  }

  #isRevoked(user: string, channel: string): boolean {
    return this.#control?.isRevoked(user, channel) === true;
  }

  async #assertCurrent(channel: string): Promise<void> {
    if (this.#control?.isCurrent !== false) return;
    // An outage may last for hours: who gave up is not to be kept for its end.
    const stop = new AbortController();
    try {
      await this.#deadlines.race(this.#control.whenCurrent(stop.signal), this.#timeoutMs);
    } catch (cause) {
      throw new BroadcastUnauthorizedError(
        "broadcast.authorization_failed",
        `Cannot authorize channel "${channel}": it is not known who is revoked`,
        { status: 503, context: { channel }, cause },
      );
    } finally {
      stop.abort();
    }
  }
}
