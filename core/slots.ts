import type { ChannelEvent } from "./event.ts";
import { watch } from "./hooks.ts";
import type { Attachment, ChannelListener, ListenerGroup } from "./listener.ts";
import type { Position } from "./position.ts";
import { WalkedList } from "./walked_list.ts";

/** One listener's place among a channel's subscribers. */
export class Slot implements Attachment {
  /** Who is called; replaced while a resume is read, see {@linkcode Slots.setTarget}. */
  target: ChannelListener;
  /** Position to resume from, if the subscriber named one. */
  readonly after: Position | undefined;
  /** Index in the list, kept by {@linkcode Slots}; −1 outside it. */
  index = -1;
  /** The group that hears events in its stead, kept by {@linkcode Slots}. */
  group: ListenerGroup | undefined;
  /** False from the moment the listener left. */
  isActive = true;
  readonly #onDetach: (slot: Slot) => void;

  constructor(
    target: ChannelListener,
    after: Position | undefined,
    onDetach: (slot: Slot) => void,
  ) {
    this.target = target;
    this.after = after;
    this.group = undefined;
    this.#onDetach = onDetach;
  }

  detach(): void {
    if (!this.isActive) return;
    this.isActive = false;
    this.#onDetach(this);
  }
}

/** The live subscribers of one channel: each is called by itself, or with its group. */
export class Slots {
  readonly #slots = new WalkedList<Slot>();
  /** How many are in each group. */
  readonly #groups = new Map<ListenerGroup, number>();
  #grouped = 0;

  get size(): number {
    return this.#slots.size;
  }

  add(slot: Slot): void {
    this.#slots.add(slot);
    this.#join(slot);
  }

  remove(slot: Slot): void {
    if (slot.index < 0) return;
    this.#part(slot);
    this.#slots.remove(slot);
  }

  /** Puts somebody else in a subscriber's place. */
  setTarget(slot: Slot, target: ChannelListener): void {
    this.#part(slot);
    slot.target = target;
    if (slot.index >= 0 && slot.isActive) this.#join(slot);
  }

  /** Hands an event to every subscriber that was there when it came. */
  deliver(event: ChannelEvent, onThrow: (cause: unknown) => void): void {
    for (const group of this.#groups.keys()) {
      try {
        group.event(event);
      } catch (cause) {
        onThrow(cause);
      }
    }
    if (this.#grouped === this.#slots.size) return;
    this.#slots.walk((slot) => {
      if (!slot.isActive || slot.group !== undefined) return;
      try {
        const result: unknown = slot.target.event(event);
        if (result !== undefined) watch(result, onThrow);
      } catch (cause) {
        onThrow(cause);
      }
    });
  }

  /** Calls back once per subscriber, for what is rarer than an event. */
  forEach(callback: (slot: Slot) => void): void {
    this.#slots.walk((slot) => {
      if (slot.isActive) callback(slot);
    });
  }

  #join(slot: Slot): void {
    const { group } = slot.target;
    if (group === undefined) return;
    slot.group = group;
    this.#count(group, 1);
    slot.target.grouped?.(true);
  }

  #part(slot: Slot): void {
    const { group } = slot;
    if (group === undefined) return;
    slot.group = undefined;
    this.#count(group, -1);
    slot.target.grouped?.(false);
  }

  #count(group: ListenerGroup, change: 1 | -1): void {
    const count = (this.#groups.get(group) ?? 0) + change;
    if (count > 0) this.#groups.set(group, count);
    else this.#groups.delete(group);
    this.#grouped += change;
  }
}
