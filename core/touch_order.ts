interface Place<Value> {
  readonly value: Value;
  before: Place<Value> | undefined;
  after: Place<Value> | undefined;
}

/**
 * Values in the order in which they were last touched. A `Map` whose entries are deleted and set again
 * keeps that order as well, but each look at its front walks over all that was deleted there since
 * it was last made anew: with thousands of channels that was most of the cost of a publish.
 */
export class TouchOrder<Value> {
  readonly #places = new Map<Value, Place<Value>>();
  #first: Place<Value> | undefined;
  #last: Place<Value> | undefined;

  get size(): number {
    return this.#places.size;
  }

  /** The one that was not touched for the longest. */
  get first(): Value | undefined {
    return this.#first?.value;
  }

  /** Puts a value last. */
  touch(value: Value): void {
    let place = this.#places.get(value);
    if (place === undefined) {
      place = { value, before: undefined, after: undefined };
      this.#places.set(value, place);
    } else {
      if (place === this.#last) return;
      this.#unlink(place);
    }
    place.before = this.#last;
    place.after = undefined;
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
  }

  delete(value: Value): void {
    const place = this.#places.get(value);
    if (place === undefined) return;
    this.#places.delete(value);
    this.#unlink(place);
  }

  #unlink({ before, after }: Place<Value>): void {
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
  }
}
