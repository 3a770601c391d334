import type { WireMember } from "../protocol/frames.ts";
import type { Listeners } from "./listeners.ts";
import type { Subscription } from "./subscription.ts";

/** A member of a `presence-` channel, as all members see it: an id and what the server adds. */
export type ChannelMember = WireMember;

/** Who is on a `presence-` channel. After each reconnect it is as the server says again. */
export class ChannelPresence {
  readonly #subscription: Subscription;
  readonly #listeners: Listeners;

  /** Made with its channel. */
  constructor(subscription: Subscription, listeners: Listeners) {
    this.#subscription = subscription;
    this.#listeners = listeners;
  }

  /** Everybody who is there, by user id; empty where they are too many to list. */
  get members(): ReadonlyMap<string, ChannelMember> {
    return this.#subscription.members;
  }

  /** How many are there. */
  get count(): number {
    return this.#subscription.memberCount ?? this.members.size;
  }

  /**
   * Listens for members who come or go; those who were there first are told as coming.
   *
   * @returns A function that takes the listener away.
   */
  on(change: "join" | "leave", listener: (member: ChannelMember) => unknown): () => void {
    return this.#listeners.add("\0" + change, listener);
  }
}
