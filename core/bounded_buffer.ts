/** Limits of {@linkcode BoundedBuffer}: what a channel may publish while one history read is on its way. */
const MAX_ITEMS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** Holds events back for the time of a history read. When it is full it remembers that, and no more. */
export class BoundedBuffer<Item> {
  #items: Item[] = [];
  #bytes = 0;
  #hasOverflowed = false;

  /** True once something did not fit, until the buffer is taken. */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed;
  }

  push(item: Item, bytes: number): void {
    if (this.#items.length >= MAX_ITEMS || this.#bytes + bytes > MAX_BYTES) {
      this.#hasOverflowed = true;
      return;
    }
    this.#items.push(item);
    this.#bytes += bytes;
  }

  /** Everything that was held back, in order; the buffer is empty afterwards. */
  takeAll(): Item[] {
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    this.#hasOverflowed = false;
    return items;
  }
}
