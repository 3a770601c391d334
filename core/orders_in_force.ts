import type { ControlOrder } from "./orders.ts";

interface Entry {
  readonly order: ControlOrder;
  readonly untilMs: number;
}

/** The orders that a node knows to be in force. Pure state: what has run out is left out, by the clock. */
export class OrdersInForce {
  readonly #byId = new Map<string, Entry>();
  /** The same by whom they name: every subscription asks. */
  readonly #byUser = new Map<string, Set<Entry>>();

  /** Takes an order; false for one that is known already, or has run out. */
  add(id: string, order: ControlOrder, forMs: number): boolean {
    if (this.#byId.has(id) || forMs <= 0) return false;
    this.#expire();
    const entry = { order, untilMs: Date.now() + forMs };
    this.#byId.set(id, entry);
    if ("user" in order) {
      const entries = this.#byUser.get(order.user) ?? new Set();
      this.#byUser.set(order.user, entries.add(entry));
    }
    return true;
  }

  /** Whether one of them keeps a user off a channel. */
  isRevoked(user: string, channel: string): boolean {
    return this.#some(
      user,
      (order) => order.type === "disconnect" || (order.channel ?? channel) === channel,
    );
  }

  /** Whether one of them keeps a user out altogether. */
  isDisconnected(user: string): boolean {
    return this.#some(user, (order) => order.type === "disconnect");
  }

  clear(): void {
    this.#byId.clear();
    this.#byUser.clear();
  }

  #some(user: string, matches: (order: ControlOrder) => boolean): boolean {
    const nowMs = Date.now();
    for (const { order, untilMs } of this.#byUser.get(user) ?? []) {
      if (untilMs > nowMs && matches(order)) return true;
    }
    return false;
  }

  #expire(): void {
    const nowMs = Date.now();
    for (const [id, entry] of this.#byId) {
      const { order, untilMs } = entry;
      if (untilMs > nowMs) continue;
      this.#byId.delete(id);
      if (!("user" in order)) continue;
      const entries = this.#byUser.get(order.user);
      if (entries?.delete(entry) && entries.size === 0) this.#byUser.delete(order.user);
    }
  }
}
