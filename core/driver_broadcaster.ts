import {
  CHANNEL_NAME_RULE,
  isChannelName,
  isPresenceChannel,
  isUserId,
  USER_ID_RULE,
  userChannel,
} from "../protocol/names.ts";
import {
  Authorization,
  type ChannelAuthorizationResult,
  type ChannelAuthorizer,
} from "./authorization.ts";
import type { Broadcaster } from "./broadcaster.ts";
import {
  BROADCASTER_CHECKS,
  BROADCASTER_DEFAULTS,
  type BroadcasterOptions,
} from "./broadcaster_options.ts";
import { Control, CONTROL_TOPIC, type ControlListener, type ControlWatch } from "./control.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { BroadcastDriver } from "./driver.ts";
import { encodeEvent } from "./encode_event.ts";
import {
  BroadcastClosedError,
  BroadcastConfigError,
  type BroadcastErrorInit,
  BroadcastPublishError,
  BroadcastSubscribeError,
} from "./errors.ts";
import type { BroadcastEventInit, EventRecord, PublishOptions, PublishReceipt } from "./event.ts";
import { publishedId } from "./event_id.ts";
import { type BackplaneState, Health } from "./health.ts";
import { ErrorReporter } from "./hooks.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import { LocalChannels } from "./local_channels.ts";
import { describe, readOptions } from "./options.ts";
import {
  disconnectOrder,
  type DisconnectTarget,
  type OrderOptions,
  revokeOrder,
  type RevokeTarget,
} from "./orders.ts";
import { isPosition, type Position, POSITION_RULE } from "./position.ts";
import { Presence } from "./presence.ts";
import type { PresenceListener } from "./presence_channel.ts";
import type { PresenceInfo } from "./presence_info.ts";
import { QueuedSubscription } from "./queued_subscription.ts";
import { explainBy } from "./reason.ts";
import {
  type BroadcastSubscription,
  readSubscribeOptions,
  type SubscribeOptions,
} from "./subscription.ts";

/**
 * A {@linkcode Broadcaster} over any driver: it does what is the same for all of them, once.
 *
 * @example
 * ```ts
 * import { DriverBroadcaster, MemoryDriver } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new DriverBroadcaster(new MemoryDriver());
 * const { position } = await broadcaster.publish("news", { event: "headline", data: null });
 * assertEquals(position?.offset, 1);
 * ```
 */
export class DriverBroadcaster<Subject = unknown> implements Broadcaster<Subject> {
  readonly #driver: BroadcastDriver;
  readonly #maxEventBytes: number;
  readonly #authorization: Authorization<Subject>;
  readonly #reporter: ErrorReporter;
  readonly #health: Health;
  readonly #presence: Presence;
  readonly #control: Control;
  readonly #channels: LocalChannels;
  #closing: Deferred<void> | undefined;

  /**
   * Makes a broadcaster over a driver, which it closes with itself.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(driver: BroadcastDriver, options: BroadcasterOptions = {}) {
    const settings = readOptions(
      "a broadcaster",
      options,
      BROADCASTER_CHECKS,
      BROADCASTER_DEFAULTS,
    );
    const { maxEventBytes, authorizationTimeoutMs, defaultAccess, onError, onHealth } = settings;
    this.#driver = driver;
    this.#maxEventBytes = maxEventBytes;
    this.#authorization = new Authorization(defaultAccess, authorizationTimeoutMs);
    this.#reporter = new ErrorReporter(onError);
    const isRemote = driver.open !== undefined;
    this.#health = new Health(isRemote ? "connecting" : "up", this.#reporter, onHealth);
    const control = new Control(
      driver,
      this.#reporter,
      (listener) => this.#channels.attach(CONTROL_TOPIC, listener),
      this.#health.state,
    );
    this.#control = control;
    this.#channels = new LocalChannels(driver, this.#reporter, {
      get isOpen() {
        return control.isCurrent;
      },
      opened: () => control.whenCurrent(),
    });
    this.#presence = new Presence(
      driver,
      settings,
      this.#reporter,
      (topic, listener) => this.#channels.attach(topic, listener),
    );
    driver.open?.({
      health: (state, cause) => {
        // A driver may say it as often as it looks: what is known already sets off nothing.
        if (this.#health.set(state, cause)) this.#control.backplaneChanged(state);
      },
      report: (error) => this.#reporter.report(error),
    });
  }

  /** How the backplane is; see {@linkcode Broadcaster.health}. */
  get health(): BackplaneState {
    return this.#health.state;
  }

