import { backoffMs } from "../../core/backoff.ts";
import type { DriverHost } from "../../core/driver.ts";
import { BroadcastPublishError } from "../../core/errors.ts";
import { describe } from "../../core/options.ts";
import { explainPostgres } from "./advice.ts";
import { Alarm } from "./alarm.ts";
import { failureOf, STATEMENT_BACKOFF } from "./failures.ts";
import { OUTBOX_RULE } from "./migration/publishing.ts";
import type { Relay, Store } from "./store.ts";

/** What an outbox works with. */
export interface OutboxOptions {
  readonly store: Store;
  readonly host: DriverHost;
  /** Hears how many rows were taken, be it none. */
  readonly onRelayed: (taken: number) => void;
}

/**
 * Numbers what waits in the outbox. Beside the reading: whoever keeps its rows locked must keep nobody
 * from hearing what was published without it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #pause = new Alarm();
  #state: "open" | "closed" = "open";
  #relaying: Promise<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Takes some of what waits, unless that is under way; tried until it went well. */
  relay(): void {
    this.#relaying ??= this.#relay().finally(() => this.#relaying = undefined);
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#pause.ring();
    await this.#relaying;
  }

  async #relay(): Promise<void> {
    const { store, onRelayed } = this.#options;
    for (let failures = 0; !this.#isClosed(); failures++) {
      try {
        const relay = await store.relay();
        this.#reportRefused(relay);
        return onRelayed(relay.taken);
      } catch (cause) {
        if (this.#isClosed()) return;
        // An outage is told as health; two nodes that were in one another's way try once more.
        if (failures === 1 && failureOf(cause) !== "disconnected") this.#report(cause);
        await this.#pause.wait(backoffMs(failures, STATEMENT_BACKOFF));
      }
    }
  }

  #report(cause: unknown): void {
    const message = `Cannot send from the outbox: ${explainPostgres(cause)}`;
    this.#options.host.report(new BroadcastPublishError(message, { status: 503, cause }));
  }

  #reportRefused({ refused }: Relay): void {
    const { store, host } = this.#options;
    for (const { seq, channel } of refused) {
      const message =
        `Cannot send from the outbox on channel ${describe(channel)}: ${OUTBOX_RULE}; ` +
        `this is row ${seq} of ${store.refusedTable} now`;
      host.report(new BroadcastPublishError(message, { context: { channel, seq } }));
    }
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
