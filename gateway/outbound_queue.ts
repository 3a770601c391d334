import type { GatewaySocket } from "./socket.ts";

/** A frame as it is sent, with its size: encoded once, whoever receives it. */
export interface EncodedFrame {
  /** The text of the message. */
  readonly text: string;
  /** Its size in UTF-8 bytes. */
  readonly bytes: number;
}

/**
 * How much is handed to the socket before frames wait here. What waits here is shared text; what the
 * socket holds is a copy per connection.
 */
const SOCKET_BYTES = 64 * 1024;

/** How often queues look whether their socket has room again; the platform does not tell. */
const FLUSH_INTERVAL_MS = 20;

/** Frames of one connection that its socket has no room for. A peer that keeps up never uses it. */
export class OutboundQueue {
  readonly #socket: GatewaySocket;
  readonly #maxBytes: number;
  readonly #flusher: Flusher;
  readonly #onBroken: () => void;
  #frames: EncodedFrame[] = [];
  #bytes = 0;

  /** `onBroken` hears that the socket failed to send: it closed, and its event is on the way. */
  constructor(socket: GatewaySocket, maxBytes: number, flusher: Flusher, onBroken: () => void) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#flusher = flusher;
    this.#onBroken = onBroken;
  }

  /**
   * Sends or queues a frame; false if the queue has no room for it, counted before it is added. An
   * empty queue takes any frame, or one too large for it would cut its peer off again and again.
   */
  push(frame: EncodedFrame): boolean {
    if (this.#frames.length === 0 && this.#fitsSocket(frame)) {
      this.#send(frame);
      return true;
    }
    const isOver = this.#bytes + frame.bytes > this.#maxBytes;
    if (isOver && this.#frames.length > 0) return false;
    this.#frames.push(frame);
    this.#bytes += frame.bytes;
    this.#flusher.add(this);
    return true;
  }

  /** Hands over what the socket has room for; true when nothing waits any more. */
  flush(): boolean {
    let sent = 0;
    for (const frame of this.#frames) {
      if (!this.#fitsSocket(frame)) break;
      if (!this.#send(frame)) return true;
      this.#bytes -= frame.bytes;
      sent++;
    }
    this.#frames.splice(0, sent);
    return this.#frames.length === 0;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#flusher.remove(this);
  }

  #send(frame: EncodedFrame): boolean {
    try {
      this.#socket.send(frame.text);
      return true;
    } catch {
      this.#onBroken();
      return false;
    }
  }

  /** A frame larger than the socket's share goes when nothing else is on its way. */
  #fitsSocket(frame: EncodedFrame): boolean {
    const buffered = this.#socket.bufferedAmount;
    return buffered === 0 || buffered + frame.bytes <= SOCKET_BYTES;
  }
}

/** Flushes the queues of all slow connections; its timer runs only while there are any. */
export class Flusher {
  readonly #queues = new Set<OutboundQueue>();
  #timer: ReturnType<typeof setInterval> | undefined;

  add(queue: OutboundQueue): void {
    this.#queues.add(queue);
    this.#timer ??= setInterval(() => {
      for (const queue of this.#queues) {
        if (queue.flush()) this.remove(queue);
      }
    }, FLUSH_INTERVAL_MS);
  }

  remove(queue: OutboundQueue): void {
    if (!this.#queues.delete(queue) || this.#queues.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
