import type { Position } from "../../core/event.ts";

/** How many ids are remembered over all channels: some 20 MB, and minutes even on a busy server. */
const MAX_IDS = 100_000;

/**
 * Where events were stored, by id, also when history has dropped them: a publisher's retry may come
 * when a busy channel is hundreds of events further.
 */
export class RecentIds {
  /** Oldest first. */
  readonly #positions = new Map<string, Position>();

  find(epoch: string, id: string): Position | undefined {
    return this.#positions.get(`${epoch} ${id}`);
  }

  add(id: string, position: Position): void {
    this.#positions.set(`${position.epoch} ${id}`, position);
    if (this.#positions.size <= MAX_IDS) return;
    for (const oldest of this.#positions.keys()) {
      this.#positions.delete(oldest);
      return;
    }
  }
}
