import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
// @ts-types="./ws.d.ts"
import type { WebSocket } from "ws";
import { type EncodedFrame, Joiner } from "../encoded_frame.ts";
import type { GatewaySocket } from "../socket.ts";

/** A final text frame without a mask, see section 5.2 of RFC 6455. */
const TEXT_FRAME = 0x81;

/**
 * A connection that `ws` has opened, and that it reads, answers and closes. What goes to many is
 * written past it: frames of a server have no mask, so the same bytes are right for every client.
 */
export class NodeSocket implements GatewaySocket {
  readonly #ws: WebSocket;
  readonly #stream: Duplex;
  readonly #joiner: Joiner<Uint8Array>;

  constructor(ws: WebSocket, stream: Duplex, joiner: Joiner<Uint8Array>) {
    this.#ws = ws;
    this.#stream = stream;
    this.#joiner = joiner;
  }

  get bufferedAmount(): number {
    return this.#stream.writableLength;
  }

  send(text: string): void {
    this.#ws.send(text);
  }

  write(frames: readonly EncodedFrame[]): void {
    // Behind a close frame nothing may follow; that it closes is told by its event.
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    const [first] = frames;
    if (first === undefined) return;
    this.#stream.write(frames.length === 1 ? wireOf(first) : this.#joiner.join(frames));
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }
}

/** Joins frames for {@linkcode NodeSocket}s: one message each, one after the other. */
export function wireJoiner(): Joiner<Uint8Array> {
  return new Joiner((frames) => {
    let bytes = 0;
    for (const frame of frames) bytes += wireOf(frame).length;
    const joined = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const frame of frames) {
      const wire = wireOf(frame);
      joined.set(wire, at);
      at += wire.length;
    }
    return joined;
  });
}

function wireOf(frame: EncodedFrame): Uint8Array {
  return frame.wire ??= encodeMessage(frame);
}

/** A text message in one frame. */
function encodeMessage({ text, bytes }: EncodedFrame): Uint8Array {
  const headerBytes = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const wire = Buffer.allocUnsafe(headerBytes + bytes);
  wire[0] = TEXT_FRAME;
  if (headerBytes === 2) {
    wire[1] = bytes;
  } else if (headerBytes === 4) {
    wire[1] = 126;
    wire.writeUInt16BE(bytes, 2);
  } else {
    wire[1] = 127;
    wire.writeBigUInt64BE(BigInt(bytes), 2);
  }
  wire.write(text, headerBytes);
  return wire;
}
