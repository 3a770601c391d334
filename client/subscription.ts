import type {
  ErrFrame,
  GoneFrame,
  MsgFrame,
  OkFrame,
  RetryVerdict,
  ServerFrame,
  WireMember,
  WirePosition,
} from "../protocol/frames.ts";
import type { Announcer } from "./announcer.ts";
import { refusal } from "./errors.ts";
import type { Listeners } from "./listeners.ts";
import { type ChannelPosition, fromWire } from "./position.ts";
import { Retry, type RetryLimits } from "./retry.ts";

/**
 * - `waiting`: for its turn to be asked for, or for the server's answer.
 * - `live`: the server said ok.
 * - `refused`: the server said no, or ended it; asked for again after a while or on the next
 *   connection.
 */
type SubscriptionState = "waiting" | "live" | "refused";

/** What a listener is told beside the data. */
export interface EventInfo {
  /** Event id, the same for every subscriber. */
  readonly id: string;
  /** Number of the event in its channel; `undefined` where the server keeps no history. */
  readonly offset: number | undefined;
}

/** What a subscription asks of its client. */
export interface SubscriptionActions {
  /**
   * Sends a request; tells its number, `false` in revision 1, which has none, and `undefined` if
   * nothing was sent.
   */
  ask(type: "sub" | "unsub", channel: string, position?: WirePosition): number | false | undefined;
  /** Whether the page does not want an event of its own back. */
  isForOthers(frame: MsgFrame): boolean;
}

/**
 * A channel as parts of the page hold it and the server knows it. It makes sure that it is asked for
 * once per connection, keeps the position, and hands over each event once and in order.
 */
export class Subscription {
  readonly holds: Set<Listeners> = new Set();
  /** Who is there, by user id. */
  readonly members: Map<string, WireMember> = new Map();
  /** How many are there, where they are too many to list. */
  memberCount: number | undefined;
  readonly #name: string;
  readonly #actions: SubscriptionActions;
  readonly #announcer: Announcer;
  readonly #retry: Retry;
  #state: SubscriptionState = "waiting";
  /**
   * Number of the request that counts: a late answer to an older one is not heard. `false` in revision
   * 1, which has none; `undefined` while it is to be asked for.
   */
  #request: number | false | undefined;
  /** The last event that was handed over, or where the subscription began. */
  #position: { readonly e: string; o: number } | undefined;
  /** Whether there is a past in which something can have been missed. */
  #hasPast = false;

  constructor(
    name: string,
    limits: RetryLimits,
    announcer: Announcer,
    actions: SubscriptionActions,
  ) {
    this.#name = name;
    this.#announcer = announcer;
    this.#actions = actions;
    this.#retry = new Retry(limits, () => {
      this.reset();
      this.sync();
    });
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get position(): ChannelPosition | undefined {
    return fromWire(this.#position);
  }

  /** One more part of the page holds it, the first one perhaps from a position of its own. */
  hold(listeners: Listeners, after: ChannelPosition | undefined): void {
    // Who holds anew what was refused to others wants to be told for herself.
    if (this.holds.size === 0 && this.#state === "refused") this.reset();
    const { e, o } = this.#position ?? {};
    if (after && (e !== after.epoch || o !== after.offset)) {
      this.#release();
      this.#position = { e: after.epoch, o: after.offset };
      this.#hasPast = true;
    }
    this.holds.add(listeners);
  }

  /** Brings the server in line with what is held now; false if it is held by nobody. */
  sync(): boolean {
    const isHeld = this.holds.size > 0;
    if (!isHeld) this.#release();
    else if (this.#request === undefined) {
      this.#request = this.#actions.ask("sub", this.#name, this.#position);
    }
    return isHeld;
  }

  /** Forgets what the server knew: the connection is gone. */
  reset(): void {
    this.#state = "waiting";
    this.#request = undefined;
    this.#retry.stop();
  }

  receive(frame: ServerFrame): void {
    switch (frame.t) {
      case "ok":
        return this.#confirm(frame);
      case "err":
        if (this.#isAnswered(frame) && this.#state !== "refused") this.#refuse(frame);
        return;
      case "gone":
        if (this.isLive) this.#refuse(frame);
        return;
      case "msg":
        if (this.#moveTo(frame.o) && !this.#actions.isForOthers(frame)) this.#deliver(frame);
        return;
      case "skip":
        this.#moveTo(frame.o);
        return;
      case "here":
        return this.#onHere(frame.m ?? [], frame.s);
      case "join":
        return this.#onJoin(frame.m);
      case "leave":
        return this.#onLeave(frame.u);
    }
  }

  #release(): void {
    if (this.#request !== undefined) this.#actions.ask("unsub", this.#name);
    this.reset();
  }

  #isAnswered({ n }: OkFrame | ErrFrame): boolean {
    return (n ?? false) === this.#request;
  }

  /** The server's latest word counts: in revision 1 a refusal may have answered an older request. */
  #confirm(frame: OkFrame): void {
    if (!this.#isAnswered(frame) || this.isLive) return;
    const { c: channel, p, r, m: missed = 0 } = frame;
    this.#state = "live";
    this.#retry.reset();
    // What was missed follows and moves the position, event by event.
    if (r !== "ok") this.#position = p;
    this.#announcer.tell("subscribed", { channel, position: this.position }, this.holds);
    if (this.#hasPast) {
      this.#announcer.tell(r === "ok" ? "recovered" : "lost", { channel, missed }, this.holds);
    }
    this.#hasPast = true;
  }

  #refuse(frame: ErrFrame | GoneFrame): void {
    const { w = "never" } = frame;
    this.#pause(w);
    // What is tried again at once is no news.
    if (w !== "now") this.#announcer.tell("error", refusal("subscribe", frame));
  }

  #pause(verdict: RetryVerdict): void {
    this.#state = "refused";
    if (verdict !== "never") this.#retry.schedule(verdict);
  }

  /** Hands an event to everybody who holds the channel. */
  #deliver({ e, d, i, o }: MsgFrame): void {
    const info: EventInfo = { id: i, offset: o };
    for (const listeners of this.holds) {
      // An event may itself be named "*": it reaches those who listen to all, once.
      if (e !== "*") listeners.call(e, d, info);
      listeners.call("*", e, d, info);
    }
  }

  /** Moves the position on; false if it was there already, or cannot be without a hole. */
  #moveTo(offset: number | undefined): boolean {
    // What still comes of an older request is not ours.
    if (this.#request !== false && !this.isLive) return false;
    const position = this.#position;
    if (offset === undefined || position === undefined) return true;
    const step = offset - position.o;
    if (step === 1) position.o = offset;
    if (step > 1) {
      // It is asked for again from here, and what follows the hole comes then.
      this.#actions.ask("unsub", this.#name);
      this.#pause("now");
    }
    return step === 1;
  }

  /** Who came and left while nobody told is told now. */
  #onHere(members: readonly WireMember[], count: number | undefined): void {
    this.memberCount = count;
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.members.keys()) {
      if (!ids.has(id)) this.#onLeave(id);
    }
    for (const member of members) this.#onJoin(member);
  }

  #onJoin(member: WireMember): void {
    const isNew = !this.members.has(member.id);
    this.members.set(member.id, member);
    if (isNew) this.#announcer.tell("join", member, this.holds);
  }

  #onLeave(id: string): void {
    const member = this.members.get(id);
    if (this.members.delete(id)) this.#announcer.tell("leave", member, this.holds);
  }
}
