import { SERVER_SILENT } from "../protocol/close_codes.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** How soon a server that was asked for a sign of life must give one, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

/** How often the clock is looked at, in milliseconds. */
const LOOK_INTERVAL_MS = 10_000;

/** What a connection tells its client. After `closed` it says nothing more. */
export interface ConnectionEvents extends TransportEvents {
  /** Time has jumped, as it does over a laptop's sleep: who knows what became of the connection. */
  doubted(): void;
}

/**
 * One transport from opening to its end. It notices a server that accepts and says nothing, and one
 * that fell silent, which a browser does not tell for minutes or ever. Once it is over it is deaf: a
 * transport that dies late cannot touch its successor.
 */
export class Connection {
  readonly #transport: Transport;
  readonly #events: ConnectionEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How long the server may be silent, once it was welcoming; until then nothing it says counts. */
  #maxSilenceMs = 0;
  /** When it is given up, unless something is heard. */
  #deadlineMs: number;

  constructor(
    open: (events: TransportEvents) => Transport,
    connectTimeoutMs: number,
    events: ConnectionEvents,
  ) {
    this.#events = events;
    this.#deadlineMs = Date.now() + connectTimeoutMs;
    this.#transport = open({
      message: (data) => {
        if (this.#maxSilenceMs) this.#deadlineMs = Date.now() + this.#maxSilenceMs;
        events.message(data);
      },
      closed: (code, reason) => {
        clearTimeout(this.#timer);
        events.closed(code, reason);
      },
    });
    this.#watch();
  }

  /** The server's `welcome` came: from here on it must not be silent for longer. */
  welcomed(maxSilenceMs: number): void {
    this.#maxSilenceMs = maxSilenceMs;
    this.#deadlineMs = Date.now() + maxSilenceMs;
    this.#watch();
  }

  /** Sends; false if it did not. */
  send(text: string): boolean {
    return this.#transport.send(text);
  }

  /** Sends what the server must answer, and gives up soon if nothing comes. */
  probe(text: string): void {
    this.send(text);
    this.#deadlineMs = Math.min(this.#deadlineMs, Date.now() + PROBE_TIMEOUT_MS);
    this.#watch();
  }

  /** Ends it without another word to the client. */
  close(code: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#transport.close(code, reason);
  }

  /** Looks often enough to notice that time has jumped. */
  #watch(): void {
    clearTimeout(this.#timer);
    const dueMs = Math.min(this.#deadlineMs, Date.now() + LOOK_INTERVAL_MS);
    this.#timer = setTimeout(() => {
      const nowMs = Date.now();
      if (nowMs >= this.#deadlineMs) {
        const { code, reason } = SERVER_SILENT;
        this.close(code, reason);
        this.#events.closed(code, reason);
        return;
      }
      this.#watch();
      if (nowMs > dueMs + LOOK_INTERVAL_MS) this.#events.doubted();
    }, dueMs - Date.now());
  }
}
