import type { ChannelPosition } from "@airwave/broadcast/client";
import type { ChatMessage } from "../messages.ts";

/** More than this and the oldest go. */
const MAX_ENTRIES = 300;

/**
 * - `waiting`: there is no connection.
 * - `sending`: on its way.
 * - `failed`: refused.
 * - `delivered`: the server has it, and everybody gets it.
 */
export type Delivery = "waiting" | "sending" | "failed" | "delivered";

export interface Entry {
  readonly message: ChatMessage;
  readonly own: boolean;
  readonly delivery: Delivery;
  /** Where it stands in the channel, once delivered. */
  readonly position: ChannelPosition | undefined;
}

/** The messages of a room, each once, however often and by whichever way it came. */
export class Timeline {
  readonly #byNonce = new Map<string, Entry>();
  /** In the order of their coming: each begins where the server had forgotten the one before. */
  readonly #epochs: string[] = [];

  has(nonce: string): boolean {
    return this.#byNonce.has(nonce);
  }

  get(nonce: string): Entry | undefined {
    return this.#byNonce.get(nonce);
  }

  /** A message that was just written on this page. */
  write(message: ChatMessage): void {
    const entry = { message, own: true, delivery: "waiting", position: undefined } as const;
    this.#byNonce.set(message.nonce, entry);
  }

  /** A message as the server has it. */
  deliver(message: ChatMessage, position: ChannelPosition): void {
    const known = this.#byNonce.get(message.nonce);
    if (known?.delivery === "delivered") return;
    if (!this.#epochs.includes(position.epoch)) this.#epochs.push(position.epoch);
    const own = known?.own ?? false;
    this.#byNonce.set(message.nonce, { message, own, delivery: "delivered", position });
    this.#trim();
  }

  mark(nonce: string, delivery: "waiting" | "sending" | "failed"): void {
    const entry = this.#byNonce.get(nonce);
    if (entry?.position === undefined && entry !== undefined) {
      this.#byNonce.set(nonce, { ...entry, delivery });
    }
  }

  clear(): void {
    this.#byNonce.clear();
  }

  /** As the server ordered them; what it has not seen yet comes last. */
  entries(): Entry[] {
    const all = [...this.#byNonce.values()];
    const delivered = all.filter(({ position }) => position !== undefined);
    const pending = all.filter(({ position }) => position === undefined);
    return [...delivered.sort((a, b) => this.#compare(a.position, b.position)), ...pending];
  }

  #compare(a: ChannelPosition | undefined, b: ChannelPosition | undefined): number {
    if (a === undefined || b === undefined) return 0;
    return this.#epochs.indexOf(a.epoch) - this.#epochs.indexOf(b.epoch) || a.offset - b.offset;
  }

  #trim(): void {
    for (const { position, message } of this.entries()) {
      if (this.#byNonce.size <= MAX_ENTRIES || position === undefined) return;
      this.#byNonce.delete(message.nonce);
    }
  }
}
