import type { CloseVerdict } from "../protocol/close_codes.ts";
import { backoffDelayMs } from "./backoff.ts";
import type { ClientSettings } from "./options.ts";

/** What a retry does when its time has come, and when it was set. */
export interface RetryActions {
  attempt(): void;
  scheduled(info: { readonly attempt: number; readonly delayMs: number }): void;
}

/** Decides when to try again, and counts the attempts that failed in a row. */
export class Retry {
  readonly #settings: ClientSettings;
  readonly #actions: RetryActions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAtMs = 0;
  /** Failed attempts since the last success. */
  #failed = 0;

  constructor(settings: ClientSettings, actions: RetryActions) {
    this.#settings = settings;
    this.#actions = actions;
  }

  /** Counts a failure; false if it was one too many. */
  fail(): boolean {
    return ++this.#failed <= this.#settings.maxReconnectAttempts;
  }

  /** Tries again after a wait that fits the verdict. */
  schedule(verdict: CloseVerdict): void {
    const { reconnectInitialDelayMs, reconnectMaxDelayMs } = this.#settings;
    // "Now" keeps the first, short range: a server that says it in a loop is not hammered.
    const step = verdict === "now" ? 1 : this.#failed;
    this.#wait(backoffDelayMs(step, reconnectInitialDelayMs, reconnectMaxDelayMs));
  }

  /** Cuts a wait to a short one, unless what is left of it is shorter. */
  hurry(): void {
    if (this.#timer === undefined) return;
    const { reconnectInitialDelayMs, reconnectMaxDelayMs } = this.#settings;
    const delayMs = backoffDelayMs(1, reconnectInitialDelayMs, reconnectMaxDelayMs);
    if (delayMs < this.#dueAtMs - Date.now()) this.#wait(delayMs);
  }

  /** An attempt succeeded, or a new series begins: the next wait is a short one again. */
  reset(): void {
    this.#failed = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#dueAtMs = Date.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#actions.attempt();
    }, delayMs);
    this.#actions.scheduled({ attempt: this.#failed, delayMs });
  }
}
