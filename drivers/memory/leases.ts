import type { LeasedChange, LeasedEntry, LeaseStore } from "../../core/leases.ts";

interface Lease {
  readonly id: string;
  untilMs: number;
  /** Topic → key → value. */
  readonly entries: Map<string, Map<string, string>>;
}

/** Leases in the memory of one process. It needs no timer: what has run out is taken out on a visit. */
export class MemoryLeases implements LeaseStore {
  readonly #leases = new Map<string, Lease>();

  /** Applies the changes and extends the lease. */
  write(owner: string, leaseMs: number, changes: readonly LeasedChange[]): Promise<string> {
    this.#expire();
    const lease: Lease = this.#leases.get(owner) ??
      { id: crypto.randomUUID(), untilMs: 0, entries: new Map() };
    lease.untilMs = Date.now() + leaseMs;
    for (const { topic, key, value } of changes) {
      const entries = lease.entries.get(topic) ?? new Map<string, string>();
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
      if (entries.size > 0) lease.entries.set(topic, entries);
      else lease.entries.delete(topic);
    }
    this.#leases.set(owner, lease);
    return Promise.resolve(lease.id);
  }

  /** Every entry of a topic. */
  list(topic: string): Promise<readonly LeasedEntry[]> {
    this.#expire();
    const entries = [...this.#leases].flatMap(([owner, { entries }]) =>
      [...entries.get(topic) ?? []].map(([key, value]) => ({ owner, key, value }))
    );
    return Promise.resolve(entries);
  }

  /** How long these leases hold. */
  remainingMs(owners: readonly string[]): Promise<ReadonlyMap<string, number>> {
    this.#expire();
    const remaining = new Map<string, number>();
    for (const owner of owners) {
      const lease = this.#leases.get(owner);
      if (lease !== undefined) remaining.set(owner, lease.untilMs - Date.now());
    }
    return Promise.resolve(remaining);
  }

  #expire(): void {
    const nowMs = Date.now();
    for (const [owner, { untilMs }] of this.#leases) {
      if (untilMs <= nowMs) this.#leases.delete(owner);
    }
  }
}
