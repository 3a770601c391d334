import { utf8ByteLength } from "../protocol/bytes.ts";

/** A frame as it is sent: encoded and measured once, whoever receives it. */
export class EncodedFrame {
  /** The text of the message. */
  readonly text: string;
  /** Its size in UTF-8 bytes. */
  readonly bytes: number;
  /** The message as it lies on the wire, kept here by a listener that sends it to many. */
  wire: Uint8Array | undefined;

  /** Measures a text. */
  constructor(text: string) {
    this.text = text;
    this.bytes = utf8ByteLength(text);
    this.wire = undefined;
  }
}

/**
 * Puts frames together, once for all connections that are given the same ones in a row: subscribers
 * of one channel mostly are.
 */
export class Joiner<Joined> {
  readonly #join: (frames: readonly EncodedFrame[]) => Joined;
  #last: { readonly frames: readonly EncodedFrame[]; readonly joined: Joined } | undefined;

  /** Takes what makes one of several. */
  constructor(join: (frames: readonly EncodedFrame[]) => Joined) {
    this.#join = join;
  }

  /**
   * The frames as one; a list that is like the last one costs a comparison. A list is kept, and must
   * not be changed afterwards.
   */
  join(frames: readonly EncodedFrame[]): Joined {
    if (this.#last === undefined || !isSame(this.#last.frames, frames)) {
      this.#last = { frames, joined: this.#join(frames) };
    }
    return this.#last.joined;
  }
}

function isSame(a: readonly EncodedFrame[], b: readonly EncodedFrame[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
