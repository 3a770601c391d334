import type { RoomMember } from "../members.ts";
import type { Typing } from "../messages.ts";

/** A sign of typing holds for so long. */
const SHOWN_MS = 4_000;

interface Typist {
  readonly member: RoomMember;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Who is writing in a room. */
export class Typists {
  /** By the nonce of what they write. */
  readonly #byNonce = new Map<string, Typist>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  typing({ nonce }: Typing, member: RoomMember): void {
    clearTimeout(this.#byNonce.get(nonce)?.timer);
    const timer = setTimeout(() => this.done(nonce), SHOWN_MS);
    this.#byNonce.set(nonce, { member, timer });
    this.#onChange();
  }

  /** The message is there, or nothing was typed for a while. */
  done(nonce: string): void {
    clearTimeout(this.#byNonce.get(nonce)?.timer);
    if (this.#byNonce.delete(nonce)) this.#onChange();
  }

  /** Somebody left in the middle of a word. */
  gone(member: string): void {
    for (const [nonce, typist] of this.#byNonce) {
      if (typist.member.id === member) this.done(nonce);
    }
  }

  clear(): void {
    for (const nonce of [...this.#byNonce.keys()]) this.done(nonce);
  }

  /** The persons who write. */
  get persons(): ReadonlySet<string> {
    return new Set([...this.#byNonce.values()].map(({ member }) => member.person));
  }

  /** In plain words; empty where nobody writes. */
  get words(): string {
    const names = [...this.#byNonce.values()].map(({ member }) => member.name);
    const [first, second, ...others] = names;
    if (first === undefined) return "";
    if (second === undefined) return `${first} is typing…`;
    if (others.length === 0) return `${first} and ${second} are typing…`;
    const rest = others.length === 1 ? "1 other" : `${others.length} others`;
    return `${first}, ${second} and ${rest} are typing…`;
  }
}
