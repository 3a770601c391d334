/** When a heartbeat acts, and what it does then. */
export interface HeartbeatActions {
  /** Asks the peer for a sign of life. */
  ping(): void;
  /** The peer gave none in time. */
  dead(): void;
}

/**
 * Finds out whether a peer is still there. The platform does not tell: a peer that vanished without
 * a word looks open for as long as the operating system likes.
 */
export class Heartbeat {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #actions: HeartbeatActions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heard = true;

  constructor(intervalMs: number, timeoutMs: number, actions: HeartbeatActions) {
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#actions = actions;
    this.#waitForPing(intervalMs);
  }

  /** Whatever the peer sends proves that it is there; a mark, so that no frame moves a timer. */
  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #waitForPing(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#heard = false;
      // Armed first: sending may find the connection broken and stop this heartbeat.
      this.#timer = setTimeout(() => {
        // The time given for the answer is part of the interval.
        if (this.#heard) this.#waitForPing(Math.max(0, this.#intervalMs - this.#timeoutMs));
        else this.#actions.dead();
      }, this.#timeoutMs);
      this.#actions.ping();
    }, afterMs);
  }
}
