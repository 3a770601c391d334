import type { Listeners } from "./listeners.ts";
import type { MsgFrame } from "../protocol/frames.ts";

/**
 * - `wanted`: not asked for on this connection.
 * - `asked`: the request is sent.
 * - `live`: the server said ok.
 * - `refused`: the server said no, or ended it; asked for again on the next connection.
 */
type SubscriptionState = "wanted" | "asked" | "live" | "refused";

interface Subscription {
  readonly holds: Set<Listeners>;
  state: SubscriptionState;
}

/**
 * The channels that parts of the page hold, and how far each has come on the current connection: what
 * makes sure that each is asked for exactly once per connection.
 */
export class Subscriptions {
  readonly #byName = new Map<string, Subscription>();

  hold(name: string, listeners: Listeners): void {
    const subscription: Subscription = this.#byName.get(name) ??
      { holds: new Set(), state: "wanted" };
    // Who holds anew what was refused to others wants to be told for herself.
    if (subscription.holds.size === 0 && subscription.state === "refused") {
      subscription.state = "wanted";
    }
    subscription.holds.add(listeners);
    this.#byName.set(name, subscription);
  }

  release(name: string, listeners: Listeners): void {
    this.#byName.get(name)?.holds.delete(listeners);
  }

  state(name: string): SubscriptionState | undefined {
    return this.#byName.get(name)?.state;
  }

  /**
   * The server said ok; false if nobody waited for that. Its latest word counts: the refusal before
   * may have been the answer to an older request.
   */
  confirm(name: string): boolean {
    const subscription = this.#byName.get(name);
    if (subscription?.state !== "asked" && subscription?.state !== "refused") return false;
    subscription.state = "live";
    return true;
  }

  /** The server said no, or ended what was live. */
  refuse(name: string): void {
    const subscription = this.#byName.get(name);
    if (subscription !== undefined) subscription.state = "refused";
  }

  /** The connection is gone, and everything asked for on it. */
  reset(): void {
    for (const [name, subscription] of this.#byName) {
      subscription.state = "wanted";
      if (subscription.holds.size === 0) this.#byName.delete(name);
    }
  }

  /** Brings the server in line with what is held now. */
  sync(send: (type: "sub" | "unsub", channel: string) => void): void {
    for (const [name, subscription] of this.#byName) {
      if (subscription.holds.size === 0) {
        this.#byName.delete(name);
        if (subscription.state !== "wanted") send("unsub", name);
      } else if (subscription.state === "wanted") {
        subscription.state = "asked";
        send("sub", name);
      }
    }
  }

  /** Hands an event to everybody who holds its channel. */
  deliver({ c, e, d, i }: MsgFrame): void {
    const info = { id: i };
    for (const listeners of this.#byName.get(c)?.holds ?? []) {
      // An event may itself be named "*": it reaches those who listen to all, once.
      if (e !== "*") listeners.call(e, d, info);
      listeners.call("*", e, d, info);
    }
  }
}
