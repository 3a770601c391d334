import type {
  BroadcastDriver,
  ChannelSink,
  DriverHost,
  DriverSubscription,
  HistoryRead,
} from "../../core/driver.ts";
import { Deadlines } from "../../core/deadline.ts";
import {
  BroadcastClosedError,
  BroadcastConfigError,
  BroadcastSubscribeError,
} from "../../core/errors.ts";
import type { EventRecord } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { explainRedis } from "./advice.ts";
import { commandClient, isCluster, subscriberClient, templateOf } from "./client.ts";
import { Commands } from "./commands.ts";
import { Feed } from "./feed.ts";
import { ClusterSubscriber } from "./cluster_subscriber.ts";
import { History } from "./history.ts";
import { RedisLeases } from "./leases.ts";
import { Link } from "./link.ts";
import { Names } from "./names.ts";
import type { RedisOptions } from "./options.ts";
import { PLAIN, Subscriber } from "./subscriber.ts";
import { decodeMessage, encodeMessage } from "./wire.ts";

/** Publishes that may be under way at once; the next is refused before it is counted. */
const MAX_PENDING = { events: 20_000, characters: 64 * 1024 * 1024 };

/** Carries events over Redis: a connection for commands, and one, or one a shard, that listens. */
export class RedisDriver implements BroadcastDriver {
  readonly abilities: { readonly history: boolean; readonly multiNode: true };
  readonly leases: RedisLeases;
  readonly #options: RedisOptions;
  readonly #names: Names;
  readonly #link: Link;
  readonly #commands: Commands;
  readonly #history: History | undefined;
  readonly #subscriber: Subscriber | ClusterSubscriber;
  readonly #deadlines = new Deadlines();
  readonly #feeds = new Set<Feed>();
  /** Those that were behind when they were looked for last: each is looked at once, however many. */
  readonly #behind = new Set<Feed>();
  #host: DriverHost | undefined;
  #state: "connecting" | "up" | "down" | "closed" = "connecting";
  /** Publishes that are under way, and the characters of their data. */
  readonly #pending = { events: 0, characters: 0 };
  /** Why Redis was not reached yet, as it was reported. */
  #unreached = "";
  #closing: Promise<void> | undefined;

