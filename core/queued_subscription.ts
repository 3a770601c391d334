import { deferred } from "./deferred.ts";
import { type AnyBroadcastError, BroadcastClosedError, BroadcastOverflowError } from "./errors.ts";
import type { BroadcastEvent, ChannelEvent } from "./event.ts";
import type { Attachment, ChannelListener, SubscriptionStart } from "./listener.ts";
import type { Position } from "./position.ts";
import type {
  BroadcastSubscription,
  OverflowPolicy,
  SubscriptionOverflow,
} from "./subscription.ts";

/** What a queue is made with. */
export interface QueueOptions {
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
  readonly #options: QueueOptions;
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
    options: QueueOptions,
    attach: (listener: ChannelListener) => Attachment,
  ) {
    this.channel = channel;
    this.#options = options;
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
    this.#options.run("onLost", () => this.#options.onLost?.(position));
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
    return this.#queue.length < this.#options.maxQueuedEvents &&
      this.#queuedBytes + event.bytes <= this.#options.maxQueuedBytes;
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
    const { overflow: policy, onOverflow } = this.#options;
    if (policy === "drop-oldest") {
      // An event larger than the whole queue is the one to drop, not everything before it.
      const fits = event.bytes <= this.#options.maxQueuedBytes;
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
    this.#options.run("onOverflow", () => onOverflow?.(overflow));
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
