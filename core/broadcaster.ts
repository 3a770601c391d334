import type { ChannelAuthorizationResult, ChannelAuthorizer } from "./authorization.ts";
import type { ControlListener, ControlWatch } from "./control.ts";
import type { BroadcastEventInit, PublishOptions, PublishReceipt } from "./event.ts";
import type { BackplaneState } from "./health.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import type { DisconnectTarget, OrderOptions, RevokeTarget } from "./orders.ts";
import type { Position } from "./position.ts";
import type { PresenceListener } from "./presence_channel.ts";
import type { PresenceInfo } from "./presence_info.ts";
import type { BroadcastSubscription, SubscribeOptions } from "./subscription.ts";

/**
 * Publishes events on named channels and subscribes to them, on one process or on many: the driver
 * behind it decides that, the application's code stays the same.
 *
 * @example
 * ```ts
 * import { type Broadcaster, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * interface User {
 *   readonly id: string;
 * }
 *
 * await using broadcaster: Broadcaster<User> = new MemoryBroadcaster<User>();
 * broadcaster.authorize("private-user.*", ({ subject, params }) => subject?.id === params[0]);
 *
 * const ada = { id: "ada" };
 * assertEquals((await broadcaster.authorizeFor("private-user.ada", ada)).authorized, true);
 * assertEquals((await broadcaster.authorizeFor("private-user.bob", ada)).authorized, false);
 * ```
 */
export interface Broadcaster<Subject = unknown> extends AsyncDisposable {
  /** How the backplane is, as this node sees it. */
  readonly health: BackplaneState;

  /**
   * Publishes an event. Resolves when it is stored, or handed over where no history is kept.
   *
   * @throws {BroadcastPublishError} Status 400 where name, id or data break a rule, 503 where the
   * driver could not store it.
   * @throws {BroadcastClosedError} After `close()`, also where it was under way by then: what has a
   * cause may have been stored.
   */
  publish(
    channel: string,
    event: BroadcastEventInit,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;

  /**
   * Subscribes inside the process, as an async iterable.
   *
   * @throws {BroadcastSubscribeError} Where the channel's name breaks the rule.
   * @throws {BroadcastConfigError} Where an option does.
   * @throws {BroadcastClosedError} After `close()`.
   */
  subscribe(channel: string, options?: SubscribeOptions): BroadcastSubscription;

  /**
   * Subscribes by direct callback, without a queue: what a gateway uses. The listener must not do
   * slow work.
   *
   * @throws {BroadcastSubscribeError} Where the channel's name breaks the rule.
   * @throws {BroadcastConfigError} Where `after` is no position.
   * @throws {BroadcastClosedError} After `close()`.
   */
  listen(
    channel: string,
    listener: ChannelListener,
    options?: { readonly after?: Position | undefined },
  ): Attachment;

  /**
   * Publishes to all connections of one user, through a channel that only she may hold, with history
   * like any other; see `userChannel` in `./protocol`. The gateway's `identify` says who she is.
   *
   * @throws {BroadcastPublishError} As `publish` does, and where the user id makes a name that is too
   * long.
   * @throws {BroadcastClosedError} After `close()`.
   */
  sendToUser(
    user: string,
    event: BroadcastEventInit,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;

  /**
   * Closes every connection of a user, or one connection, on every node, and keeps a user out for
   * `rememberMs`. Resolves when it is stored and passed on.
   *
   * @throws {BroadcastPublishError} Where the driver could not do that: try again.
   * @throws {BroadcastConfigError} Where the target is none, or the driver keeps no leases.
   * @throws {BroadcastClosedError} After `close()`, also where it was under way by then: what has a
   * cause may have been stored.
   */
  disconnect(target: DisconnectTarget, options?: OrderOptions): Promise<void>;

  /**
   * Ends a user's subscriptions to a channel, or to all, on every node, and refuses new ones for
   * `rememberMs`: time for the application's own rules to have caught up. Resolves when it is stored
   * and passed on.
   *
   * @throws {BroadcastPublishError} Where the driver could not do that: try again.
   * @throws {BroadcastConfigError} Where the target is none, or the driver keeps no leases.
   * @throws {BroadcastClosedError} After `close()`, also where it was under way by then: what has a
   * cause may have been stored.
   */
  revoke(target: RevokeTarget, options?: OrderOptions): Promise<void>;

  /** Hears of disconnects and revocations, whoever gave them on whatever node: what a gateway uses. */
  watchControl(listener: ControlListener): ControlWatch;

  /**
   * Everybody who is on a `presence-` channel, over all nodes, each user once.
   *
   * @throws {BroadcastSubscribeError} Status 400 for any other name, 503 where the store cannot be
   * asked.
   * @throws {BroadcastClosedError} After `close()`, also where it was under way by then.
   */
  presence(channel: string): Promise<readonly PresenceInfo[]>;

  /**
   * Watches who is on a `presence-` channel, as one of them where `member` is given: what a gateway
   * uses. The returned function ends it; a member stays for `presenceGraceMs` after her last one.
   *
   * @throws {BroadcastSubscribeError} For any other name.
   * @throws {BroadcastConfigError} Where the driver keeps no leases, or `member` is larger than
   * `maxPresenceInfoBytes`.
   * @throws {BroadcastClosedError} After `close()`.
   */
  watchPresence(channel: string, listener: PresenceListener, member?: PresenceInfo): () => void;

  /**
   * Sets the rule for the channels of a pattern: an exact name, a trailing `*` (the rest of the
   * name) or a `*` before one of `. : /` (one segment). An exact name wins, then the longest literal
   * prefix. Channels without a rule are open, unless they start with `private-` or `presence-`.
   *
   * @throws {BroadcastConfigError} Where the pattern could never match, or has a rule already.
   */
  authorize(pattern: string, authorizer: ChannelAuthorizer<Subject>): void;

  /**
   * Asks the rules whether a subject may hold a channel. Resolves with a decision; only
   * `authorized: true` allows.
   *
   * @throws {BroadcastUnauthorizedError} Where the authorizer threw or gave no answer in time
   * (`broadcast.authorization_failed`): deny.
   * @throws {BroadcastClosedError} After `close()`.
   */
  authorizeFor(
    channel: string,
    subject: Subject | undefined,
  ): Promise<ChannelAuthorizationResult>;

  /** Ends all subscriptions and the driver. Idempotent; later use throws. */
  close(): Promise<void>;
}
