/** How long to wait before what could not be loaded is tried again. */
const RETRY_MS = 1_000;

/** Whom a {@linkcode Loader} works for. */
export interface LoaderHost<Loaded> {
  /** Asks the store. */
  read(): Promise<Loaded>;
  /** What the last question found. */
  loaded(found: Loaded): void;
  /** It could not be loaded; it is tried again. */
  failed(cause: unknown): void;
}

/**
 * Loads what a store knows, anew whenever it is told to: an answer that was overtaken by a later
 * question is dropped, and a question that failed is asked again after a moment.
 */
export class Loader<Loaded> {
  readonly #host: LoaderHost<Loaded>;
  #loads = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(host: LoaderHost<Loaded>) {
    this.#host = host;
  }

  async load(): Promise<void> {
    const load = ++this.#loads;
    try {
      const found = await this.#host.read();
      if (load === this.#loads) this.#host.loaded(found);
    } catch (cause) {
      if (load === this.#loads) this.fail(cause, () => this.load());
    }
  }

  /** Says that something failed, and does it again after a moment. */
  fail(cause: unknown, again: () => void): void {
    this.#host.failed(cause);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(again, RETRY_MS);
  }

  /** Drops whatever is under way. It may be used again. */
  stop(): void {
    this.#loads++;
    clearTimeout(this.#retry);
  }
}
