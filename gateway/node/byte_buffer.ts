import { Buffer } from "node:buffer";

const NOTHING = Buffer.alloc(0);

/**
 * Bytes that are put together as they come. It never has more room than twice what came, whatever
 * was announced, and never copies a byte more than a few times, however small the pieces are.
 */
export class ByteBuffer {
  #room = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All that there is; a view that the next call may change. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#room.length) {
      // Not from the pool of small buffers, which one of them would keep whole.
      const room = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#room.length));
      room.set(this.bytes);
      this.#room = room;
    }
    this.#room.set(bytes, this.#length);
    this.#length = length;
  }
}
