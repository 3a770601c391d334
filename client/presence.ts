import type { WireMember } from "../protocol/frames.ts";

/** A member of a `presence-` channel, as all members see it: an id and what the server adds. */
export type ChannelMember = WireMember;

/** Who is on a `presence-` channel. After each reconnect it is as the server says again. */
export interface ChannelPresence {
  /** Everybody who is there, by user id; empty where they are too many to list. */
  readonly members: ReadonlyMap<string, ChannelMember>;

  /** How many are there. */
  readonly count: number;

  /**
   * Listens for members who come or go; those who were there first are told as coming.
   *
   * @returns A function that takes the listener away.
   */
  on(change: "join" | "leave", listener: (member: ChannelMember) => unknown): () => void;
}
