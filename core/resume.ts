import type { ChannelListener } from "./listener.ts";
import { ChannelEvent, type Position } from "./event.ts";
import type { HistoryRead } from "./driver.ts";

/** Live events held back while one subscriber's history is read; more than that and it is lost. */
const MAX_HELD_EVENTS = 10_000;

/**
 * Stands in for a listener while the history it missed is read, so that live events which come
 * meanwhile are neither lost, doubled nor put before the missed ones.
 */
export class ResumingListener implements ChannelListener {
  readonly #target: ChannelListener;
  #held: ChannelEvent[] = [];
  #lost = false;

  constructor(target: ChannelListener) {
    this.#target = target;
  }

  live(): void {}

  event(event: ChannelEvent): void {
    if (this.#lost) return;
    if (this.#held.length < MAX_HELD_EVENTS) this.#held.push(event);
    else this.lost();
  }

  lost(): void {
    this.#lost = true;
    this.#held = [];
  }

  ended(): void {}

  /**
   * Tells the listener what came of its resume and hands over what it missed. `top` is where the
   * channel stands on this node, `joined` where it stood when this began to hold events back.
   */
  finish(channel: string, read: HistoryRead, joined: Position, top: Position): void {
    // A history that ends before the first event held back, or that belongs to another epoch, leaves
    // a hole between the two.
    const proven = read.complete && !this.#lost && read.top.epoch === top.epoch &&
      joined.epoch === top.epoch && read.top.offset >= joined.offset;
    if (!proven) {
      this.#target.live({ position: top, recovery: "lost", missed: 0 });
      return;
    }
    const { events } = read;
    this.#target.live({ position: read.top, recovery: "ok", missed: events.length });
    for (const { record, position } of events) {
      this.#target.event(new ChannelEvent(channel, record, position));
    }
    for (const event of this.#held) {
      if (event.position !== undefined && event.position.offset > read.top.offset) {
        this.#target.event(event);
      }
    }
  }
}
