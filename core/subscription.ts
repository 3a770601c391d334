import { deferred } from "./deferred.ts";
import { type AnyBroadcastError, BroadcastClosedError, BroadcastOverflowError } from "./errors.ts";
import {
  type BroadcastEvent,
  type ChannelEvent,
  isPosition,
  type Position,
  POSITION_RULE,
} from "./event.ts";
import type { Attachment, ChannelListener, SubscriptionStart } from "./listener.ts";
import {
  callback,
  integer,
  oneOf,
  type OptionCheck,
  readOptions,
  type Resolved,
} from "./options.ts";

/** What happens to a subscriber whose queue is full. */
export type OverflowPolicy = "drop-oldest" | "drop-newest" | "close";

/** What `onOverflow` is told. */
export interface SubscriptionOverflow {
  /** Channel of the subscription. */
  readonly channel: string;
  /** The policy that was applied. */
  readonly policy: OverflowPolicy;
  /** Events this subscription has dropped so far, this time included. */
  readonly dropped: number;
}

/** How to subscribe. Everything is optional. */
export interface SubscribeOptions {
  /** Resume after this position: missed events come first, or `ready` says `lost`. */
  readonly after?: Position | undefined;
  /** Most events that wait to be taken, 1,024 unless told. */
  readonly maxQueuedEvents?: number | undefined;
  /** Most bytes that wait to be taken, 4 MiB unless told. */
  readonly maxQueuedBytes?: number | undefined;
  /** What to do when one of the two is reached; `drop-oldest` unless told. */
  readonly overflow?: OverflowPolicy | undefined;
  /** Called each time events are dropped or the subscription ends because of that. */
  readonly onOverflow?: ((overflow: SubscriptionOverflow) => void) | undefined;
  /**
   * Called when events may be missing for good, after an outage of the backplane: reload your
   * state. Events after `position` follow.
   */
  readonly onLost?: ((position: Position | undefined) => void) | undefined;
}

const DEFAULTS = {
  maxQueuedEvents: 1024,
  maxQueuedBytes: 4 * 1024 * 1024,
  overflow: "drop-oldest",
} as const satisfies SubscribeOptions;

const CHECKS: { readonly [Name in keyof Required<SubscribeOptions>]: OptionCheck } = {
  after: (value) => isPosition(value) ? undefined : POSITION_RULE,
  maxQueuedEvents: integer(1),
  maxQueuedBytes: integer(1),
  overflow: oneOf("drop-oldest", "drop-newest", "close"),
  onOverflow: callback,
  onLost: callback,
};

/** The options of a subscription, with their defaults. */
export function readSubscribeOptions(
  options: SubscribeOptions,
): Resolved<SubscribeOptions, typeof DEFAULTS> {
  return readOptions("a subscription", options, CHECKS, DEFAULTS);
}

/**
 * A subscriber inside the process, as an async iterable. Events wait in a bounded queue until they
 * are taken. Leaving a `for await` loop, `await using` and `unsubscribe()` end it.
 *
 * @example
 * ```ts
 * import { MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using subscription = broadcaster.subscribe("news");
 * await subscription.ready;
 * await broadcaster.publish("news", { event: "headline", data: "It works" });
 * for await (const { event, data } of subscription) {
 *   assertEquals([event, data], ["headline", "It works"]);
 *   break;
 * }
 * ```
 */
export interface BroadcastSubscription
  extends AsyncIterableIterator<BroadcastEvent, undefined>, AsyncDisposable {
  /** Channel. */
  readonly channel: string;
  /**
   * Resolves when the backplane has acknowledged: every event published after that arrives. Rejects
   * with a {@linkcode BroadcastError} where that failed, or the subscription ended before.
   */
  readonly ready: Promise<SubscriptionStart>;
  /** The next event; several calls may wait at once and are served in order. */
  next(): Promise<IteratorResult<BroadcastEvent, undefined>>;
  /** Ends the subscription; waiting calls of `next()` are done. Idempotent. */
  unsubscribe(): void;
}

/** The resolved form of {@linkcode SubscribeOptions}. */
export interface SubscriptionLimits {
  readonly maxQueuedEvents: number;
  readonly maxQueuedBytes: number;
  readonly overflow: OverflowPolicy;
  readonly onOverflow: ((overflow: SubscriptionOverflow) => void) | undefined;
  readonly onLost: ((position: Position | undefined) => void) | undefined;
  /** Runs a callback of the application; what it throws is reported. */
  run(what: string, callback: () => unknown): void;
}

