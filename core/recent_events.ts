import type { ChannelEvent } from "./event.ts";
import { Place, TouchOrder } from "./touch_order.ts";

/**
 * What a broadcaster remembers of its live channels, so that subscribers that come back do not each
 * ask the backplane for the same events.
 */
const LIMITS = { eventsPerChannel: 1_024, events: 65_536, bytes: 32 * 1024 * 1024 };

/** The bound over all channels of one broadcaster: the one that is silent longest gives way first. */
export class RecentEventsLimit {
  /** Channels that remember something, the longest silent first. */
  readonly #channels = new TouchOrder<RecentEvents>();
  #events = 0;
  #bytes = 0;

  /** A channel remembers one more event; makes room for it. */
  added(channel: RecentEvents, bytes: number): void {
    this.#events++;
    this.#bytes += bytes;
    this.#channels.touch(channel.place);
    while (this.#isOver() && this.#channels.first?.dropOldest());
  }

  dropped(channel: RecentEvents, bytes: number): void {
    this.#events--;
    this.#bytes -= bytes;
    if (channel.size === 0) this.#channels.delete(channel.place);
  }

  #isOver(): boolean {
    return this.#events > LIMITS.events || this.#bytes > LIMITS.bytes;
  }
}

/**
 * The last events of a live channel, without a hole up to its position. Where history is at hand
 * anyway it remembers nothing until what was read is worth being kept for a crowd, and forgets when
 * that was not asked for during as many events as it holds.
 */
export class RecentEvents {
  /** Among the channels that remember something. */
  readonly place: Place<RecentEvents> = new Place<RecentEvents>(this);
  readonly #limit: RecentEventsLimit;
  #events: (ChannelEvent | undefined)[] = [];
  /** Entries before it are dropped; compacting now and then keeps dropping cheap. */
  #head = 0;
  #top = 0;
  readonly #isLazy: boolean;
  #isOn: boolean;
  /** How many events came since it was last asked. */
  #unasked = 0;

  constructor(limit: RecentEventsLimit, isLazy: boolean) {
    this.#limit = limit;
    this.#isLazy = isLazy;
    this.#isOn = !isLazy;
  }

  get size(): number {
    return this.#events.length - this.#head;
  }

  /** Remembers the next event. One without a position can never be asked for. */
  push(event: ChannelEvent): void {
    if (!this.#isOn || event.position === undefined) return;
    if (this.#isLazy && ++this.#unasked > LIMITS.eventsPerChannel) return this.clear();
    this.#top = event.position.offset;
    this.#events.push(event);
    if (this.size > LIMITS.eventsPerChannel) this.dropOldest();
    this.#limit.added(this, event.bytes);
  }

  /** Forgets the oldest event; false if there was none. */
  dropOldest(): boolean {
    const event = this.#events[this.#head];
    if (event === undefined) return false;
    this.#events[this.#head++] = undefined;
    if (this.#head > 32 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    this.#limit.dropped(this, event.bytes);
    return true;
  }

  /** Takes a longer row of events for what it remembers; both end at the channel's position. */
  replace(events: readonly ChannelEvent[]): void {
    this.clear();
    this.#isOn = true;
    this.#unasked = -events.length;
    for (const event of events) this.push(event);
  }

  clear(): void {
    while (this.dropOldest());
    this.#events = [];
    this.#head = 0;
    this.#isOn = !this.#isLazy;
  }

  /** Every event after an offset, or `undefined` where they do not reach back that far. */
  after(offset: number): readonly ChannelEvent[] | undefined {
    this.#unasked = 0;
    const missing = this.#top - offset;
    if (this.size === 0 || missing < 0 || missing > this.size) return undefined;
    const events = this.#events.slice(this.#events.length - missing);
    return events.filter((event) => event !== undefined);
  }
}
