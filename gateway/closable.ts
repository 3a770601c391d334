/** Something that ends once, whether it is told to or a signal is aborted. */
export abstract class Closable implements AsyncDisposable {
  #signal: AbortSignal | undefined;
  #closing: Promise<void> | undefined;

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Ends it when this is aborted, at once where it is. */
  closeOn(signal: AbortSignal | undefined): void {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.close();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does it, once; resolves when nothing is left. */
  protected abstract end(): Promise<void>;

  readonly #onAbort = (): void => void this.close();

  #close(): Promise<void> {
    // A signal may outlive many a server.
    this.#signal?.removeEventListener("abort", this.#onAbort);
    return this.end();
  }
}
