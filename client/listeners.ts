import type { Announcer } from "./announcer.ts";
import { failure } from "./errors.ts";
import { reportOnPage } from "./page.ts";

// deno-lint-ignore no-explicit-any -- listeners of every signature are kept side by side
type Listener = (...args: any[]) => unknown;

/** Listeners by name. One that throws is reported and keeps nobody else from being called. */
export class Listeners {
  /** Numbers count up, so that a walk can tell listeners that were added while it went on. */
  readonly #byName = new Map<string, Map<number, Listener>>();
  readonly #announcer: Announcer;
  readonly #channel: string | undefined;
  #count = 0;

  /** Those of a channel, or of the client itself. */
  constructor(announcer: Announcer, channel?: string) {
    this.#announcer = announcer;
    this.#channel = channel;
  }

  /** Adds a listener; the returned function takes it away again. */
  add(name: string, listener: Listener): () => void {
    const number = ++this.#count;
    const listeners = this.#byName.get(name) ?? new Map();
    this.#byName.set(name, listeners.set(number, listener));
    return () => {
      listeners.delete(number);
    };
  }

  /** Calls the listeners of a name that are there now; false if there is none. */
  call(name: string, ...args: unknown[]): boolean {
    const listeners = this.#byName.get(name);
    if (!listeners?.size) return false;
    const last = this.#count;
    for (const [number, listener] of listeners) {
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
    for (const listeners of this.#byName.values()) listeners.clear();
  }

  #onThrow(cause: unknown, name: string): void {
    const channel = this.#channel;
    const error = failure("listener", `finish a listener of "${name}"`, "it threw", {
      cause,
      channel,
    });
    // A listener of errors that throws must not be told so again, for ever.
    if (name === "error" && channel === undefined) reportOnPage(error);
    else this.#announcer.tell("error", error);
  }
}
