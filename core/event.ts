import { utf8ByteLength } from "../protocol/bytes.ts";
import { publishedId } from "./event_id.ts";
import type { Position } from "./position.ts";

/** An event as an application publishes it. */
export interface BroadcastEventInit {
  /** Event name: 1 to 200 characters without control characters. */
  readonly event: string;
  /** Any JSON value. `undefined` is sent as `null`. */
  readonly data: unknown;
  /**
   * Event id, 1 to 200 characters without control characters; a monotonic ULID where it is left
   * out. Publishing the same id twice on a channel delivers it once, as long as the first is in the
   * channel's history, and somewhat longer: each driver says how long.
   */
  readonly id?: string | undefined;
}

/** An event as a subscriber receives it. */
export interface BroadcastEvent {
  /** Event name. */
  readonly event: string;
  /** The published JSON value. Shared by all subscribers of a node, therefore deeply frozen. */
  readonly data: unknown;
  /** Event id. */
  readonly id: string;
  /** Where the event stands in its channel; `undefined` where the driver keeps no history. */
  readonly position: Position | undefined;
}

/** How to publish. Everything is optional. */
export interface PublishOptions {
  /** Id of a connection that does not get the event, on whatever node it is. */
  readonly except?: string | undefined;
  /**
   * The id was chosen by a client, as a gateway says. Such ids are kept apart from all others, so
   * that no client can take an id before the application does.
   */
  readonly isIdFromClient?: boolean | undefined;
}

/** What `publish` resolves with. */
export interface PublishReceipt {
  /** The event's id, minted where none was given. */
  readonly id: string;
  /** Where the event was stored; `undefined` where the driver keeps no history. */
  readonly position: Position | undefined;
}

/** An event on its way through a driver: its data is JSON text, made once by the publisher. */
export interface EventRecord {
  /** Event id, as it is stored: one that a client chose has a mark in front. */
  readonly id: string;
  /** Event name. */
  readonly event: string;
  /** The data as JSON text. */
  readonly json: string;
  /** Id of the one connection that is left out; its position moves on all the same. */
  readonly except?: string | undefined;
  /** The id was minted for this event, so it is stored nowhere yet, and need not be looked for. */
  readonly isNew?: boolean | undefined;
  /** Its size, where it was counted already; {@linkcode eventBytes} tells it in any case. */
  readonly bytes?: number | undefined;
}

/** An event and its place in the channel, as history gives it back. */
export interface StoredEvent {
  /** The event. */
  readonly record: EventRecord;
  /** Its place. */
  readonly position: Position;
}

/** An event on its way to the subscribers of one node: one object for all of them. */
export class ChannelEvent {
  /** Channel it was published on. */
  readonly channel: string;
  /** Where it stands in its channel. */
  readonly position: Position | undefined;
  readonly #record: EventRecord;
  #data: unknown;
  #isParsed = false;
  #bytes = -1;

  /** Wraps a record that a driver delivered. */
  constructor(channel: string, record: EventRecord, position: Position | undefined) {
    this.channel = channel;
    this.position = position;
    this.#record = record;
  }

  /** Event name. */
  get event(): string {
    return this.#record.event;
  }

  /** Event id. */
  get id(): string {
    return publishedId(this.#record.id);
  }

  /** The data as JSON text. */
  get json(): string {
    return this.#record.json;
  }

  /** Id of the one connection that is left out. */
  get except(): string | undefined {
    return this.#record.except;
  }

  /** The data, parsed when first asked for: a gateway passes the JSON text on and never asks. */
  get data(): unknown {
    if (!this.#isParsed) {
      this.#data = deepFreeze(JSON.parse(this.json));
      this.#isParsed = true;
    }
    return this.#data;
  }

  /** Size of name, id and data in UTF-8 bytes, as limits count it. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = eventBytes(this.#record);
    return this.#bytes;
  }
}

/** Size of name, id and data in UTF-8 bytes. */
export function eventBytes(record: EventRecord): number {
  return record.bytes ??
    utf8ByteLength(record.event) + utf8ByteLength(record.id) + utf8ByteLength(record.json);
}

/** Freezes without recursion: published data may be nested deeper than the stack reaches. */
function deepFreeze(root: unknown): unknown {
  const open = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    Object.freeze(value);
    for (const child of Object.values(value)) open.push(child);
  }
  return root;
}
