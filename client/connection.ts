import { CLOSE } from "../protocol/close_codes.ts";
import type { WebSocketLike } from "./socket.ts";

/** `WebSocket.OPEN`, without asking for the global. */
const OPEN = 1;

/** How long a connection waits for the server, in milliseconds. */
export interface ConnectionTimeouts {
  readonly connectTimeoutMs: number;
  readonly maxSilenceMs: number;
}

/** What a connection tells its client. After `closed` it says nothing more. */
export interface ConnectionEvents {
  message(data: unknown): void;
  closed(code: number, reason: string): void;
}

/**
 * One socket from opening to its end. It notices a server that accepts and says nothing, and one that
 * fell silent, which a browser does not tell for minutes or ever. Once it is over it is deaf: a
 * socket that dies late cannot touch its successor.
 */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #events: ConnectionEvents;
  readonly #maxSilenceMs: number;
  #timer: ReturnType<typeof setTimeout>;
  #heardAtMs = 0;

  constructor(socket: WebSocketLike, timeouts: ConnectionTimeouts, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#maxSilenceMs = timeouts.maxSilenceMs;
    this.#timer = setTimeout(() => this.#giveUp(), timeouts.connectTimeoutMs);
    socket.onmessage = ({ data }: { data: unknown }) => {
      this.#heardAtMs = Date.now();
      events.message(data);
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#detach();
      events.closed(code, reason);
    };
    // `onclose` follows and knows more; without a handler some runtimes report it as unhandled.
    socket.onerror = () => {};
  }

  /** The server's `welcome` came: from here on it must not be silent for too long. */
  welcomed(): void {
    this.#watchSilence(this.#maxSilenceMs);
  }

  /** Sends, unless the socket is closing already; false if it did not. */
  send(text: string): boolean {
    if ((this.#socket.readyState ?? OPEN) !== OPEN) return false;
    try {
      this.#socket.send(text);
      return true;
    } catch {
      // It closed just now; its event is on the way and says so.
      return false;
    }
  }

  /** Ends it without another word to the client. */
  close(code: number, reason: string): void {
    this.#detach();
    try {
      this.#socket.close(code, reason);
    } catch {
      // Some sockets throw while they are still opening; it is no longer listened to anyway.
    }
  }

  #watchSilence(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const silentMs = Date.now() - this.#heardAtMs;
      // After a laptop's sleep the timer fires late and the clock has jumped: silent for too long.
      if (silentMs >= this.#maxSilenceMs) this.#giveUp();
      else this.#watchSilence(this.#maxSilenceMs - silentMs);
    }, afterMs);
  }

  #giveUp(): void {
    const { code, reason } = CLOSE.serverSilent;
    this.close(code, reason);
    this.#events.closed(code, reason);
  }

  #detach(): void {
    clearTimeout(this.#timer);
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.onerror = () => {};
  }
}
