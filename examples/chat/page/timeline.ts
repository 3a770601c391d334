import type { ChatMessage } from "../messages.ts";

/** More than this and the oldest go. */
const MAX_ENTRIES = 300;

/**
 * - `waiting`: there is no connection.
 * - `sending`: on its way.
 * - `failed`: refused, or sent several times without an answer.
 * - `delivered`: the server sent it to everybody, its writer included.
 */
export type Delivery = "waiting" | "sending" | "failed" | "delivered";

export interface Entry {
  readonly message: ChatMessage;
  readonly own: boolean;
  readonly delivery: Delivery;
  /** Event id, once delivered. */
  readonly id: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The messages of a room, each once, however often and by whichever way it came. */
export class Timeline {
  readonly #byNonce = new Map<string, Entry>();

  has(nonce: string): boolean {
    return this.#byNonce.has(nonce);
  }

  get(nonce: string): Entry | undefined {
    return this.#byNonce.get(nonce);
  }

  /** A message that was just written on this page. */
  write(message: ChatMessage): void {
    const entry = {
      message,
      own: true,
      delivery: "waiting",
      id: undefined,
      at: Date.now(),
    } as const;
    this.#byNonce.set(message.nonce, entry);
  }

  /** A message as the server sent it. */
  deliver(message: ChatMessage, id: string, at: number): void {
    const known = this.#byNonce.get(message.nonce);
    if (known?.delivery === "delivered") return;
    const own = known?.own ?? false;
    this.#byNonce.set(message.nonce, { message, own, delivery: "delivered", id, at });
    this.#trim();
  }

  mark(nonce: string, delivery: "waiting" | "sending" | "failed"): void {
    const entry = this.#byNonce.get(nonce);
    if (entry !== undefined) this.#byNonce.set(nonce, { ...entry, delivery });
  }

  clear(): void {
    this.#byNonce.clear();
  }

  /** As the server ordered them, its ids sort by time; what it has not seen yet comes last. */
  entries(): Entry[] {
    const all = [...this.#byNonce.values()];
    const delivered = all.filter(({ id }) => id !== undefined);
    const pending = all.filter(({ id }) => id === undefined);
    return [...delivered.sort((a, b) => (a.id ?? "") < (b.id ?? "") ? -1 : 1), ...pending];
  }

  #trim(): void {
    for (const { id, message } of this.entries()) {
      if (this.#byNonce.size <= MAX_ENTRIES || id === undefined) return;
      this.#byNonce.delete(message.nonce);
    }
  }
}
