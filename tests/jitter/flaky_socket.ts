import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { WebSocketLike } from "@airwave/broadcast/client";

/** `WebSocket.OPEN` and `WebSocket.CLOSED`. */
const OPEN = 1;
const CLOSED = 3;

/** What RFC 6455, section 4.2.2, has a server add to the key. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * A WebSocket whose TCP connection can be reset, which the platform's own offers no way to. It reads
 * what a gateway sends and no more: text frames in one piece, and the close.
 */
export class FlakySocket implements WebSocketLike {
  onopen: ((event: never) => unknown) | null = null;
  onmessage: ((event: never) => unknown) | null = null;
  onclose: ((event: never) => unknown) | null = null;
  onerror: ((event: never) => unknown) | null = null;
  readyState = 0;
  readonly #socket: Socket;
  readonly #key = randomBytes(16).toString("base64");
  #received = new Uint8Array();
  #close = { code: 1006, reason: "" };

  constructor(url: string) {
    const { hostname, port, host, pathname, search } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    this.#socket.setNoDelay(true);
    this.#socket.on("connect", () =>
      this.#socket.write(
        `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\nSec-WebSocket-Key: ${this.#key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      ));
    this.#socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.readyState = CLOSED;
      this.#fire(this.onclose, this.#close);
    });
  }

  send(text: string): void {
    this.#write(0x81, new TextEncoder().encode(text));
  }

  close(code = 1000): void {
    this.#write(0x88, Uint8Array.of(code >> 8, code & 0xff));
    this.#socket.end();
  }

  /** Resets the connection: what is on its way in either direction is lost. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #write(type: number, payload: Uint8Array): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    const { length } = payload;
    const size = length < 126 ? [length] : [126, length >> 8, length & 0xff];
    const head = [type, 0x80 | (size[0] ?? 0), ...size.slice(1), 0, 0, 0, 0];
    const frame = new Uint8Array(head.length + length);
    // A mask of zeroes leaves the payload as it is.
    frame.set(head);
    frame.set(payload, head.length);
    this.#socket.write(frame);
  }

  #receive(chunk: Uint8Array): void {
    const received = new Uint8Array(this.#received.length + chunk.length);
    received.set(this.#received);
    received.set(chunk, this.#received.length);
    this.#received = received;
    if (this.readyState === 0 && !this.#shakeHands()) return;
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
      const text = new TextDecoder().decode(frame.payload);
      if (frame.type === 0x81) this.#fire(this.onmessage, { data: text });
      else if (frame.type === 0x88) {
        const [high = 0, low = 0] = frame.payload;
        this.#close = { code: high << 8 | low, reason: text.slice(2) };
        this.#socket.end();
      }
    }
  }

  #shakeHands(): boolean {
    const text = new TextDecoder("latin1").decode(this.#received);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const accept = createHash("sha1").update(this.#key + HANDSHAKE_GUID).digest("base64");
    if (!text.startsWith("HTTP/1.1 101") || !text.includes(accept)) {
      this.#socket.destroy();
      return false;
    }
    this.#received = this.#received.slice(end + 4);
    this.readyState = OPEN;
    this.#fire(this.onopen, {});
    return true;
  }

  #takeFrame(): { readonly type: number; readonly payload: Uint8Array } | undefined {
    const bytes = this.#received;
    const [type = 0, first = 0] = bytes;
    const headLength = first === 127 ? 10 : first === 126 ? 4 : 2;
    if (bytes.length < headLength) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = first === 127
      ? Number(view.getBigUint64(2))
      : first === 126
      ? view.getUint16(2)
      : first;
    if (bytes.length < headLength + length) return;
    this.#received = bytes.slice(headLength + length);
    return { type, payload: bytes.subarray(headLength, headLength + length) };
  }

  #fire(handler: ((event: never) => unknown) | null, event: object): void {
    // Handlers take `never` so that any can be set; what they are called with is made right here.
    handler?.(event as never);
  }
}

/** A socket to nowhere: it ends after a while, as for one who has no network. */
export class DeadSocket implements WebSocketLike {
  onopen = null;
  onmessage = null;
  onclose: ((event: never) => unknown) | null = null;
  onerror = null;
  readonly readyState = 3;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(afterMs: number) {
    this.#timer = setTimeout(
      () => this.onclose?.({ code: 1006, reason: "no network" } as never),
      afterMs,
    );
  }

  send(): void {}

  close(): void {
    clearTimeout(this.#timer);
  }
}
