import type { Position } from "../../core/event.ts";

/** How many ids are remembered over all channels: some 20 MB, and minutes even on a busy server. */
const MAX_IDS = 100_000;

/**
 * Where events were stored, by id, also when history has dropped them: a publisher's retry may come
 * when a busy channel is hundreds of events further.
 */
export class RecentIds {
  readonly #positions = new Map<string, Position>();
  /** The keys in the order they came, over and over from the start. */
  readonly #keys: string[] = [];
  #oldest = 0;

  find(epoch: string, id: string): Position | undefined {
    return this.#positions.get(`${epoch} ${id}`);
  }

  add(id: string, position: Position): void {
    const key = `${position.epoch} ${id}`;
    this.#positions.set(key, position);
    // Not the first key of the map: to find that one it walks over all that were deleted before it.
    const oldest = this.#keys[this.#oldest];
    if (oldest !== undefined) this.#positions.delete(oldest);
    this.#keys[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % MAX_IDS;
  }
}
