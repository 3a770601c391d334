/** What stands in a {@linkcode WalkedList}. */
export interface Walked {
  /** Its index, kept by the list; −1 outside of it. */
  index: number;
}

/**
 * A list that may change while it is walked: taking one out swaps the last one in, and waits for the
 * end of the walk where one is under way. So whoever walks asks each entry whether it still counts.
 */
export class WalkedList<Entry extends Walked> {
  readonly #entries: Entry[] = [];
  #left: Entry[] = [];
  #walks = 0;

  get size(): number {
    return this.#entries.length - this.#left.length;
  }

  add(entry: Entry): void {
    entry.index = this.#entries.length;
    this.#entries.push(entry);
  }

  /** Takes an entry out. Idempotent, but within a walk. */
  remove(entry: Entry): void {
    if (entry.index < 0) return;
    if (this.#walks > 0) this.#left.push(entry);
    else this.#takeOut(entry);
  }

  /** Calls back for every entry that is there now. */
  walk(visit: (entry: Entry) => void): void {
    const count = this.#entries.length;
    this.#walks++;
    for (let i = 0; i < count; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined) visit(entry);
    }
    this.#walks--;
    if (this.#walks > 0 || this.#left.length === 0) return;
    for (const entry of this.#left) this.#takeOut(entry);
    this.#left = [];
  }

  #takeOut(entry: Entry): void {
    const last = this.#entries.pop();
    if (last !== undefined && last !== entry) {
      this.#entries[entry.index] = last;
      last.index = entry.index;
    }
    entry.index = -1;
  }
}
