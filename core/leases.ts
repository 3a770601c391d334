/** One entry in a {@linkcode LeaseStore}. */
export interface LeasedEntry {
  /** Whose lease it lives by. */
  readonly owner: string;
  /** Its name among the owner's entries of the topic. */
  readonly key: string;
  /** Text that the core understands. */
  readonly value: string;
}

/** What to do with one entry. */
export interface LeasedChange {
  /** Topic that the entry is listed under. */
  readonly topic: string;
  /** Name of the entry. */
  readonly key: string;
  /** Text to store, or nothing to take the entry away. */
  readonly value: string | undefined;
}

/**
 * Keeps small entries, each for as long as its owner's lease holds: who is present by way of which
 * node, and which revocations are in force. The clock is the store's own, so that nodes whose clocks
 * differ agree on what has run out.
 *
 * Owners, topics and keys are any text without control characters, at most 500 characters long.
 */
export interface LeaseStore {
  /**
   * Applies the changes and makes the owner's lease last `leaseMs` from now, in one step. Resolves
   * with a name of the lease: where it is another than before, the former had run out and nothing is
   * left of it but what this call wrote. May be done twice.
   */
  write(owner: string, leaseMs: number, changes: readonly LeasedChange[]): Promise<string>;
  /** All entries of a topic whose owners' leases hold, in any order. */
  list(topic: string): Promise<readonly LeasedEntry[]>;
  /** Milliseconds that the leases of these owners still hold; owners without one are left out. */
  remainingMs(owners: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
