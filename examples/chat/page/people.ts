/// <reference lib="dom" />
import type { BroadcastChannel, BroadcastClient } from "@airwave/broadcast/client";
import { parseMember, type RoomMember } from "../members.ts";
import { parseTyping } from "../messages.ts";
import type { RoomInfo } from "../rooms.ts";
import { Replay } from "./replay.ts";
import { Typists } from "./typists.ts";

/** A sign of typing is sent so often at most. */
const TYPING_INTERVAL_MS = 2_000;

/** Who is in a room and who types, as long as this page is in it, too. */
export class People {
  readonly typists: Typists;
  readonly #info: RoomInfo;
  readonly #client: BroadcastClient;
  readonly #onChange: () => void;
  #channel: BroadcastChannel | undefined;
  #typedAtMs = -Infinity;

  constructor(info: RoomInfo, client: BroadcastClient, onChange: () => void) {
    this.#info = info;
    this.#client = client;
    this.#onChange = onChange;
    this.typists = new Typists(onChange);
    // Whether they still do, nobody could tell.
    client.on("state", () => this.typists.clear());
  }

  /** Each person once, under the name they took last; empty where they are too many to list. */
  get members(): RoomMember[] {
    return [...new Map(this.#all.map((member) => [member.person, member])).values()];
  }

  get count(): number {
    return this.members.length || (this.#channel?.presence.count ?? 0);
  }

  enter(): void {
    const channel = this.#client.channel(this.#info.presence);
    const replay = new Replay(channel);
    channel.presence.on("join", this.#onChange);
    channel.presence.on("leave", ({ id }) => {
      this.typists.gone(id);
      this.#onChange();
    });
    channel.on("typing", (data) => {
      const typing = parseTyping(data);
      const member = this.#all.find(({ id }) => id === typing?.member);
      // Whoever typed while this page was away does not any more.
      if (typing && member && !replay.isOn) this.typists.typing(typing, member);
    });
    this.#channel = channel;
  }

  leave(): void {
    this.typists.clear();
    this.#channel?.leave();
    this.#channel = undefined;
    this.#onChange();
  }

  /** Tells the others; late is as good as never, so not without a connection. */
  typing(person: string | undefined, name: string, nonce: string): void {
    const nowMs = performance.now();
    if (!this.#client.connected || nowMs - this.#typedAtMs < TYPING_INTERVAL_MS) return;
    const self = this.#all.find((member) => member.person === person && member.name === name);
    if (self === undefined) return;
    this.#typedAtMs = nowMs;
    this.#channel?.publish("typing", { member: self.id, nonce }, { others: true });
  }

  /** The message was sent: the next one is told of at once. */
  sent(): void {
    this.#typedAtMs = -Infinity;
  }

  get #all(): RoomMember[] {
    const members = [...this.#channel?.presence.members.values() ?? []];
    return members.flatMap((member) => parseMember(member) ?? []);
  }
}
