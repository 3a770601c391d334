import { BoundedBuffer } from "./bounded_buffer.ts";
import type { HistoryRead } from "./driver.ts";
import type { AnyBroadcastError } from "./errors.ts";
import { ChannelEvent, type Position } from "./event.ts";
import type { ChannelListener } from "./listener.ts";

/**
 * Stands in for a listener while the history it missed is read, so that live events which come
 * meanwhile are neither lost, doubled nor put before the missed ones.
 */
export class ResumingListener implements ChannelListener {
  readonly #target: ChannelListener;
  readonly #held = new BoundedBuffer<ChannelEvent>();
  #lost = false;

  constructor(target: ChannelListener) {
    this.#target = target;
  }

  live(): void {}

  event(event: ChannelEvent): void {
    this.#held.push(event, event.bytes);
  }

  lost(): void {
    this.#lost = true;
  }

  ended(error: AnyBroadcastError | undefined): void {
    this.#target.ended(error);
  }

  /**
   * Tells the listener what came of its resume and hands over what it missed. `joined` is where the
   * channel stood on this node when this began to hold events back, `top` where it stands now.
   */
  finish(channel: string, read: HistoryRead, joined: Position, top: Position): void {
    // A history that ends before the first event held back, or that belongs to another epoch, leaves
    // a hole between the two.
    const proven = read.complete && !this.#lost && !this.#held.overflowed &&
      read.top.epoch === top.epoch && joined.epoch === top.epoch &&
      read.top.offset >= joined.offset;
    if (!proven) {
      this.#target.live({ position: top, recovery: "lost", missed: 0 });
      return;
    }
    // The store may be ahead of what has reached this node: that part still comes live.
    const end = Math.min(read.top.offset, top.offset);
    const missed = read.events.filter(({ position }) => position.offset <= end);
    const position = { epoch: top.epoch, offset: end };
    this.#target.live({ position, recovery: "ok", missed: missed.length });
    for (const { record, position } of missed) {
      this.#target.event(new ChannelEvent(channel, record, position));
    }
    for (const event of this.#held.takeAll()) {
      if (event.position !== undefined && event.position.offset > end) this.#target.event(event);
    }
  }
}
