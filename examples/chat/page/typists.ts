import type { Typing } from "../messages.ts";

/** A sign of typing holds for so long. */
const SHOWN_MS = 4_000;

/** Who is writing in a room. */
export class Typists {
  /** By the nonce of what they write: names may be the same. */
  readonly #byNonce = new Map<string, { name: string; timer: ReturnType<typeof setTimeout> }>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  typing({ name, nonce }: Typing): void {
    clearTimeout(this.#byNonce.get(nonce)?.timer);
    const timer = setTimeout(() => this.done(nonce), SHOWN_MS);
    this.#byNonce.set(nonce, { name, timer });
    this.#onChange();
  }

  /** The message is there, or nothing was typed for a while. */
  done(nonce: string): void {
    clearTimeout(this.#byNonce.get(nonce)?.timer);
    if (this.#byNonce.delete(nonce)) this.#onChange();
  }

  clear(): void {
    for (const nonce of [...this.#byNonce.keys()]) this.done(nonce);
  }

  /** In plain words; empty where nobody writes. */
  get words(): string {
    const [first, second, ...others] = [...this.#byNonce.values()].map(({ name }) => name);
    if (first === undefined) return "";
    if (second === undefined) return `${first} is typing…`;
    if (others.length === 0) return `${first} and ${second} are typing…`;
    const rest = others.length === 1 ? "1 other" : `${others.length} others`;
    return `${first}, ${second} and ${rest} are typing…`;
  }
}
