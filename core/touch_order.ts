/** Where a value stands in a {@linkcode TouchOrder}; each value has one of its own for each order. */
export class Place<Value> {
  readonly value: Value;
  /** Kept by the order. */
  before: Place<Value> | undefined = undefined;
  after: Place<Value> | undefined = undefined;
  isTaken = false;

  constructor(value: Value) {
    this.value = value;
  }
}

/**
 * Values in the order in which they were last touched: a list through places that the values keep
 * themselves, so that touching one looks nothing up. (A `Map` whose entries are deleted and set again
 * keeps that order as well, but each look at its front walks over all that was deleted there.)
 */
export class TouchOrder<Value> {
  #first: Place<Value> | undefined;
  #last: Place<Value> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that was not touched for the longest. */
  get first(): Value | undefined {
    return this.#first?.value;
  }

  /** Puts a value last. */
  touch(place: Place<Value>): void {
    if (place === this.#last) return;
    this.delete(place);
    place.isTaken = true;
    place.before = this.#last;
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#size++;
  }

  delete(place: Place<Value>): void {
    if (!place.isTaken) return;
    const { before, after } = place;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    place.isTaken = false;
    place.before = place.after = undefined;
    this.#size--;
  }
}
