/// <reference lib="dom" />
import type { BroadcastChannel, BroadcastClient, ChannelPosition } from "@airwave/broadcast/client";
import { parseMessage, parseRecent } from "../messages.ts";
import type { RoomInfo } from "../rooms.ts";
import { Outgoing } from "./outgoing.ts";
import { People } from "./people.ts";
import { randomHex } from "./random.ts";
import { Timeline } from "./timeline.ts";

/** What a room tells the page; any part of it may have changed. */
export interface RoomEvents {
  messages(room: Room): void;
  people(room: Room): void;
  /** This page is back, and so many messages that it missed follow. */
  recovered(room: Room, missed: number): void;
  /** This page is back, and nobody can tell what it missed. */
  lost(room: Room): void;
}

/** A room as this page knows it. What was said stays while one is elsewhere. */
export class Room {
  readonly info: RoomInfo;
  readonly timeline = new Timeline();
  readonly people: People;
  readonly #client: BroadcastClient;
  readonly #events: RoomEvents;
  readonly #outgoing: Outgoing;
  /** Held while one is in the room. */
  #channel: BroadcastChannel | undefined;
  /** Where one was when one left. */
  #leftAt: ChannelPosition | undefined;
  /** What was said before is to be asked for. */
  #lacksState = true;
  /** Nonce of the message that is being written. */
  #draft = newNonce();

  constructor(info: RoomInfo, client: BroadcastClient, events: RoomEvents) {
    this.info = info;
    this.#client = client;
    this.#events = events;
    this.people = new People(info, client, () => events.people(this));
    this.#outgoing = new Outgoing(client, {
      marked: (nonce, delivery) => {
        this.timeline.mark(nonce, delivery);
        events.messages(this);
      },
      delivered: (message, position) => {
        this.timeline.deliver(message, position);
        events.messages(this);
      },
    });
    client.on("subscribed", ({ channel }) => {
      if (channel === info.channel) this.#load();
    });
  }

  get entered(): boolean {
    return this.#channel !== undefined;
  }

  /** Goes on from where one left, if one was here before. */
  enter(): void {
    const channel = this.#client.channel(this.info.channel, { after: this.#leftAt });
    channel.on("message", (data) => {
      if (channel.position !== undefined) this.#deliver(data, channel.position);
    });
    channel.onRecovered(({ missed }) => this.#events.recovered(this, missed));
    channel.onLost(() => {
      this.#lacksState = true;
      this.#load();
      this.#events.lost(this);
    });
    this.#channel = channel;
    this.people.enter();
  }

  leave(): void {
    this.#leftAt = this.#channel?.position;
    this.#channel?.leave();
    this.#channel = undefined;
    this.people.leave();
  }

  /** The server does not let us in, or not any more. */
  shut(): void {
    this.#outgoing.clear();
    this.leave();
  }

  /** Leaves nothing for the next one at this page. */
  forget(): void {
    this.shut();
    this.#leftAt = undefined;
    this.#lacksState = true;
    this.timeline.clear();
    this.#events.messages(this);
  }

  write(name: string, text: string): void {
    const message = { name, text, nonce: this.#draft, at: Date.now() };
    this.#draft = newNonce();
    this.people.sent();
    this.timeline.write(message);
    this.#send(message.nonce);
  }

  /** Sends a failed message once more. */
  retry(nonce: string): void {
    if (this.timeline.get(nonce)?.delivery === "failed") this.#send(nonce);
  }

  /** Tells the others that somebody, who goes by a name here, types. */
  typing(person: string | undefined, name: string): void {
    this.people.typing(person, name, this.#draft);
  }

  #send(nonce: string): void {
    const message = this.timeline.get(nonce)?.message;
    if (message && this.#channel) this.#outgoing.send(message, this.#channel);
  }

  #deliver(data: unknown, position: ChannelPosition): void {
    const message = parseMessage(data);
    if (message === undefined) return;
    this.timeline.deliver(message, position);
    this.people.typists.done(message.nonce);
    this.#events.messages(this);
  }

  /** Live events come from here on; what was said before, the server remembers for a while. */
  async #load(): Promise<void> {
    if (!this.#lacksState) return;
    try {
      const response = await fetch(`/recent/${this.info.id}`);
      if (!response.ok) return;
      const found: unknown = await response.json();
      this.#lacksState = false;
      for (const item of Array.isArray(found) ? found : []) {
        const recent = parseRecent(item);
        if (recent !== undefined) this.#deliver(recent.message, recent.position);
      }
    } catch {
      // The connection is gone again; with the next one this is tried again.
    }
  }
}

function newNonce(): string {
  return randomHex(12);
}
