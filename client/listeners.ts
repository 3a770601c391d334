// deno-lint-ignore no-explicit-any -- listeners of every signature are kept side by side
type Listener = (...args: any[]) => unknown;

interface Entry {
  readonly listener: Listener;
  /** Counts up, so that a walk can tell the ones that were added while it went on. */
  readonly number: number;
}

/** Listeners by name. One that throws is reported and keeps nobody else from being called. */
export class Listeners {
  readonly #byName = new Map<string, Set<Entry>>();
  readonly #onThrow: (cause: unknown, name: string) => void;
  #count = 0;

  constructor(onThrow: (cause: unknown, name: string) => void) {
    this.#onThrow = onThrow;
  }

  /** Adds a listener; the returned function takes it away again. */
  add(name: string, listener: Listener): () => void {
    const entry = { listener, number: ++this.#count };
    const entries = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, entries.add(entry));
    return () => {
      if (entries.delete(entry) && entries.size === 0 && this.#byName.get(name) === entries) {
        this.#byName.delete(name);
      }
    };
  }

  /** Calls the listeners of a name that are there now; false if there is none. */
  call(name: string, ...args: unknown[]): boolean {
    const entries = this.#byName.get(name);
    if (entries === undefined) return false;
    const last = this.#count;
    for (const { listener, number } of entries) {
      if (number > last) break;
      try {
        const result: unknown = listener(...args);
        // An `async` listener is one, too; a rejection that nobody watches would end a process.
        if (result instanceof Promise) result.catch((cause) => this.#onThrow(cause, name));
      } catch (cause) {
        this.#onThrow(cause, name);
      }
    }
    return true;
  }

  clear(): void {
    this.#byName.clear();
  }
}
