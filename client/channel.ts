import type { Listeners } from "./listeners.ts";

/** Names and data types of a channel's events; any name with unknown data unless told. */
export type ChannelEvents = Record<string, unknown>;

/** What a listener is told beside the data. */
export interface EventInfo {
  /** Event id, the same for every subscriber. */
  readonly id: string;
}

/** What a channel asks of its client. */
export interface ChannelOwner {
  publish(channel: string, event: string, data: unknown): void;
  isSubscribed(channel: string): boolean;
  leave(channel: string, listeners: Listeners): void;
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
  readonly #owner: ChannelOwner;
  readonly #listeners: Listeners;
  #state: "held" | "left" = "held";

  /** Made by `client.channel(name)`. */
  constructor(name: string, listeners: Listeners, owner: ChannelOwner) {
    this.name = name;
    this.#listeners = listeners;
    this.#owner = owner;
  }

  /** Whether the server has said that this channel is live on the current connection. */
  get subscribed(): boolean {
    return this.#state === "held" && this.#owner.isSubscribed(this.name);
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
   * Publishes an event, if the application allows clients to. While there is no connection it waits
   * in the outbox; a refusal by the server comes as the client's `error`.
   *
   * @throws {BroadcastClientError} `client.config` where the name, the data or its size breaks a rule.
   */
  publish<Name extends keyof Events & string>(event: Name, data: Events[Name]): void {
    this.#owner.publish(this.name, event, data);
  }

  /** Ends this hold and its listeners. Idempotent. */
  leave(): void {
    if (this.#state === "left") return;
    this.#state = "left";
    this.#listeners.clear();
    this.#owner.leave(this.name, this.#listeners);
  }
}
