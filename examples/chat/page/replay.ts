import type { BroadcastChannel } from "@airwave/broadcast/client";

/** Tells what was missed, and comes late, from what happens now. */
export class Replay {
  #left = 0;

  constructor(channel: BroadcastChannel) {
    channel.onRecovered(({ missed }) => this.#left = missed);
    channel.onLost(() => this.#left = 0);
    // Called after those who listen to the event by its name.
    channel.on("*", () => this.#left > 0 && this.#left--);
  }

  /** Whether the event that is handed over was missed when it happened. */
  get isOn(): boolean {
    return this.#left > 0;
  }
}
