import type { ErrFrame, HereFrame, MsgFrame, OkFrame, WireMember } from "../protocol/frames.ts";
import type { Listeners } from "./listeners.ts";
import { type ChannelPosition, fromWire } from "./position.ts";
import { Retry, type RetryLimits } from "./retry.ts";

/**
 * - `wanted`: to be asked for.
 * - `asked`: the request is sent.
 * - `live`: the server said ok.
 * - `refused`: the server said no, or ended it; asked for again after a while or on the next
 *   connection.
 */
type SubscriptionState = "wanted" | "asked" | "live" | "refused";

/** What became of what was missed: nothing can have been, all of it follows, or nobody can tell. */
export type Recovery = "none" | "ok" | "lost";

/** What a listener is told beside the data. */
export interface EventInfo {
  /** Event id, the same for every subscriber. */
  readonly id: string;
  /** Number of the event in its channel; `undefined` where the server keeps no history. */
  readonly offset: number | undefined;
}

/** The part of an `err` or `gone` frame that decides. */
type Refusal = Pick<ErrFrame, "n" | "w"> & { readonly t: "err" | "gone" };

/** What a subscription asks of its client. */
export interface SubscriptionActions {
  /** Sends a request; tells its number, `undefined` in revision 1. */
  ask(type: "sub" | "unsub", channel: string, position?: ChannelPosition): number | undefined;
  /** Has `sync` called in a turn of its own. */
  sync(): void;
  /** Tells those who hold it that somebody came or left. */
  member(subscription: Subscription, change: "join" | "leave", member: WireMember): void;
}

/**
 * A channel as parts of the page hold it and the server knows it. It makes sure that it is asked for
 * once per connection, keeps the position, and hands over each event once and in order.
 */
export class Subscription {
  readonly holds: Set<Listeners> = new Set();
  readonly members: Map<string, WireMember> = new Map();
  /** How many there are where they are too many to list. */
  memberCount: number | undefined;
  readonly #name: string;
  readonly #actions: SubscriptionActions;
  readonly #retry: Retry;
  #state: SubscriptionState = "wanted";
  /** Number of the request that counts: a late answer to an older one is not heard. */
  #request: number | undefined;
  /** The last event that was handed over, or where the subscription began. */
  #position: ChannelPosition | undefined;
  /** Whether there is a past in which something can have been missed. */
  #hasPast = false;

  constructor(name: string, limits: RetryLimits, actions: SubscriptionActions) {
    this.#name = name;
    this.#actions = actions;
    this.#retry = new Retry(limits, () => this.#again());
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get position(): ChannelPosition | undefined {
    return this.#position;
  }

  /** One more part of the page holds it, the first one perhaps from a position of its own. */
  hold(listeners: Listeners, after: ChannelPosition | undefined): void {
    // Who holds anew what was refused to others wants to be told for herself.
    if (this.holds.size === 0 && this.#state === "refused") this.reset();
    if (after) this.#startAfter(after);
    this.holds.add(listeners);
  }

  /** Brings the server in line with what is held now; false if it is held by nobody. */
  sync(): boolean {
    if (this.holds.size === 0) {
      if (this.#state !== "wanted") this.#actions.ask("unsub", this.#name);
      this.reset();
      return false;
    }
    if (this.#state === "wanted") {
      this.#state = "asked";
      this.#request = this.#actions.ask("sub", this.#name, this.#position);
    }
    return true;
  }

  /** Forgets what the server knew: the connection is gone. */
  reset(): void {
    this.#state = "wanted";
    this.#retry.stop();
  }

  /**
   * The server said ok. Tells what became of what was missed since it was live last, and nothing if
   * nobody waited for this answer. The server's latest word counts: in revision 1 the refusal before
   * may have been the answer to an older request.
   */
  confirm({ n, p, r }: OkFrame): Recovery | undefined {
    if (n !== this.#request || this.isLive || this.#state === "wanted") return undefined;
    const recovery = !this.#hasPast ? "none" : r === "ok" ? r : "lost";
    this.#state = "live";
    this.#hasPast = true;
    this.#retry.stop();
    this.#retry.failed = 0;
    // What was missed follows and moves the position, event by event.
    if (r !== "ok") this.#position = fromWire(p);
    return recovery;
  }

  /** The server said no, or ended what was live; false if that is about an older request. */
  refuse({ t, n, w = "never" }: Refusal): boolean {
    const isOurs = t === "gone" ? this.isLive : n === this.#request && this.#state !== "refused";
    if (!isOurs) return false;
    this.#state = "refused";
    if (w !== "never") this.#retry.schedule(w);
    return true;
  }

  /** Hands an event to everybody who holds the channel. */
  deliver({ e, d, i, o }: MsgFrame): void {
    if (!this.moveTo(o)) return;
    const info: EventInfo = { id: i, offset: o };
    for (const listeners of this.holds) {
      // An event may itself be named "*": it reaches those who listen to all, once.
      if (e !== "*") listeners.call(e, d, info);
      listeners.call("*", e, d, info);
    }
  }

  /** Moves the position on; false if it was there already, or cannot be without a hole. */
  moveTo(offset: number | undefined): boolean {
    // What still comes of an older request is not ours.
    if (this.#request !== undefined && !this.isLive) return false;
    const position = this.#position;
    if (offset === undefined || position === undefined) return true;
    const step = offset - position.offset;
    if (step === 1) this.#position = { ...position, offset };
    if (step > 1) {
      this.#actions.ask("unsub", this.#name);
      this.refuse({ t: "gone", w: "now" });
    }
    return step === 1;
  }

  /** Everybody who is there; who came and left while nobody told is told now. */
  here({ m = [], s }: HereFrame): void {
    this.memberCount = s;
    const ids = new Set(m.map(({ id }) => id));
    for (const id of this.members.keys()) {
      if (!ids.has(id)) this.left(id);
    }
    for (const member of m) this.joined(member);
  }

  joined(member: WireMember): void {
    const isNew = !this.members.has(member.id);
    this.members.set(member.id, member);
    if (isNew) this.#actions.member(this, "join", member);
  }

  left(id: string): void {
    const member = this.members.get(id);
    if (member && this.members.delete(id)) this.#actions.member(this, "leave", member);
  }

  #again(): void {
    this.#state = "wanted";
    this.#actions.sync();
  }

  #startAfter(after: ChannelPosition): void {
    const { epoch, offset } = this.#position ?? {};
    if (epoch === after.epoch && offset === after.offset) return;
    if (this.#state !== "wanted") this.#actions.ask("unsub", this.#name);
    this.reset();
    this.#position = after;
    this.#hasPast = true;
  }
}
