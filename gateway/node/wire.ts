import { Buffer } from "node:buffer";
import { type EncodedFrame, Joiner } from "../encoded_frame.ts";

/** What a frame is: section 5.2 of RFC 6455. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The largest payload by the length of its header: two bytes, four, or else ten. */
export const PAYLOAD_LIMIT = { control: 125, short: 125, medium: 65_535 } as const;

/** A frame that is its whole message. */
const FINAL = 0x80;

/** Whether a close frame may say this code: section 7.4. */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

/** A text message. A server's frames have no mask: made once, it is right for every client. */
export function wireOf(frame: EncodedFrame): Uint8Array {
  return frame.wire ??= encodeText(frame);
}

/** Joins frames: one message each, one after the other. */
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

function encodeText({ text, bytes }: EncodedFrame): Buffer {
  const { wire, at } = frame(OPCODE.text, bytes);
  wire.write(text, at);
  return wire;
}

export function encodePong(payload: Uint8Array): Buffer {
  const { wire, at } = frame(OPCODE.pong, payload.length);
  wire.set(payload, at);
  return wire;
}

/** A close frame; without a reason where there is no code that may be said. */
export function encodeClose(code: number, reason: string): Buffer {
  if (!isCloseCode(code)) return frame(OPCODE.close, 0).wire;
  const text = Buffer.from(reason);
  const { wire, at } = frame(OPCODE.close, 2 + text.length);
  wire.writeUInt16BE(code, at);
  wire.set(text, at + 2);
  return wire;
}

/** A frame whose payload is still to be written at its place. */
function frame(opcode: number, bytes: number): { wire: Buffer; at: number } {
  const at = bytes <= PAYLOAD_LIMIT.short ? 2 : bytes <= PAYLOAD_LIMIT.medium ? 4 : 10;
  const wire = Buffer.allocUnsafe(at + bytes);
  wire[0] = FINAL | opcode;
  if (at === 2) {
    wire[1] = bytes;
  } else if (at === 4) {
    wire[1] = 126;
    wire.writeUInt16BE(bytes, 2);
  } else {
    wire[1] = 127;
    wire.writeBigUInt64BE(BigInt(bytes), 2);
  }
  return { wire, at };
}
