/// <reference lib="dom" />
import type { BroadcastChannel, BroadcastClient } from "@airwave/broadcast/client";
import { type Notice, parseMessage, parseNotice, parseRecent, parseTyping } from "../messages.ts";
import type { RoomInfo } from "../rooms.ts";
import { Outgoing } from "./outgoing.ts";
import { Timeline } from "./timeline.ts";
import { Typists } from "./typists.ts";

/** A sign of typing is sent so often at most. */
const TYPING_INTERVAL_MS = 2_000;

/** What a room tells the page; any part of it may have changed. */
export interface RoomEvents {
  messages(room: Room): void;
  typing(room: Room): void;
  notice(room: Room, notice: Notice): void;
}

/** A room as this page knows it. What was said stays while one is elsewhere. */
export class Room {
  readonly info: RoomInfo;
  readonly timeline = new Timeline();
  readonly typists: Typists;
  readonly #client: BroadcastClient;
  readonly #events: RoomEvents;
  readonly #outgoing: Outgoing;
  #channel: BroadcastChannel | undefined;
  #entered = false;
  /** Nonce of the message that is being written. */
  #draft = newNonce();
  #typedAtMs = -Infinity;

  constructor(info: RoomInfo, client: BroadcastClient, events: RoomEvents) {
    this.info = info;
    this.#client = client;
    this.#events = events;
    this.typists = new Typists(() => events.typing(this));
    this.#outgoing = new Outgoing(client, (nonce, delivery) => {
      this.timeline.mark(nonce, delivery);
      events.messages(this);
      this.#leaveIfDone();
    });
    client.on("subscribed", ({ channel }) => {
      if (channel === info.channel) this.#catchUp();
    });
  }

  get entered(): boolean {
    return this.#entered;
  }

  enter(): void {
    this.#entered = true;
    this.#hold();
  }

  /** The channel is kept until what was written is confirmed. */
  leave(): void {
    this.#entered = false;
    this.typists.clear();
    this.#leaveIfDone();
  }

  /** The server does not let us in, or not any more. */
  shut(): void {
    this.#outgoing.clear();
    this.leave();
  }

  /** Leaves nothing for the next one at this page. */
  forget(): void {
    this.shut();
    this.timeline.clear();
    this.#events.messages(this);
  }

  write(name: string, text: string): void {
    const message = { name, text, nonce: this.#draft };
    this.#draft = newNonce();
    this.#typedAtMs = -Infinity;
    this.timeline.write(message);
    this.#outgoing.send(message, this.#hold());
  }

  /** Sends a failed message once more. */
  retry(nonce: string): void {
    const entry = this.timeline.get(nonce);
    if (entry?.delivery === "failed") this.#outgoing.send(entry.message, this.#hold());
  }

  /** Tells the others; late is as good as never, so not without a connection. */
  typing(name: string): void {
    const nowMs = performance.now();
    if (!this.#client.connected || nowMs - this.#typedAtMs < TYPING_INTERVAL_MS) return;
    this.#typedAtMs = nowMs;
    this.#hold().publish("typing", { name, nonce: this.#draft });
  }

  /** The server refused something published here. */
  refused(): void {
    this.#outgoing.refuse();
  }

  #hold(): BroadcastChannel {
    if (this.#channel !== undefined) return this.#channel;
    const channel = this.#client.channel(this.info.channel);
    channel.on("message", (data, { id }) => this.#deliver(data, id, Date.now()));
    channel.on("typing", (data) => {
      const typing = parseTyping(data);
      if (typing === undefined || !this.#entered || typing.nonce === this.#draft) return;
      if (!this.timeline.has(typing.nonce)) this.typists.typing(typing);
    });
    channel.on("notice", (data) => {
      const notice = parseNotice(data);
      if (notice !== undefined) this.#events.notice(this, notice);
    });
    return this.#channel = channel;
  }

  #leaveIfDone(): void {
    if (this.#entered || this.#outgoing.size > 0) return;
    this.#channel?.leave();
    this.#channel = undefined;
  }

  #deliver(data: unknown, id: string, at: number): void {
    const message = parseMessage(data);
    if (message === undefined) return;
    this.#outgoing.confirm(message.nonce);
    this.timeline.deliver(message, id, at);
    this.typists.done(message.nonce);
    this.#events.messages(this);
    this.#leaveIfDone();
  }

  /** Live events come from here on; what was said before, the server remembers for a while. */
  async #catchUp(): Promise<void> {
    try {
      const response = await fetch(`/recent/${this.info.id}`);
      const found: unknown = response.ok ? await response.json() : [];
      for (const item of Array.isArray(found) ? found : []) {
        const recent = parseRecent(item);
        if (recent !== undefined) this.#deliver(recent.message, recent.id, recent.at);
      }
    } catch {
      // The connection is gone again; with the next one this is tried again.
    }
  }
}

/** Also where `crypto.randomUUID` is missing: on a page that came by plain HTTP from elsewhere. */
function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
