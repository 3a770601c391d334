import type { Listeners } from "./listeners.ts";
import type { ClientPublishOptions, ClientPublishResult } from "./outbox.ts";
import type { ChannelPosition } from "./position.ts";
import type { ChannelPresence } from "./presence.ts";
import type { EventInfo, Subscription } from "./subscription.ts";

/** Names and data types of a channel's events; any name with unknown data unless told. */
export type ChannelEvents = Record<string, unknown>;

/** What a channel asks of its client. */
export interface ChannelOwner {
  publish(
    channel: string,
    event: string,
    data: unknown,
    options: ClientPublishOptions,
  ): Promise<ClientPublishResult>;
  sync(channel: string): void;
}

/**
 * One part of a page's hold on a channel. Several may hold the same channel, each with its own
 * listeners; the subscription ends when the last one leaves.
 *
 * Types of events are a promise of yours about what is published; nothing checks them at run time.
 *
 * @example
 * ```ts
 * import { BroadcastClient } from "@airwave/broadcast/client";
 *
 * const client = new BroadcastClient({ url: "ws://localhost:8000/_broadcast", autoConnect: false });
 * const chat = client.channel<{ message: { text: string } }>("chat.1");
 * chat.on("message", ({ text }) => console.log(text));
 * chat.on("*", (event, data) => console.log(event, data));
 * chat.leave();
 * ```
 */
// deno-lint-ignore no-explicit-any -- an interface without index signature must do as `Events`
export class BroadcastChannel<Events extends Record<keyof Events, any> = ChannelEvents> {
  /** Channel. */
  readonly name: string;
  /**
   * Resolves when the channel is live for the first time since it is held here, with the position
   * after which events come. It waits as long as the server does not say ok, and never rejects.
   */
  readonly ready: Promise<ChannelPosition | undefined>;
  /** Who is there, on a `presence-` channel. */
  readonly presence: ChannelPresence;
  readonly #subscription: Subscription;
  readonly #owner: ChannelOwner;
  readonly #listeners: Listeners;

  /** Made by `client.channel(name)`. */
  constructor(
    name: string,
    listeners: Listeners,
    subscription: Subscription,
    owner: ChannelOwner,
  ) {
    this.name = name;
    this.#listeners = listeners;
    this.#subscription = subscription;
    this.#owner = owner;
    this.presence = {
      members: subscription.members,
      get count() {
        return subscription.memberCount ?? this.members.size;
      },
      on: (change, listener) => listeners.add("\0" + change, listener),
    };
    this.ready = new Promise((resolve) => {
      if (subscription.isLive) resolve(subscription.position);
      else listeners.add("\0subscribed", ({ position }) => resolve(position));
    });
  }

  /** Whether the server has said that this channel is live on the current connection. */
  get subscribed(): boolean {
    return this.#subscription.isLive && this.#subscription.holds.has(this.#listeners);
  }

  /** The last event that was handed over, or where the subscription began. */
  get position(): ChannelPosition | undefined {
    return this.#subscription.position;
  }

  /**
   * Listens to one event, or with `"*"` to all.
   *
   * @returns A function that takes the listener away.
   */
  on(
    event: "*",
    listener: (
      event: keyof Events & string,
      data: Events[keyof Events],
      info: EventInfo,
    ) => unknown,
  ): () => void;
  /** Listens to one event; the returned function takes the listener away. */
  on<Name extends keyof Events & string>(
    event: Name,
    listener: (data: Events[Name], info: EventInfo) => unknown,
  ): () => void;
  on(event: string, listener: (...args: never[]) => unknown): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * Listens for the channel's return after a break of which nothing is lost: `missed` events follow.
   * The returned function takes the listener away.
   */
  onRecovered(listener: (info: { readonly missed: number }) => unknown): () => void {
    return this.#listeners.add("\0recovered", listener);
  }

  /**
   * Listens for the channel's return after a break in which events may have been lost: load your
   * state anew. The returned function takes the listener away.
   */
  onLost(listener: () => unknown): () => void {
    return this.#listeners.add("\0lost", listener);
  }

  /**
   * Publishes an event, if the application allows clients to. Without a connection it waits in the
   * outbox; one that was not acknowledged before the connection broke is sent again and delivered once.
   *
   * @returns What became of it. The promise never rejects; a refusal is told as the client's `error`, too.
   * @throws {BroadcastClientError} `client.config` where the name, the data or its size breaks a rule.
   */
  publish<Name extends keyof Events & string>(
    event: Name,
    data: Events[Name],
    options: ClientPublishOptions = {},
  ): Promise<ClientPublishResult> {
    return this.#owner.publish(this.name, event, data, options);
  }

  /** Ends this hold and its listeners. Idempotent. */
  leave(): void {
    this.#listeners.clear();
    this.#subscription.holds.delete(this.#listeners);
    this.#owner.sync(this.name);
  }
}
