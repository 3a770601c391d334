import { WaitingLine } from "./waiting_line.ts";

/** A connection, as far as its heartbeat is concerned. */
export interface Beating {
  /** Whether the peer has said anything since it was last asked; whatever it is, it is there. */
  wasHeard: boolean;
  /** Asks the peer for a sign of life. */
  ping(): void;
  /** The peer gave none in time. */
  dead(): void;
}

/**
 * Finds out which peers are still there. The platform does not tell: a peer that vanished without
 * a word looks open for as long as the operating system likes.
 */
export class Heartbeats {
  /** Those that were not asked yet, those that were, and those that answered. */
  readonly #fresh: WaitingLine<Beating>;
  readonly #asked: WaitingLine<Beating>;
  readonly #alive: WaitingLine<Beating>;

  constructor(intervalMs: number, timeoutMs: number) {
    const ask = (peer: Beating) => {
      peer.wasHeard = false;
      // In line first: sending may find the connection broken and take it out again.
      this.#asked.add(peer);
      peer.ping();
    };
    this.#fresh = new WaitingLine(intervalMs, ask);
    this.#asked = new WaitingLine(timeoutMs, (peer) => {
      if (peer.wasHeard) this.#alive.add(peer);
      else peer.dead();
    });
    // The time given for the answer is part of the interval.
    this.#alive = new WaitingLine(Math.max(0, intervalMs - timeoutMs), ask);
  }

  add(peer: Beating): void {
    this.#fresh.add(peer);
  }

  delete(peer: Beating): void {
    this.#fresh.delete(peer);
    this.#asked.delete(peer);
    this.#alive.delete(peer);
  }
}
