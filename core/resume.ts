import { BoundedBuffer } from "./bounded_buffer.ts";
import type { HistoryRead } from "./driver.ts";
import type { AnyBroadcastError } from "./errors.ts";
import { ChannelEvent } from "./event.ts";
import type { ChannelListener, SubscriptionStart } from "./listener.ts";
import type { Position } from "./position.ts";
import type { Slot } from "./slots.ts";

/** What a {@linkcode Resumption} needs of its channel. */
export interface ResumableChannel {
  readonly name: string;
  /** Where the channel stands on this node. */
  readonly position: Position | undefined;
  read(after: Position): Promise<HistoryRead>;
  /** Puts somebody else in a subscriber's place. */
  setTarget(slot: Slot, target: ChannelListener): void;
  /** Runs a call in order with the channel's events. */
  inTurn(call: () => void): void;
  start(
    slot: Slot,
    position: Position | undefined,
    recovery: SubscriptionStart["recovery"],
    missed?: readonly ChannelEvent[],
  ): void;
  /** The history could not be read. */
  fail(slots: readonly Slot[], cause: unknown): void;
  /** What was read and ends at the channel's position: who comes next need not read it again. */
  remember(events: readonly ChannelEvent[]): void;
}

/** A subscriber that waits for what it missed. */
interface Resumer {
  readonly slot: Slot;
  readonly offset: number;
}

/**
 * The subscribers of a channel that came back for more than it remembers, within the epoch it has.
 * One read is under way at a time, from the lowest position that anybody waits for, so a crowd costs
 * the backplane about what one does. Live events that come meanwhile are kept once for all of them.
 */
export class Resumption {
  readonly #channel: ResumableChannel;
  readonly #resumers = new Map<Slot, Resumer>();
  /** Live events since the read that is under way was asked for. */
  readonly #since = new BoundedBuffer<ChannelEvent>();
  #state: "idle" | "reading" | "over" = "idle";
  /** History is trimmed from its beginning only: nothing can be proven from here or before. */
  #trimmedTo = -1;

  constructor(channel: ResumableChannel) {
    this.#channel = channel;
  }

  get size(): number {
    return this.#resumers.size;
  }