  /** Begins to connect. */
  constructor(options: RedisOptions) {
    const { history, heartbeatMs, prefix, timeoutMs } = options;
    this.abilities = { history, multiNode: true };
    this.#options = options;
    this.#names = new Names(prefix);
    const template = templateOf(options);
    if (isCluster(template) && options.waitForReplicas > 0) {
      throw new BroadcastConfigError(
        'Cannot create a RedisBroadcaster: option "waitForReplicas" is not for a cluster',
      );
    }
    const hooks = {
      up: () => this.#onUp(),
      down: (cause: unknown) => this.#onDown(cause),
      message: (feed: Feed, text: string) => this.#onMessage(feed, text),
    };
    const place = () => {
      if (this.#subscriber instanceof ClusterSubscriber) this.#subscriber.place();
    };
    this.#link = new Link(
      () => commandClient(template).on("refresh", place).on("ready", place),
      heartbeatMs,
      { ...hooks, beat: () => this.#history?.lookAgain() },
    );
    this.#commands = new Commands(this.#link, timeoutMs);
    this.leases = new RedisLeases(this.#commands, this.#names);
    if (history) this.#history = new History(this.#commands, this.#link, this.#names, options);
    this.#subscriber = isCluster(template)
      ? new ClusterSubscriber(() => this.#link.client, heartbeatMs, hooks)
      : new Subscriber(() => subscriberClient(template), heartbeatMs, PLAIN, hooks);
  }

  /** Says how Redis is, from here on. */
  open(host: DriverHost): void {
    this.#host = host;
  }

  /** With history by one script, that numbers, stores and sends; without by a plain `PUBLISH`. */
  async publish(channel: string, record: EventRecord): Promise<Position | undefined> {
    this.#assertOpen("publish");
    const { length } = record.json;
    const pending = this.#pending;
    // An event takes room beside its data: many small ones have to be bounded as well.
    const isFull = pending.events >= MAX_PENDING.events ||
      pending.characters + length > MAX_PENDING.characters;
    if (isFull) throw new Error(`Too many events wait for Redis: ${pending.events}`);
    pending.events++;
    pending.characters += length;
    try {
      return await (this.#history?.publish(channel, record) ?? this.#send(channel, record));
    } finally {
      pending.events--;
      pending.characters -= length;
    }
  }

  /** Resolves when Redis has acknowledged and the channel's top is known. */
  async subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription> {
    this.#assertOpen("subscribe");
    const name = this.#names.messages(channel);
    const feed = new Feed(channel, {
      top: (channel, seen) => this.#history?.top(channel, seen) ?? Promise.resolve(undefined),
      live: () => this.#onUp(),
      report: (channel, rule, cause) => this.#report(channel, rule, cause),
    }, sink);
    const close = () => {
      feed.close(new BroadcastClosedError("use this subscription"));
      this.#feeds.delete(feed);
      this.#subscriber.remove(name, feed);
      // It may have been the last that was behind.
      this.#onUp();
      return Promise.resolve();
    };
    this.#feeds.add(feed);
    this.#subscriber.add(name, feed);
    try {
      await this.#deadlines.race(feed.ready, this.#options.timeoutMs);
    } catch (error) {
      close();
      throw new Error("Redis did not acknowledge the subscription", {
        cause: feed.lastError ?? this.#subscriber.lastError ?? error,
      });
    }
    return { close };
  }

  /** Reads the stream. */
  async read(channel: string, after: Position): Promise<HistoryRead> {
    this.#assertOpen("read");
    if (this.#history === undefined) throw new Error("Without history there is nothing to read");
    return await this.#history.read(
      channel,
      after,
      (cause) => this.#report(channel, "an entry of its stream that is none of ours", cause),
    );
  }

  explain(cause: unknown): string {
    return explainRedis(cause);
  }

  /** Ends both connections and whatever waits for them. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#state = "closed";
    for (const feed of this.#feeds) feed.close(new BroadcastClosedError("use this subscription"));
    this.#feeds.clear();
    this.#commands.close();
    this.#deadlines.close();
    await Promise.all([this.#subscriber.close(), this.#link.close()]);
  }

  async #send(channel: string, record: EventRecord): Promise<undefined> {
    const [name, message] = [this.#names.messages(channel), encodeMessage(record)];
    await this.#commands.run(
      (client) =>
        isCluster(client) ? client.spublish(name, message) : client.publish(name, message),
      { isRepeatable: false },
    );
  }

  #onMessage(feed: Feed, text: string): void {
    try {
      const message = decodeMessage(text, this.#options.maxEventBytes);
      feed.message(this.abilities.history ? message : { ...message, position: undefined });
    } catch (cause) {
      this.#report(feed.channel, "a message that is none of ours", cause);
    }
  }

  /** Redis is reached as soon as every channel is in step again. */
  #onUp(): void {
    if (this.#state === "closed" || this.#state === "up") return;
    if (!this.#link.isUp || !this.#subscriber.isUp) return;
    for (const feed of this.#behind) {
      if (feed.isBehind) return;
      this.#behind.delete(feed);
    }
    for (const feed of this.#feeds) if (feed.isBehind) this.#behind.add(feed);
    if (this.#behind.size > 0) return;
    this.#state = "up";
    this.#host?.health("up");
  }

  #onDown(cause: unknown): void {
    if (this.#state === "up") {
      this.#state = "down";
      this.#host?.health("down", new Error(explainRedis(cause), { cause }));
    } else if (this.#state === "connecting") {
      this.#reportUnreached(cause);
    }
  }

  /** An outage is told as health. Before the first connection it may be a mistake, and is said once. */
  #reportUnreached(cause: unknown): void {
    const reason = explainRedis(cause);
    if (reason === this.#unreached) return;
    this.#unreached = reason;
    this.#host?.report(
      new BroadcastSubscribeError(`Cannot connect to Redis: ${reason}`, { status: 503, cause }),
    );
  }

  #report(channel: string, rule: string, cause: unknown): void {
    this.#host?.report(
      new BroadcastSubscribeError(
        `Cannot take what Redis has for channel "${channel}": ${rule}${
          cause === undefined ? "" : `: ${explainRedis(cause)}`
        }`,
        {
          status: 503,
          context: { channel },
          cause,
        },
      ),
    );
  }

  #assertOpen(action: string): void {
    if (this.#state === "closed") throw new BroadcastClosedError(`${action} on this driver`);
  }
}
