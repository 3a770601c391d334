/// <reference lib="dom" />
import type { BroadcastClient, ConnectionState } from "@airwave/broadcast/client";
import { element } from "./elements.ts";

const WORDS: Readonly<Record<ConnectionState, string>> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Connection lost, trying again…",
  disconnected: "Disconnected",
};

/** How the connection is, in plain words. */
export class ConnectionView {
  readonly #state = element("state", HTMLElement);
  /** Apart from the visible text: a screen reader is told of changes, not of each second. */
  readonly #announcement = element("state-announcement", HTMLElement);
  readonly #tryNow = element("reconnect", HTMLButtonElement);
  #countdown: ReturnType<typeof setTimeout> | undefined;

  constructor(client: BroadcastClient) {
    client.on("state", ({ new: state }) => this.#show(state));
    client.on("reconnecting", ({ delayMs }) => this.#countDown(performance.now() + delayMs));
    this.#tryNow.addEventListener("click", () => reconnect(client));
  }

  #show(state: ConnectionState): void {
    clearTimeout(this.#countdown);
    this.#state.dataset.state = state;
    this.#state.textContent = WORDS[state];
    this.#announcement.textContent = WORDS[state];
    this.#tryNow.hidden = state === "connected" || state === "connecting";
  }

  /** Seconds are only worth a word where there are some. */
  #countDown(untilMs: number): void {
    clearTimeout(this.#countdown);
    const seconds = Math.round((untilMs - performance.now()) / 1000);
    this.#state.textContent = seconds < 1
      ? WORDS.reconnecting
      : `Connection lost, trying again in ${seconds} s`;
    if (seconds >= 1) this.#countdown = setTimeout(() => this.#countDown(untilMs), 1000);
  }
}

/** Starts over at once, also to be seen as somebody else after a log-in or log-out. */
export function reconnect(client: BroadcastClient): void {
  client.disconnect();
  client.connect();
}