  get slots(): readonly Slot[] {
    return [...this.#resumers.keys()];
  }

  /** Whether it is known already that history does not reach back to an offset. */
  isTrimmed(offset: number): boolean {
    return offset <= this.#trimmedTo;
  }

  add(slot: Slot, after: Position): void {
    this.#resumers.set(slot, { slot, offset: after.offset });
    if (this.#state === "idle") this.#work(after.epoch);
  }

  remove(slot: Slot): void {
    this.#resumers.delete(slot);
  }

  /** The channel passed an event on. */
  event(event: ChannelEvent): void {
    if (this.#state === "reading") this.#since.push(event, event.bytes);
  }

  /** The channel lost events: nobody's gap can be proven across that. */
  lost(position: Position | undefined): void {
    this.#giveUp(position, () => true);
    this.end();
  }

  /** Nobody waits any more; what is still being read is not looked at. */
  end(): void {
    this.#state = "over";
    this.#resumers.clear();
  }

  async #work(epoch: string): Promise<void> {
    this.#state = "reading";
    // Whoever comes in the same turn shares the first read.
    await undefined;
    let wasTrimmed = false;
    while (this.#resumers.size > 0 && !this.#isOver()) {
      const after = { epoch, offset: this.#nextOffset(wasTrimmed) };
      const joined = this.#channel.position;
      this.#since.takeAll();
      try {
        const read = await this.#channel.read(after);
        if (this.#isOver()) return;
        wasTrimmed = !read.complete;
        this.#channel.inTurn(() => this.#finish(after, read, joined));
      } catch (cause) {
        if (this.#isOver()) return;
        this.#channel.fail(this.slots, cause);
      }
    }
    this.#since.takeAll();
    if (!this.#isOver()) this.#state = "idle";
  }

  #isOver(): boolean {
    return this.#state === "over";
  }

  /** Where to read from: the lowest serves all; once that was trimmed, bisecting finds who can be. */
  #nextOffset(wasTrimmed: boolean): number {
    const offsets = [...this.#resumers.values()].map(({ offset }) => offset).sort((a, b) => a - b);
    return offsets[wasTrimmed ? offsets.length >> 1 : 0] ?? 0;
  }

  /** Serves whom this read can serve; the others wait for the next one. */
  #finish(after: Position, read: HistoryRead, joined: Position | undefined): void {
    const top = this.#channel.position;
    if (top === undefined || joined === undefined) return;
    if (read.top.epoch !== after.epoch || this.#since.hasOverflowed) {
      return this.#giveUp(top, () => true);
    }
    if (isWhole(read, after)) {
      // A history that ends before the first event kept meanwhile leaves a hole between the two.
      if (read.top.offset < joined.offset) return this.#giveUp(top, () => true);
      return this.#serve(after, read, top);
    }
    if (after.offset > read.top.offset) {
      // It claims to have more than there is, which says nothing about the others.
      return this.#giveUp(top, ({ offset }) => offset === after.offset);
    }
    this.#trimmedTo = Math.max(this.#trimmedTo, after.offset);
    this.#giveUp(top, ({ offset }) => offset <= after.offset);
  }

  #serve(after: Position, read: HistoryRead & { complete: true }, top: Position): void {
    const { name } = this.#channel;
    const events: ChannelEvent[] = [];
    // The store may be ahead of what has reached this node: that part still comes live.
    for (const { record, position } of read.events) {
      if (position.offset <= top.offset) events.push(new ChannelEvent(name, record, position));
    }
    for (const event of this.#since.takeAll()) {
      if (event.position !== undefined && event.position.offset > read.top.offset) {
        events.push(event);
      }
    }
    this.#channel.remember(events);
    for (const { slot, offset } of [...this.#resumers.values()]) {
      if (offset < after.offset || offset > Math.max(read.top.offset, top.offset)) continue;
      this.#resumers.delete(slot);
      if (offset <= top.offset) {
        this.#channel.start(slot, top, "ok", events.slice(offset - after.offset));
      } else {
        const { target } = slot;
        const back = () => this.#channel.setTarget(slot, target);
        this.#channel.setTarget(slot, new AheadListener(target, offset, back));
        this.#channel.start(slot, { epoch: top.epoch, offset }, "ok");
      }
    }
  }

  #giveUp(top: Position | undefined, isLost: (resumer: Resumer) => boolean): void {
    for (const resumer of [...this.#resumers.values()]) {
      if (!isLost(resumer)) continue;
      this.#resumers.delete(resumer.slot);
      this.#channel.start(resumer.slot, top, "lost");
    }
  }
}

/** Whether a read is what it says: every event after a position, one by one, up to its top. */
export function isWhole(
  read: HistoryRead,
  after: Position,
): read is HistoryRead & { complete: true } {
  if (!read.complete) return false;
  const { events, top } = read;
  return top.epoch === after.epoch && events.length === top.offset - after.offset &&
    events.every(({ position }, i) =>
      position.epoch === after.epoch && position.offset === after.offset + 1 + i
    );
}

/**
 * Stands in for a subscriber that has more than this node has heard of, as it came from one that is
 * quicker: what it has already is not passed on again.
 */
class AheadListener implements ChannelListener {
  readonly #listener: ChannelListener;
  readonly #offset: number;
  /** Puts the subscriber back in its place. */
  readonly #back: () => void;

  constructor(listener: ChannelListener, offset: number, back: () => void) {
    this.#listener = listener;
    this.#offset = offset;
    this.#back = back;
  }

  live(start: SubscriptionStart): void {
    this.#listener.live(start);
  }

  event(event: ChannelEvent): void {
    if (event.position !== undefined && event.position.offset <= this.#offset) return;
    this.#back();
    this.#listener.event(event);
  }

  lost(position: Position | undefined): void {
    this.#back();
    this.#listener.lost(position);
  }

  ended(error: AnyBroadcastError | undefined): void {
    this.#listener.ended(error);
  }
}
