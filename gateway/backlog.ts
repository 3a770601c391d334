import type { ChannelEvent } from "../core/event.ts";
import type { Flushable, Flusher } from "./flusher.ts";

/** How many bytes of missed events wait, over all connections of a gateway. */
export class BacklogLimit {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Counts an event before it is added; false if there is no room for it. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What a backlog needs of a channel. */
export interface BacklogChannel {
  /** How many of its events wait; counted by the backlog. */
  backlog: number;
  readonly isReleased: boolean;
}

/** What a backlog needs of its connection. */
export interface BacklogSink<Channel> {
  /** Whether the socket takes more without anything having to wait. */
  readonly hasRoom: boolean;
  deliver(channel: Channel, event: ChannelEvent, isMissed: boolean): void;
}

interface Entry<Channel> {
  readonly channel: Channel;
  readonly event: ChannelEvent;
  readonly isMissed: boolean;
}

/**
 * Missed events that a connection's socket has no room for yet, and the live ones of the same channels
 * behind them. They flow as the socket drains, so that a long replay does not count as a slow reader.
 * What waits here is shared by all who wait for it. The missed part is bounded over all connections,
 * the live part for each.
 */
export class Backlog<Channel extends BacklogChannel> implements Flushable {
  readonly #sink: BacklogSink<Channel>;
  readonly #flusher: Flusher;
  readonly #limit: BacklogLimit;
  readonly #maxLiveBytes: number;
  #entries: Entry<Channel>[] = [];
  /** Index of the entry that is next; those before it are gone. */
  #next = 0;
  #liveBytes = 0;

  constructor(
    sink: BacklogSink<Channel>,
    flusher: Flusher,
    limit: BacklogLimit,
    maxLiveBytes: number,
  ) {
    this.#sink = sink;
    this.#flusher = flusher;
    this.#limit = limit;
    this.#maxLiveBytes = maxLiveBytes;
  }

  /** Delivers a missed event now or later; false if it cannot wait. */
  missed(channel: Channel, event: ChannelEvent): boolean {
    if (this.#isEmpty && this.#sink.hasRoom) {
      this.#sink.deliver(channel, event, true);
      return true;
    }
    if (!this.#limit.take(event.bytes)) return false;
    this.#add({ channel, event, isMissed: true });
    return true;
  }

  /** Puts a live event behind what its channel still waits for; false if it cannot wait. */
  live(channel: Channel, event: ChannelEvent): boolean {
    if (this.#liveBytes + event.bytes > this.#maxLiveBytes) return false;
    this.#liveBytes += event.bytes;
    this.#add({ channel, event, isMissed: false });
    return true;
  }

  flush(): boolean {
    while (this.#sink.hasRoom) {
      const entry = this.#entries[this.#next++];
      if (entry === undefined) break;
      this.#forget(entry);
      // Delivering may end the connection, and with it this.
      if (!entry.channel.isReleased) {
        this.#sink.deliver(entry.channel, entry.event, entry.isMissed);
      }
    }
    this.#entries = this.#entries.slice(this.#next);
    this.#next = 0;
    return this.#isEmpty;
  }

  /** Forgets what waits. */
  clear(): void {
    for (const entry of this.#entries.slice(this.#next)) this.#forget(entry);
    this.#entries = [];
    this.#flusher.remove(this);
  }

  get #isEmpty(): boolean {
    return this.#next >= this.#entries.length;
  }

  #add(entry: Entry<Channel>): void {
    entry.channel.backlog++;
    this.#entries.push(entry);
    this.#flusher.waitForRoom(this);
  }

  #forget({ channel, event, isMissed }: Entry<Channel>): void {
    channel.backlog--;
    if (isMissed) this.#limit.giveBack(event.bytes);
    else this.#liveBytes -= event.bytes;
  }
}
