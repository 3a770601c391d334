import type { Attachment, ChannelListener } from "./listener.ts";
import type { ChannelEvent, Position } from "./event.ts";
import { watch } from "./hooks.ts";

/** One listener's place among a channel's subscribers. */
export class Slot implements Attachment {
  /** Who is called; replaced while a resume is read. */
  target: ChannelListener;
  /** Position to resume from, if the subscriber named one. */
  readonly after: Position | undefined;
  /** Index in the list, kept by {@linkcode Slots}; −1 outside it. */
  index = -1;
  /** False from the moment the listener left. */
  active = true;
  readonly #onDetach: (slot: Slot) => void;

  constructor(
    target: ChannelListener,
    after: Position | undefined,
    onDetach: (slot: Slot) => void,
  ) {
    this.target = target;
    this.after = after;
    this.#onDetach = onDetach;
  }

  detach(): void {
    if (!this.active) return;
    this.active = false;
    this.#onDetach(this);
  }
}

/**
 * The live subscribers of one channel, in an array that may change while it is walked: leaving
 * swaps the last one in, and waits for the end of the walk where one is under way.
 */
export class Slots {
  readonly #slots: Slot[] = [];
  #left: Slot[] = [];
  #walking = false;

  get size(): number {
    return this.#slots.length - this.#left.length;
  }

  add(slot: Slot): void {
    slot.index = this.#slots.length;
    this.#slots.push(slot);
  }

  remove(slot: Slot): void {
    if (slot.index < 0) return;
    if (this.#walking) this.#left.push(slot);
    else this.#takeOut(slot);
  }

  /** Hands an event to every subscriber that was there when it came. */
  deliver(event: ChannelEvent, onThrow: (cause: unknown) => void): void {
    this.#walk((slots, count) => {
      for (let i = 0; i < count; i++) {
        const slot = slots[i];
        if (slot === undefined || !slot.active) continue;
        try {
          const result: unknown = slot.target.event(event);
          if (result !== undefined) watch(result, onThrow);
        } catch (cause) {
          onThrow(cause);
        }
      }
    });
  }

  /** Calls back once per subscriber, for what is rarer than an event. */
  forEach(callback: (slot: Slot) => void): void {
    this.#walk((slots, count) => {
      for (const slot of slots.slice(0, count)) {
        if (slot.active) callback(slot);
      }
    });
  }

  #walk(visit: (slots: readonly Slot[], count: number) => void): void {
    this.#walking = true;
    visit(this.#slots, this.#slots.length);
    this.#walking = false;
    if (this.#left.length === 0) return;
    for (const slot of this.#left) this.#takeOut(slot);
    this.#left = [];
  }

  #takeOut(slot: Slot): void {
    const last = this.#slots.pop();
    if (last !== undefined && last !== slot) {
      this.#slots[slot.index] = last;
      last.index = slot.index;
    }
    slot.index = -1;
  }
}