interface Waiter {
  resolve(result: IteratorResult<BroadcastEvent, undefined>): void;
  reject(error: AnyBroadcastError): void;
}

/** The queue between a channel's callbacks and `next()`. */
export class QueuedSubscription implements BroadcastSubscription, ChannelListener {
  readonly channel: string;
  readonly ready: Promise<SubscriptionStart>;
  readonly #limits: SubscriptionLimits;
  readonly #attachment: Attachment;
  readonly #ready = deferred<SubscriptionStart>();
  #queue: ChannelEvent[] = [];
  #queuedBytes = 0;
  #waiters: Waiter[] = [];
  #dropped = 0;
  #state: "open" | "ended" = "open";
  /** Thrown once by `next()`, after the events that came before it. */
  #error: AnyBroadcastError | undefined;

  constructor(
    channel: string,
    limits: SubscriptionLimits,
    attach: (listener: ChannelListener) => Attachment,
  ) {
    this.channel = channel;
    this.#limits = limits;
    this.ready = this.#ready.promise;
    // Whoever only iterates learns of a failure from `next()`; `ready` must not go unhandled then.
    this.ready.catch(() => {});
    this.#attachment = attach(this);
  }

  live(start: SubscriptionStart): void {
    this.#ready.resolve(start);
  }

  event(event: ChannelEvent): void {
    if (this.#state === "ended") return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ value: handOver(event), done: false });
      return;
    }
    if (this.#hasRoomFor(event)) this.#enqueue(event);
    else this.#overflow(event);
  }

  lost(position: Position | undefined): void {
    this.#limits.run("onLost", () => this.#limits.onLost?.(position));
  }

  ended(error: AnyBroadcastError | undefined): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#error = error;
    this.#ready.reject(error ?? new BroadcastClosedError(`subscribe to channel "${this.channel}"`));
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
  }

  next(): Promise<IteratorResult<BroadcastEvent, undefined>> {
    const event = this.#dequeue();
    if (event !== undefined) return Promise.resolve({ value: handOver(event), done: false });
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#state === "ended") this.#finish(waiter);
      else this.#waiters.push(waiter);
    });
  }

  return(): Promise<IteratorResult<BroadcastEvent, undefined>> {
    this.unsubscribe();
    return Promise.resolve({ value: undefined, done: true });
  }

  unsubscribe(): void {
    this.#attachment.detach();
    this.#queue = [];
    this.#queuedBytes = 0;
    this.ended(undefined);
    this.#error = undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.unsubscribe();
    return Promise.resolve();
  }

  #hasRoomFor(event: ChannelEvent): boolean {
    return this.#queue.length < this.#limits.maxQueuedEvents &&
      this.#queuedBytes + event.bytes <= this.#limits.maxQueuedBytes;
  }

  #enqueue(event: ChannelEvent): void {
    this.#queue.push(event);
    this.#queuedBytes += event.bytes;
  }

  #dequeue(): ChannelEvent | undefined {
    const event = this.#queue.shift();
    if (event !== undefined) this.#queuedBytes -= event.bytes;
    return event;
  }

  #overflow(event: ChannelEvent): void {
    const { overflow: policy, onOverflow } = this.#limits;
    if (policy === "drop-oldest") {
      // An event larger than the whole queue is the one to drop, not everything before it.
      const fits = event.bytes <= this.#limits.maxQueuedBytes;
      while (fits && !this.#hasRoomFor(event) && this.#dequeue() !== undefined) this.#dropped++;
      if (fits) this.#enqueue(event);
      else this.#dropped++;
    } else {
      this.#dropped++;
    }
    if (policy === "close") {
      this.#attachment.detach();
      this.ended(
        new BroadcastOverflowError(
          `Cannot keep up with channel "${this.channel}": ${this.#queue.length} events wait to be taken`,
          { context: { channel: this.channel, queuedBytes: this.#queuedBytes } },
        ),
      );
    }
    const overflow = { channel: this.channel, policy, dropped: this.#dropped };
    this.#limits.run("onOverflow", () => onOverflow?.(overflow));
  }

  #finish(waiter: Waiter): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) waiter.resolve({ value: undefined, done: true });
    else waiter.reject(error);
  }
}

/** A plain object for the application: it prints, compares and spreads as it reads. */
function handOver({ event, data, id, position }: ChannelEvent): BroadcastEvent {
  return { event, data, id, position };
}
