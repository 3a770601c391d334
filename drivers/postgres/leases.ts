import type { LeasedChange, LeasedEntry, LeaseStore } from "../../core/leases.ts";
import { failureOf } from "./failures.ts";
import type { Store } from "./store.ts";

/** How often a write is sent at most, for as long as the server asks for it once more. */
const WRITE_ATTEMPTS = 5;

/** Leases in PostgreSQL, by its own clock. */
export class PostgresLeases implements LeaseStore {
  readonly #store: Store;
  readonly #within: <T>(answer: Promise<T>) => Promise<T>;

  /** `within` puts a bound on the time that an answer may take. */
  constructor(store: Store, within: <T>(answer: Promise<T>) => Promise<T>) {
    this.#store = store;
    this.#within = within;
  }

  /** Writes entries and renews the lease. */
  write(owner: string, leaseMs: number, changes: readonly LeasedChange[]): Promise<string> {
    return this.#within(this.#write(owner, leaseMs, changes));
  }

  /** Every entry of a topic. */
  list(topic: string): Promise<readonly LeasedEntry[]> {
    return this.#within(this.#store.leasedOn(topic));
  }

  /** How long these leases hold. */
  remainingMs(owners: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#within(this.#store.remainingMs(owners));
  }

  /** Where transactions are serializable, one in ten and more are rolled back for another node's. */
  async #write(
    owner: string,
    leaseMs: number,
    changes: readonly LeasedChange[],
  ): Promise<string> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#store.lease(owner, leaseMs, changes);
      } catch (cause) {
        if (failureOf(cause) !== "busy" || attempt === WRITE_ATTEMPTS) throw cause;
      }
    }
  }
}
