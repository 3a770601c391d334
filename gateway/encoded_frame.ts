import { utf8ByteLength } from "../protocol/bytes.ts";

/** A frame as it is sent: encoded and measured once, whoever receives it. */
export class EncodedFrame {
  /** The text of the message. */
  readonly text: string;
  /** The message as it lies on the wire, kept here by a listener that sends it to many. */
  wire: Uint8Array | undefined;
  #bytes = -1;

  /** Takes the text of a message. */
  constructor(text: string) {
    this.text = text;
    this.wire = undefined;
  }

  /** Its size in UTF-8 bytes, counted when first asked for: a peer that keeps up never asks. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = utf8ByteLength(this.text);
    return this.#bytes;
  }
}

/** Frames that are due at once, the same list for all who receive them. */
export class EncodedFrames {
  /** In order. */
  readonly list: readonly EncodedFrame[];
  #bytes = -1;

  /** Takes a list, which must not be changed afterwards. */
  constructor(list: readonly EncodedFrame[]) {
    this.list = list;
  }

  /** Their size in UTF-8 bytes, counted when first asked for. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = this.list.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#bytes;
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
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
