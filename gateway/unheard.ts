import type { ClientFrame } from "../protocol/frames.ts";

/** A frame that waits, and the characters it came in. */
export interface UnheardFrame {
  readonly frame: ClientFrame;
  readonly size: number;
}

/** What a client said before it is known who she is, within the limits of any other queue. */
export class Unheard {
  /** In order. */
  readonly frames: UnheardFrame[] = [];
  readonly #maxBytes: number;
  readonly #maxFrames: number;
  /** Of all that came, kept or not: nothing is kept behind a frame that there was no room for. */
  #bytes = 0;

  constructor(maxBytes: number, maxFrames: number) {
    this.#maxBytes = maxBytes;
    this.#maxFrames = maxFrames;
  }

  /** Keeps a frame; false if there is no room for it. */
  keep(frame: ClientFrame, size: number): boolean {
    this.#bytes += size;
    const hasRoom = this.#bytes <= this.#maxBytes && this.frames.length < this.#maxFrames;
    if (hasRoom) this.frames.push({ frame, size });
    return hasRoom;
  }
}
