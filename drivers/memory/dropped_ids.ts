import type { StoredEvent } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";

/** How many are remembered over all channels: minutes on a busy server. */
const MAX_IDS = 100_000;

/** Where an event with an id was; events of several channels may have the same one. */
interface Link {
  readonly position: Position;
  readonly next: Link | undefined;
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
  #links: Map<string, Link> | undefined;

  /** Where the event was within an epoch, and so on one channel. */
  find(id: string, epoch: string): Position | undefined {
    this.#links ??= this.#index();
    for (let link = this.#links.get(id); link !== undefined; link = link.next) {
      if (link.position.epoch === epoch) return link.position;
    }
    return undefined;
  }

  add({ record: { id }, position }: StoredEvent): void {
    const dropped = { id, position };
    const oldest = this.#dropped[this.#oldest];
    this.#dropped[this.#oldest] = dropped;
    this.#oldest = (this.#oldest + 1) % MAX_IDS;
    if (this.#links === undefined) return;
    if (oldest !== undefined) remove(this.#links, oldest);
    add(this.#links, dropped);
  }

  #index(): Map<string, Link> {
    const links = new Map<string, Link>();
    for (const dropped of this.#dropped) add(links, dropped);
    return links;
  }
}

function add(links: Map<string, Link>, { id, position }: Dropped): void {
  links.set(id, { position, next: links.get(id) });
}

function remove(links: Map<string, Link>, { id, position }: Dropped): void {
  const rest = without(links.get(id), position);
  if (rest === undefined) links.delete(id);
  else links.set(id, rest);
}

function without(link: Link | undefined, position: Position): Link | undefined {
  if (link === undefined || link.position === position) return link?.next;
  return { position: link.position, next: without(link.next, position) };
}
