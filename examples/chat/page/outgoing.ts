import type { BroadcastChannel, BroadcastClient, ChannelPosition } from "@airwave/broadcast/client";
import type { ChatMessage } from "../messages.ts";

/** What becomes of a message. */
export interface OutgoingEvents {
  /** It waits for a connection, is on its way, or was refused. */
  marked(nonce: string, delivery: "waiting" | "sending" | "failed"): void;
  /** The server has it. */
  delivered(message: ChatMessage, position: ChannelPosition): void;
}

/**
 * The messages of a room that the server has not acknowledged yet. The client sends them again after
 * a cut, and delivers each once: its nonce is the event's id.
 */
export class Outgoing {
  readonly #client: BroadcastClient;
  readonly #events: OutgoingEvents;
  readonly #nonces = new Set<string>();

  constructor(client: BroadcastClient, events: OutgoingEvents) {
    this.#client = client;
    this.#events = events;
    client.on("state", () => {
      for (const nonce of this.#nonces) this.#markUnderWay(nonce);
    });
  }

  async send(message: ChatMessage, channel: BroadcastChannel): Promise<void> {
    const { nonce } = message;
    this.#nonces.add(nonce);
    this.#markUnderWay(nonce);
    const result = await channel.publish("message", message, { id: nonce });
    // Given up meanwhile.
    if (!this.#nonces.delete(nonce)) return;
    if (!result.ok) this.#events.marked(nonce, "failed");
    else if (result.position !== undefined) this.#events.delivered(message, result.position);
  }

  /** Gives up whatever is left. */
  clear(): void {
    for (const nonce of this.#nonces) {
      this.#nonces.delete(nonce);
      this.#events.marked(nonce, "failed");
    }
  }

  #markUnderWay(nonce: string): void {
    this.#events.marked(nonce, this.#client.connected ? "sending" : "waiting");
  }
}