  /** Publishes an event; see {@linkcode Broadcaster.publish}. */
  publish(
    channel: string,
    event: BroadcastEventInit,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    return this.send(channel, event, options, (record) => this.#driver.publish(channel, record));
  }

  /**
   * Checks and encodes an event, then hands it over by `send`. For a driver's broadcaster that offers
   * further ways to publish.
   */
  protected async send(
    channel: string,
    event: BroadcastEventInit,
    options: PublishOptions,
    send: (record: EventRecord) => Promise<Position | undefined>,
  ): Promise<PublishReceipt> {
    const record = encodeEvent(channel, event, options, this.#maxEventBytes);
    this.#assertOpen("publish");
    try {
      const position = await send(record);
      return { id: publishedId(record.id), position };
    } catch (cause) {
      const context = { channel, id: publishedId(record.id) };
      // Whatever the driver says of it: this is why.
      this.#assertOpen("publish", { context, cause });
      throw new BroadcastPublishError(
        `Cannot publish on channel "${channel}": ${explainBy(this.#driver, cause)}`,
        { status: 503, context, cause },
      );
    }
  }

  /** Subscribes inside the process; see {@linkcode Broadcaster.subscribe}. */
  subscribe(channel: string, options: SubscribeOptions = {}): BroadcastSubscription {
    const { after, onOverflow, onLost, ...limits } = readSubscribeOptions(options);
    return new QueuedSubscription(
      channel,
      {
        ...limits,
        onOverflow,
        onLost,
        run: (what, callback) => this.#reporter.run(what, callback),
      },
      (listener) => this.listen(channel, listener, { after }),
    );
  }

  /** Subscribes by direct callback; see {@linkcode Broadcaster.listen}. */
  listen(
    channel: string,
    listener: ChannelListener,
    options: { readonly after?: Position | undefined } = {},
  ): Attachment {
    this.#assertOpen("subscribe");
    if (!isChannelName(channel)) {
      throw new BroadcastSubscribeError(
        `Cannot subscribe to channel ${describe(channel)}: ${CHANNEL_NAME_RULE}`,
      );
    }
    const { after } = options;
    if (after !== undefined && !isPosition(after)) {
      throw new BroadcastConfigError(
        `Cannot subscribe to channel "${channel}": option "after" must be ${POSITION_RULE}`,
      );
    }
    return this.#channels.attach(channel, listener, after);
  }

  /** Publishes to one user; see {@linkcode Broadcaster.sendToUser}. */
  async sendToUser(
    user: string,
    event: BroadcastEventInit,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    if (!isUserId(user)) {
      throw new BroadcastPublishError(
        `Cannot send to user ${describe(user)}: ${USER_ID_RULE}`,
        { context: { user } },
      );
    }
    return await this.publish(userChannel(user), event, options);
  }

  /** Closes connections on every node; see {@linkcode Broadcaster.disconnect}. */
  async disconnect(target: DisconnectTarget, options: OrderOptions = {}): Promise<void> {
    await this.#finish(
      "disconnect",
      () => this.#control.give(disconnectOrder(target), options),
    );
  }

  /** Ends a user's subscriptions on every node; see {@linkcode Broadcaster.revoke}. */
  async revoke(target: RevokeTarget, options: OrderOptions = {}): Promise<void> {
    await this.#finish("revoke", () => this.#control.give(revokeOrder(target), options));
  }

  /** Hears of orders; see {@linkcode Broadcaster.watchControl}. */
  watchControl(listener: ControlListener): ControlWatch {
    this.#assertOpen("serve a gateway");
    return this.#control.watch(listener);
  }

  /** Everybody on a presence channel; see {@linkcode Broadcaster.presence}. */
  async presence(channel: string): Promise<readonly PresenceInfo[]> {
    const action = "list who is on";
    this.#assertPresence(action, channel);
    return await this.#finish(`${action} a channel`, () => this.#presence.members(channel));
  }

  /** Watches a presence channel; see {@linkcode Broadcaster.watchPresence}. */
  watchPresence(
    channel: string,
    listener: PresenceListener,
    member?: PresenceInfo,
  ): () => void {
    this.#assertPresence("watch", channel);
    return this.#presence.watch(channel, listener, member);
  }

  /** Sets the rule for a pattern; see {@linkcode Broadcaster.authorize}. */
  authorize(pattern: string, authorizer: ChannelAuthorizer<Subject>): void {
    this.#assertOpen("authorize");
    this.#authorization.add(pattern, authorizer);
  }

  /** Asks the rules; see {@linkcode Broadcaster.authorizeFor}. */
  async authorizeFor(
    channel: string,
    subject: Subject | undefined,
  ): Promise<ChannelAuthorizationResult> {
    this.#assertOpen("authorize");
    return await this.#authorization.decide(channel, subject);
  }

  /** Ends everything; see {@linkcode Broadcaster.close}. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      // First of all: who is told of the end and listens again must be refused, and may close again.
      this.#closing = deferred();
      this.#closing.resolve(this.#close());
    }
    return this.#closing.promise;
  }

  /** The same as {@linkcode DriverBroadcaster.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const left = this.#presence.close();
    this.#control.close();
    this.#channels.close();
    this.#authorization.close();
    await left;
    await this.#driver.close();
    this.#health.set("closed");
  }

  /** Does it; what the end of the broadcaster cuts short says so, whatever the driver says of it. */
  async #finish<T>(action: string, call: () => Promise<T>): Promise<T> {
    this.#assertOpen(action);
    try {
      return await call();
    } catch (cause) {
      this.#assertOpen(action, { cause });
      throw cause;
    }
  }

  #assertPresence(action: string, channel: string): void {
    this.#assertOpen(`${action} a channel`);
    if (isChannelName(channel) && isPresenceChannel(channel)) return;
    throw new BroadcastSubscribeError(
      `Cannot ${action} channel ${describe(channel)}: the name must start with "presence-", ` +
        `and ${CHANNEL_NAME_RULE}`,
    );
  }

  #assertOpen(action: string, init?: BroadcastErrorInit): void {
    if (this.#closing !== undefined) {
      throw new BroadcastClosedError(`${action} on this broadcaster`, init);
    }
  }
}
