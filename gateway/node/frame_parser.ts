import { type Buffer, isUtf8 } from "node:buffer";
import { CLOSE, type CloseCode } from "../../protocol/close_codes.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { isCloseCode, OPCODE, PAYLOAD_LIMIT } from "./wire.ts";

/** What a parser reads, in the order it came. */
export interface FrameReader {
  text(text: string): void;
  binary(data: Uint8Array): void;
  ping(payload: Uint8Array): void;
  /** The peer closes; nothing more is read of it. Without a code of its own it is 1005. */
  closed(close: CloseCode): void;
  /** The peer broke a rule, and nothing more is read of it. */
  broke(close: CloseCode): void;
}

/** What a peer can break. */
const BROKEN = {
  protocol: { code: 1002, reason: "protocol error" },
  encoding: { code: 1007, reason: "invalid UTF-8" },
  tooLarge: CLOSE.frameTooLarge,
} as const;

/** A close frame without a code. */
const NO_CODE = 1005;

/**
 * Reads what a client sends: section 5 of RFC 6455, without extensions. A message is refused by the
 * lengths that are announced for it, before it came.
 */
export class FrameParser {
  readonly #reader: FrameReader;
  readonly #maxMessageBytes: number;
  #isOver = false;
  /** The beginning of a frame whose end has not come. */
  #rest: ByteBuffer | undefined;
  /** A message of which the last fragment has not come. */
  #message: ByteBuffer | undefined;
  /** What that message is. */
  #messageOpcode = 0;

  /** Takes who is told, and the most bytes of a message over all its fragments. */
  constructor(reader: FrameReader, maxMessageBytes: number) {
    this.#reader = reader;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Takes the next piece of the stream, whose bytes are the parser's own from here on. */
  push(piece: Buffer): void {
    if (this.#isOver) return;
    let bytes = piece;
    if (this.#rest !== undefined) {
      this.#rest.append(piece);
      bytes = this.#rest.bytes;
    }
    let at = 0;
    let size: number;
    do {
      size = this.#readFrame(bytes, at);
      at += size;
    } while (size > 0 && !this.#isOver);
    if (this.#isOver || at === bytes.length) {
      this.#rest = undefined;
    } else if (at > 0 || this.#rest === undefined) {
      this.#rest = new ByteBuffer();
      this.#rest.append(bytes.subarray(at));
    }
  }

  /** Reads the frame that begins there; its size, or 0 if it has not come yet or broke the protocol. */
  #readFrame(bytes: Buffer, start: number): number {
    const available = bytes.length - start;
    if (available < 2) return 0;
    const first = bytes[start] ?? 0;
    const second = bytes[start + 1] ?? 0;
    const opcode = first & 0x0f;
    const isLast = first >= 0x80;
    if (!this.#mayFollow(first, opcode, isLast) || second < 0x80) return this.#break("protocol");
    let length = second & 0x7f;
    let at = start + 2;
    if (opcode >= OPCODE.close) {
      if (length > PAYLOAD_LIMIT.control) return this.#break("protocol");
    } else if (length === 126) {
      if (available < 4) return 0;
      length = bytes.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      if (available < 10) return 0;
      length = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      at += 8;
    }
    const isTooLarge = opcode < OPCODE.close &&
      length + (this.#message?.length ?? 0) > this.#maxMessageBytes;
    if (isTooLarge) return this.#break("tooLarge");
    const end = at + 4 + length;
    if (bytes.length < end) return 0;
    const payload = bytes.subarray(at + 4, end);
    unmask(payload, bytes, at);
    if (opcode >= OPCODE.close) this.#control(opcode, payload);
    else this.#data(opcode, payload, isLast);
    return end - start;
  }

  /** Whether a frame may begin so, after what came before it. */
  #mayFollow(first: number, opcode: number, isLast: boolean): boolean {
    const hasReservedBits = (first & 0x70) !== 0;
    if (hasReservedBits) return false;
    switch (opcode) {
      case OPCODE.continuation:
        return this.#message !== undefined;
      case OPCODE.text:
      case OPCODE.binary:
        return this.#message === undefined;
      case OPCODE.close:
      case OPCODE.ping:
      case OPCODE.pong:
        return isLast;
      default:
        return false;
    }
  }

  #data(opcode: number, payload: Buffer, isLast: boolean): void {
    if (isLast && this.#message === undefined) return this.#deliver(opcode, payload);
    if (this.#message === undefined) {
      this.#message = new ByteBuffer();
      this.#messageOpcode = opcode;
    }
    this.#message.append(payload);
    if (!isLast) return;
    const { bytes } = this.#message;
    this.#message = undefined;
    this.#deliver(this.#messageOpcode, bytes);
  }

  #deliver(opcode: number, data: Buffer): void {
    if (opcode === OPCODE.binary) this.#reader.binary(data);
    else if (isUtf8(data)) this.#reader.text(data.toString());
    else this.#break("encoding");
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#reader.ping(payload);
    else if (opcode === OPCODE.close) this.#close(payload);
  }

  #close(payload: Buffer): void {
    const reason = payload.subarray(2);
    if (payload.length === 1) this.#break("protocol");
    else if (payload.length > 1 && !isCloseCode(payload.readUInt16BE(0))) this.#break("protocol");
    else if (!isUtf8(reason)) this.#break("encoding");
    else {
      this.#isOver = true;
      const code = payload.length === 0 ? NO_CODE : payload.readUInt16BE(0);
      this.#reader.closed({ code, reason: reason.toString() });
    }
  }

  #break(rule: keyof typeof BROKEN): 0 {
    this.#isOver = true;
    this.#message = undefined;
    this.#reader.broke(BROKEN[rule]);
    return 0;
  }
}

/** Takes the mask off, whose four bytes are at a place in front of the payload. */
function unmask(payload: Buffer, bytes: Buffer, at: number): void {
  for (let i = 0; i < payload.length; i++) {
    payload[i] = (payload[i] ?? 0) ^ (bytes[at + (i & 3)] ?? 0);
  }
}
