import type { StoredEvent } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";

/** How many are remembered over all channels: minutes on a busy server. */
const MAX_IDS = 100_000;

/** Where an event with an id was; events of several channels may have the same one. */
interface Place {
  readonly position: Position;
  readonly next: Place | undefined;
}

interface Dropped {
  readonly id: string;
  readonly position: Position;
}

/**
 * Where events were that history has dropped, by id: a publisher's retry may come when a busy channel
 * is hundreds of events further.
 */
export class DroppedIds {
  /** The last ones, over and over from the start. */
  readonly #dropped: Dropped[] = [];
  #oldest = 0;
  /** Made when somebody asks for the first time: not everybody publishes with ids of their own. */
  #places: Map<string, Place> | undefined;

  /** Where the event was within an epoch, and so on one channel. */
  find(id: string, epoch: string): Position | undefined {
    this.#places ??= this.#index();
    for (let place = this.#places.get(id); place !== undefined; place = place.next) {
      if (place.position.epoch === epoch) return place.position;
    }
    return undefined;
  }

  add({ record: { id }, position }: StoredEvent): void {
    const dropped = { id, position };
    const oldest = this.#dropped[this.#oldest];
    this.#dropped[this.#oldest] = dropped;
    this.#oldest = (this.#oldest + 1) % MAX_IDS;
    if (this.#places === undefined) return;
    if (oldest !== undefined) remove(this.#places, oldest);
    add(this.#places, dropped);
  }

  #index(): Map<string, Place> {
    const places = new Map<string, Place>();
    for (const dropped of this.#dropped) add(places, dropped);
    return places;
  }
}

function add(places: Map<string, Place>, { id, position }: Dropped): void {
  places.set(id, { position, next: places.get(id) });
}

function remove(places: Map<string, Place>, { id, position }: Dropped): void {
  const rest = without(places.get(id), position);
  if (rest === undefined) places.delete(id);
  else places.set(id, rest);
}

function without(place: Place | undefined, position: Position): Place | undefined {
  if (place === undefined || place.position === position) return place?.next;
  return { position: place.position, next: without(place.next, position) };
}
