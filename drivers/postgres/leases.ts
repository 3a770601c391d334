import type { LeasedChange, LeasedEntry, LeaseStore } from "../../core/leases.ts";
import type { Store } from "./store.ts";

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
    return this.#within(this.#store.lease(owner, leaseMs, changes));
  }

  /** Every entry of a topic. */
  list(topic: string): Promise<readonly LeasedEntry[]> {
    return this.#within(this.#store.leasedOn(topic));
  }

  /** How long these leases hold. */
  remainingMs(owners: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#within(this.#store.remainingMs(owners));
  }
}
