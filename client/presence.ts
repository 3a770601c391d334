import type { WireMember } from "../protocol/frames.ts";
import type { Listeners } from "./listeners.ts";

/** A member of a `presence-` channel, as all members see it: an id and what the server adds. */
export type ChannelMember = WireMember;

/** Who is on a `presence-` channel. After each reconnect it is as the server says again. */
export class ChannelPresence {
  /** Everybody who is there, by user id. */
  readonly members: ReadonlyMap<string, ChannelMember>;
  readonly #listeners: Listeners;

  /** Made with its channel. */
  constructor(members: ReadonlyMap<string, ChannelMember>, listeners: Listeners) {
    this.members = members;
    this.#listeners = listeners;
  }

  /**
   * Listens for members who come or go, those included who were there first.
   *
   * @returns A function that takes the listener away.
   */
  on(change: "join" | "leave", listener: (member: ChannelMember) => unknown): () => void {
    return this.#listeners.add("\0" + change, listener);
  }
}
