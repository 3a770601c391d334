import type { ChannelEvent } from "../core/event.ts";
import type { ListenerGroup } from "../core/listener.ts";
import type { Position } from "../core/position.ts";
import { type Walked, WalkedList } from "../core/walked_list.ts";
import type { Revision } from "../protocol/frames.ts";
import { EncodedFrames } from "./encoded_frame.ts";
import type { ByRevision, EventEncoder } from "./encoder.ts";
import type { EventHolder, Flusher } from "./flusher.ts";
import type { OutboundQueue } from "./outbound_queue.ts";

/** One connection's hold on a channel. */
export interface FanOutMember extends Walked {
  readonly isReleased: boolean;
  /** How many of its events wait for room: later ones must wait behind them. */
  readonly backlog: number;
  readonly revision: Revision;
  readonly outbound: OutboundQueue;
  /** Takes an event by itself. */
  event(event: ChannelEvent): void;
  /** Its queue is full. */
  cutOff(): void;
}

/** What stands around an event in its frame, about. */
const FRAME_BYTES = 100;

/**
 * One channel of a gateway on its way to all connections that hold it: called once for an event, it
 * gives each of them the same frames. The first event of an idle turn leaves at once; those that
 * follow are held back to its end and handed over together, so that a burst costs a connection about
 * what one event does. Whoever had several events in one turn is expected to have several in the
 * next, until it had one.
 */
export class FanOut implements ListenerGroup, EventHolder {
  readonly #encoder: EventEncoder;
  readonly #flusher: Flusher;
  readonly #maxHeldBytes: number;
  readonly #members = new WalkedList<FanOutMember>();
  /** How many of them gain from having several events at once. */
  #merging = 0;
  /** The last event that members were given. */
  position: Position | undefined;
  #held: ChannelEvent[] = [];
  #heldBytes = 0;
  /** The last turn with an event, and how many it had. */
  #turn = -1;
  #count = 0;
  #isBursty = false;

  constructor(encoder: EventEncoder, flusher: Flusher, maxHeldBytes: number) {
    this.#encoder = encoder;
    this.#flusher = flusher;
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** A connection hears what comes from now on. */
  add(member: FanOutMember): void {
    this.flush();
    this.#members.add(member);
    if (member.outbound.merges) this.#merging++;
  }

  /** A connection has heard what came until now, and hears no more. */
  remove(member: FanOutMember): void {
    this.flush();
    this.#members.remove(member);
    if (member.outbound.merges) this.#merging--;
  }

  event(event: ChannelEvent): void {
    if (this.#merging === 0) return this.#send([event]);
    const turn = this.#flusher.noteSent();
    if (turn !== this.#turn) {
      this.#isBursty = this.#count > 1;
      this.#turn = turn;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count === 1 && !this.#isBursty) return this.#send([event]);
    const bytes = event.bytes + FRAME_BYTES;
    if (this.#heldBytes + bytes > this.#maxHeldBytes) this.flush();
    if (this.#held.length === 0) this.#flusher.holdFanOut(this);
    this.#held.push(event);
    this.#heldBytes += bytes;
  }

  /** Hands over what is held back, before anything else may be said to a member. */
  flush(): void {
    if (this.#held.length === 0) return;
    const events = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    this.#send(events);
  }

  #send(events: readonly ChannelEvent[]): void {
    this.position = events.at(-1)?.position;
    const isForAll = events.every(({ except }) => except === undefined);
    const encoded: ByRevision<EncodedFrames> = [undefined, undefined, undefined];
    this.#members.walk((member) => {
      if (member.isReleased) return;
      if (member.backlog > 0 || !isForAll) {
        for (const event of events) member.event(event);
        return;
      }
      const { revision } = member;
      const frames = encoded[revision] ??= this.#encode(events, revision);
      if (!member.outbound.push(frames)) member.cutOff();
    });
  }

  #encode(events: readonly ChannelEvent[], revision: Revision): EncodedFrames {
    return new EncodedFrames(events.map((event) => this.#encoder.encode(event, revision)));
  }
}

/** The fan-outs of a gateway, each for as long as a connection holds its channel or asks for it. */
export class FanOuts {
  readonly #make: () => FanOut;
  readonly #channels = new Map<string, { readonly fanOut: FanOut; holds: number }>();

  /** Takes what makes one. */
  constructor(make: () => FanOut) {
    this.#make = make;
  }

  /** The one of a channel, with one more connection to it. */
  hold(channel: string): FanOut {
    const entry = this.#channels.get(channel) ?? { fanOut: this.#make(), holds: 0 };
    entry.holds++;
    this.#channels.set(channel, entry);
    return entry.fanOut;
  }

  /** A connection has let go of it. */
  letGo(channel: string): void {
    const entry = this.#channels.get(channel);
    if (entry !== undefined && --entry.holds === 0) this.#channels.delete(channel);
  }
}
