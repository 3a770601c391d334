/**
 * A WebSocket client that does as little as can be done: it reads frames where they lie, and counts
 * messages by the sequence number in each, one by one also in a batch.
 */
import net from "node:net";

/** Stands before the eight digits of a sequence number. */
const MARKER = Buffer.from('"s":"');
/** No message has its marker closer than this to the marker of the one before. */
const CLOSEST = 160;
/** All connections are read into the same memory. */
const SHARED = Buffer.allocUnsafe(512 * 1024);

const [M0, M1, M2, M3, M4] = MARKER;

export class Connection {
  /** The last sequence number: each must be larger than the one before, or one came twice. */
  last = 0;
  count = 0;
  #rest;
  #socket;
  #onText;
  #onSequence;
  #isOpen = false;
  #isCounting = false;
  #marker = 0;
  #stride = 0;

  /**
   * @param {number} port
   * @param {string} path
   * @param {{ onText(connection: Connection, text: string): void,
   *   onSequence(connection: Connection, sequence: number): void,
   *   onRead(): void, onEnd(connection: Connection, why: string): void }} hear
   */
  constructor(port, path, { onText, onSequence, onRead, onEnd }) {
    this.#onText = onText;
    this.#onSequence = onSequence;
    this.#socket = net.connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: SHARED,
        callback: (length, buffer) => {
          this.#read(buffer, length);
          onRead();
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => onEnd(this, error.message));
    this.#socket.on("close", () => onEnd(this, "closed"));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  }

  /** From here on every message is an event. */
  startCounting() {
    this.#isCounting = true;
  }

  send(text) {
    const payload = Buffer.from(text);
    // Masked with zeros, which leaves the payload as it is.
    const header = payload.length < 126
      ? [0x81, 0x80 | payload.length, 0, 0, 0, 0]
      : [0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0];
    this.#socket.write(Buffer.concat([Buffer.from(header), payload]));
  }

  end() {
    this.#socket.destroy();
  }

  #read(chunk, length) {
    let bytes = chunk;
    let end = length;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)]);
      end = bytes.length;
      this.#rest = undefined;
    }
    let at = 0;
    if (!this.#isOpen) {
      const head = bytes.subarray(0, end).indexOf("\r\n\r\n");
      if (head < 0) return this.#keep(bytes, 0, end);
      const status = bytes.toString("latin1", 0, 12);
      if (status !== "HTTP/1.1 101") throw new Error(`Not upgraded: ${status}`);
      this.#isOpen = true;
      at = head + 4;
    }
    while (end - at >= 2) {
      const opcode = bytes[at] & 0x0f;
      let size = bytes[at + 1];
      let from = at + 2;
      if (size === 126) {
        if (end - at < 4) break;
        size = (bytes[at + 2] << 8) | bytes[at + 3];
        from = at + 4;
      } else if (size === 127) {
        if (end - at < 10) break;
        size = bytes.readUInt32BE(at + 6);
        from = at + 10;
      }
      if (end - from < size) break;
      if (opcode === 1) this.#message(bytes, from, from + size);
      else if (opcode === 8) throw new Error(`Closed by the server: ${bytes.readUInt16BE(from)}`);
      at = from + size;
    }
    if (at < end) this.#keep(bytes, at, end);
  }

  #keep(bytes, at, end) {
    this.#rest = Buffer.from(bytes.subarray(at, end));
  }

  #message(bytes, from, to) {
    if (!this.#isCounting) return this.#onText(this, bytes.toString("utf8", from, to));
    let at = from + this.#marker;
    if (!isMarker(bytes, at) || at + 13 > to) {
      at = bytes.indexOf(MARKER, from);
      // A ping, for which the text is worth reading.
      if (at < 0 || at + 13 > to) return this.#onText(this, bytes.toString("utf8", from, to));
      this.#marker = at - from;
    }
    for (;;) {
      this.#onSequence(this, digits(bytes, at + 5));
      if (to - at <= CLOSEST + 20) return;
      // The next one of a batch mostly is as far away as the one before it was.
      let next = at + this.#stride;
      if (this.#stride === 0 || !isMarker(bytes, next) || next >= to) {
        next = bytes.indexOf(MARKER, at + CLOSEST);
        if (next < 0 || next >= to) return;
        this.#stride = next - at;
      }
      at = next;
    }
  }
}

function isMarker(bytes, at) {
  return bytes[at + 4] === M4 && bytes[at] === M0 && bytes[at + 1] === M1 &&
    bytes[at + 2] === M2 && bytes[at + 3] === M3;
}

/** Eight decimal digits. */
function digits(bytes, at) {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = value * 10 + bytes[i] - 48;
  return value;
}
