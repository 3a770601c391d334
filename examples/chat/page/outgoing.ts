import type { BroadcastChannel, BroadcastClient } from "@airwave/broadcast/client";
import type { ChatMessage } from "../messages.ts";
import type { Delivery } from "./timeline.ts";

/** How long a message may be under way before it is sent again. */
const CONFIRM_MS = 4_000;
const MAX_ATTEMPTS = 4;

interface Pending {
  readonly message: ChatMessage;
  readonly channel: BroadcastChannel;
  /** In the client's outbox, which sends it with the next connection. */
  boxed: boolean;
  attempts: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The messages of a room that nobody has confirmed yet. A publish has no answer of its own: that a
 * message arrived is known when it comes back as an event. Until then it is sent again, and its
 * nonce makes a second copy harmless.
 */
export class Outgoing {
  readonly #client: BroadcastClient;
  readonly #mark: (nonce: string, delivery: Exclude<Delivery, "delivered">) => void;
  readonly #byNonce = new Map<string, Pending>();

  constructor(
    client: BroadcastClient,
    mark: (nonce: string, delivery: Exclude<Delivery, "delivered">) => void,
  ) {
    this.#client = client;
    this.#mark = mark;
    client.on("open", () => this.#onOpen());
    client.on("state", ({ old }) => {
      if (old === "connected") this.#onLost();
    });
  }

  get size(): number {
    return this.#byNonce.size;
  }

  send(message: ChatMessage, channel: BroadcastChannel): void {
    const pending = { message, channel, boxed: false, attempts: 0, timer: undefined };
    this.#byNonce.set(message.nonce, pending);
    this.#attempt(pending);
  }

  /** The message came back. */
  confirm(nonce: string): void {
    clearTimeout(this.#byNonce.get(nonce)?.timer);
    this.#byNonce.delete(nonce);
  }

  /** The server said no. It does not say to which, so to all that are under way. */
  refuse(): void {
    for (const pending of this.#byNonce.values()) {
      if (!pending.boxed) this.#fail(pending);
    }
  }

  /** Gives up whatever is left. */
  clear(): void {
    for (const pending of this.#byNonce.values()) this.#fail(pending);
  }

  #attempt(pending: Pending): void {
    const { message, channel } = pending;
    pending.boxed = !this.#client.connected;
    channel.publish("message", message);
    if (pending.boxed) this.#mark(message.nonce, "waiting");
    else this.#await(pending);
  }

  #await(pending: Pending): void {
    pending.boxed = false;
    pending.attempts++;
    this.#mark(pending.message.nonce, "sending");
    pending.timer = setTimeout(() => {
      if (pending.attempts < MAX_ATTEMPTS) this.#attempt(pending);
      else this.#fail(pending);
    }, CONFIRM_MS);
  }

  #fail({ message }: Pending): void {
    this.confirm(message.nonce);
    this.#mark(message.nonce, "failed");
  }

  /** The outbox was sent. */
  #onOpen(): void {
    for (const pending of this.#byNonce.values()) {
      if (pending.boxed) this.#await(pending);
    }
  }

  /** Whether what was under way arrived, nobody knows: into the outbox it goes, before newer ones. */
  #onLost(): void {
    for (const pending of this.#byNonce.values()) {
      clearTimeout(pending.timer);
      pending.attempts = 0;
      this.#attempt(pending);
    }
  }
}
