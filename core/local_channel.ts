import type { BroadcastDriver, ChannelSink, DriverSubscription, HistoryRead } from "./driver.ts";
import { BoundedBuffer } from "./bounded_buffer.ts";
import { BroadcastHookError, BroadcastSubscribeError } from "./errors.ts";
import { ChannelEvent, eventBytes, type EventRecord } from "./event.ts";
import { callSafely, type ErrorReporter } from "./hooks.ts";
import type { Attachment, ChannelListener, SubscriptionStart } from "./listener.ts";
import type { Position } from "./position.ts";
import { explainBy } from "./reason.ts";
import type { RecentEvents } from "./recent_events.ts";
import { isWhole, type ResumableChannel, Resumption } from "./resume.ts";
import { Slot, Slots } from "./slots.ts";

/** How long to wait before history that could not be read is tried again: doubling, up to a bound. */
const READ_RETRY_MS = { first: 100, max: 5_000 };

/**
 * - `idle`: no upstream subscription, or one on its way in or out.
 * - `live`: in step with the backplane; events pass straight through.
 * - `behind`: something was missed; events wait until history has closed the gap.
 */
type State = "idle" | "live" | "behind";

interface Arrival {
  readonly record: EventRecord;
  readonly position: Position;
}

/** Holds events back, for example while it is not known who must not hear them any more. */
export interface Gate {
  readonly isOpen: boolean;
  opened(): Promise<void>;
}

/**
 * A channel on this node: one upstream subscription for any number of listeners, opened with the
 * first and closed after the last. It keeps the channel's order by offset: what comes twice is
 * dropped, what is missing is read from history, and what cannot be proven complete is said.
 */
export class LocalChannel implements ResumableChannel {
  readonly name: string;
  readonly #driver: BroadcastDriver;
  readonly #reporter: ErrorReporter;
  readonly #gate: Gate | undefined;
  readonly #onIdle: () => void;
  readonly #slots = new Slots();
  /** Listeners that are not live yet. */
  readonly #waiting = new Set<Slot>();
  /** Listeners that wait for what they missed; a new one for each upstream. */
  #resumption = new Resumption(this);
  readonly #recent: RecentEvents;
  #state: State = "idle";
  #upstream: DriverSubscription | undefined;
  /** The sink of the current upstream; what an older one says is ignored. */
  #sink: ChannelSink | undefined;
  /** The last event that was passed on, or the top the channel went live with. */
  #position: Position | undefined;
  /** What comes while the channel is behind. */
  readonly #backlog = new BoundedBuffer<Arrival>();
  /** The sink whose gap is being read, so that a successor of it reads its own. */
  #readingFor: ChannelSink | undefined;
  /** `live` was said while history was read, which may have come too early for what it tells. */
  #toldAgain = false;
  #failedReads = 0;
  #readRetry: ReturnType<typeof setTimeout> | undefined;
  #settling: Promise<void> | undefined;
  /** True while listeners are called: what they set off meanwhile waits, so that order holds. */
  #calling = false;
  #deferred: (() => void)[] = [];

  constructor(
    name: string,
    driver: BroadcastDriver,
    reporter: ErrorReporter,
    recent: RecentEvents,
    gate: Gate | undefined,
    onIdle: () => void,
  ) {
    this.name = name;
    this.#driver = driver;
    this.#reporter = reporter;
    this.#recent = recent;
    this.#gate = gate;
    this.#onIdle = onIdle;
  }

  /** Adds a listener; it hears `live` in a later turn, or `ended` if the subscription fails. */
  attach(listener: ChannelListener, after: Position | undefined): Attachment {
    const slot = new Slot(listener, after, this.#onDetach);
    this.#waiting.add(slot);
    this.#settle();
    return slot;
  }

  /** Ends every listener. The upstream subscription ends with the driver, which closes next. */
  close(): void {
    this.#endAll(undefined);
    this.#reset();
  }

  /** Where the channel stands; for who resumes. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** What was read may be passed on once it is known who must not hear it any more. */
  async read(after: Position): Promise<HistoryRead> {
    const read = await this.#driver.read(this.name, after);
    if (this.#gate?.isOpen === false) await this.#gate.opened();
    return read;
  }

  remember(events: readonly ChannelEvent[]): void {
    if (events.length > this.#recent.size) this.#recent.replace(events);
  }

  setTarget(slot: Slot, target: ChannelListener): void {
    this.#slots.setTarget(slot, target);
  }

  fail(slots: readonly Slot[], cause: unknown): void {
    const error = this.#failure("read the history of", cause);
    for (const slot of slots) this.#end(slot, error);
  }

  /** Brings the upstream subscription in line with the listeners; one run at a time. */
  #settle(): void {
    this.#settling ??= this.#bringInLine().finally(() => {
      this.#settling = undefined;
      if (this.#isUnsettled()) this.#settle();
      else if (this.#upstream === undefined) this.#onIdle();
    });
  }

  #isUnsettled(): boolean {
    const wanted = this.#waiting.size + this.#resumption.size + this.#slots.size > 0;
    return wanted !== (this.#upstream !== undefined) ||
      (this.#waiting.size > 0 && this.#state === "live");
  }

  async #bringInLine(): Promise<void> {
    // Listeners come and go within a turn; looking after it acts on what is left of that.
    await undefined;
    while (this.#isUnsettled()) {
      if (this.#upstream === undefined) await this.#openUpstream();
      else if (this.#waiting.size > 0) this.#admitWaiting();
      else await this.#closeUpstream(this.#upstream);
    }
  }

  async #openUpstream(): Promise<void> {
    const sink: ChannelSink = {
      live: (top) => this.#sink === sink && this.#onLive(top),
      event: (record, position) => this.#sink === sink && this.#onEvent(record, position),
    };
    this.#sink = sink;
    try {
      this.#upstream = await this.#driver.subscribe(this.name, sink);
    } catch (cause) {
      this.#endAll(this.#failure("subscribe to", cause));
      this.#reset();
    }
  }

  async #closeUpstream(upstream: DriverSubscription): Promise<void> {
    this.#reset();
    try {
      await upstream.close();
    } catch (cause) {
      this.#reporter.report(this.#failure("unsubscribe from", cause));
    }
  }

  #reset(): void {
    this.#state = "idle";
    this.#sink = undefined;
    this.#upstream = undefined;
    this.#position = undefined;
    this.#recent.clear();
    this.#resumption.end();
    this.#resumption = new Resumption(this);
    this.#backlog.takeAll();
    this.#failedReads = 0;
    clearTimeout(this.#readRetry);
  }

  #admitWaiting(): void {
    for (const slot of this.#waiting) {
      this.#waiting.delete(slot);
      this.#admit(slot);
    }
  }

  #admit(slot: Slot): void {
    const { after } = slot;
    const position = this.#position;
    if (after === undefined) return this.start(slot, position, "none");
    const isLost = after.epoch !== position?.epoch || this.#resumption.isTrimmed(after.offset);
    if (isLost) return this.start(slot, position, "lost");
    const isOpen = this.#gate?.isOpen ?? true;
    const missed = isSame(after, position)
      ? []
      : isOpen
      ? this.#recent.after(after.offset)
      : undefined;
    if (missed !== undefined) return this.start(slot, position, "ok", missed);
    this.#resumption.add(slot, after);
  }

  /** A listener is live from here on; what it missed comes before what comes next. */
  start(
    slot: Slot,
    position: Position | undefined,
    recovery: SubscriptionStart["recovery"],
    missed: readonly ChannelEvent[] = [],
  ): void {
    this.#slots.add(slot);
    this.inTurn(() => {
      const { target } = slot;
      if (!slot.active) return;
      this.#guard(() => target.live({ position, recovery, missed: missed.length }));
      for (const event of missed) {
        if (!slot.active) return;
        this.#guard(() => target.event(event));
      }
    });
  }

  #onLive(top: Position | undefined): void {
    const last = this.#position;
    if (this.#state === "idle") {
      this.#position = top;
      this.#setState("live");
    } else if (top === undefined || last === undefined) {
      // Without numbers nobody can know what passed while the backplane was away.
      this.#loseUpTo(top);
    } else if (this.#state === "behind" || !isSame(top, last)) {
      this.#toldAgain = this.#state === "behind";
      this.#closeGap();
    }
  }

  #onEvent(record: EventRecord, position: Position | undefined): void {
    if (this.#state === "idle") return;
    const last = this.#position;
    const isOpen = this.#gate?.isOpen ?? true;
    if (position === undefined || last === undefined) {
      // What may not pass now cannot be asked for later.
      if (isOpen) this.#deliver(record, position);
      else this.#loseUpTo(position);
    } else if (
      this.#state === "live" && isOpen && position.epoch === last.epoch &&
      position.offset <= last.offset + 1
    ) {
      if (position.offset > last.offset) this.#deliver(record, position);
    } else {
      this.#backlog.push({ record, position }, eventBytes(record));
      this.#closeGap();
    }
  }

  /** Reads what is missing after the last event, passes it on, then what came meanwhile. */
  async #closeGap(): Promise<void> {
    this.#setState("behind");
    const sink = this.#sink;
    if (this.#readingFor === sink) return;
    this.#readingFor = sink;
    clearTimeout(this.#readRetry);
    try {
      while (this.#state === "behind" && this.#position !== undefined) {
        if (this.#gate?.isOpen === false) await this.#gate.opened();
        if (this.#sink !== sink) return;
        const before = this.#position;
        this.#toldAgain = false;
        const read = await this.#driver.read(this.name, before);
        if (this.#sink !== sink) return;
        this.#failedReads = 0;
        if (isWhole(read, before)) {
          for (const { record, position } of read.events) this.#deliver(record, position);
        } else {
          this.#loseUpTo(read.top);
        }
        this.#takeBacklog(before);
        if (this.#toldAgain) this.#setState("behind");
      }
    } catch (cause) {
      this.#reporter.report(this.#failure("read the history of", cause));
      if (this.#sink === sink) this.#retryGap();
    } finally {
      if (this.#readingFor === sink) this.#readingFor = undefined;
    }
  }

  /** The driver's next word looks again as well, but a quiet channel may never hear one. */
  #retryGap(): void {
    const delayMs = Math.min(READ_RETRY_MS.max, READ_RETRY_MS.first * 2 ** this.#failedReads++);
    this.#readRetry = setTimeout(() => this.#closeGap(), delayMs);
  }

  /** Passes on what came while history was read: it is known by now, or next, or shows a gap. */
  #takeBacklog(before: Position): void {
    const { overflowed } = this.#backlog;
    const backlog = this.#backlog.takeAll();
    const first = backlog.find(({ position }) => !this.#isKnown(position));
    if (first !== undefined && this.#position !== undefined && isSame(this.#position, before)) {
      // History has nothing of what the live events show to be missing: it cannot be proven.
      const { epoch, offset } = first.position;
      if (epoch !== before.epoch || offset > before.offset + 1) {
        this.#loseUpTo({ epoch, offset: offset - 1 });
      }
    }
    this.#setState("live");
    for (const { record, position } of backlog) this.#onEvent(record, position);
    if (overflowed) this.#setState("behind");
  }

  #isKnown(position: Position): boolean {
    const last = this.#position;
    return last !== undefined && position.epoch === last.epoch && position.offset <= last.offset;
  }

  #setState(state: State): void {
    this.#state = state;
    if (state === "live" && this.#waiting.size > 0) this.#settle();
  }

  #deliver(record: EventRecord, position: Position | undefined): void {
    this.#position = position;
    const event = new ChannelEvent(this.name, record, position);
    this.inTurn(() => {
      this.#recent.push(event);
      this.#resumption.event(event);
      this.#slots.deliver(event, this.#onThrow);
    });
  }

  #loseUpTo(position: Position | undefined): void {
    this.#position = position;
    this.inTurn(() => {
      this.#slots.forEach((slot) => this.#guard(() => slot.target.lost(position)));
      this.#recent.clear();
      this.#resumption.lost(position);
      this.#resumption = new Resumption(this);
    });
  }

  #endAll(error: BroadcastSubscribeError | undefined): void {
    // A copy: who listens again in `ended` waits for the next opening, not for this end.
    for (const slot of [...this.#waiting, ...this.#resumption.slots]) this.#end(slot, error);
    this.#slots.forEach((slot) => this.#end(slot, error));
  }

  #end(slot: Slot, error: BroadcastSubscribeError | undefined): void {
    if (!slot.active) return;
    slot.active = false;
    this.#take(slot);
    this.inTurn(() => this.#guard(() => slot.target.ended(error)));
    this.#settle();
  }

  #take(slot: Slot): void {
    this.#waiting.delete(slot);
    this.#resumption.remove(slot);
    this.#slots.remove(slot);
  }

  /** Runs a call after those that are under way, so that all listeners see one order. */
  inTurn(call: () => void): void {
    if (this.#calling) {
      this.#deferred.push(call);
      return;
    }
    this.#calling = true;
    call();
    for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) {
      next();
    }
    this.#calling = false;
  }

  readonly #onDetach = (slot: Slot): void => {
    this.#take(slot);
    this.#settle();
  };

  #guard(call: () => unknown): void {
    callSafely(call, this.#onThrow);
  }

  readonly #onThrow = (cause: unknown): void => {
    this.#reporter.report(
      new BroadcastHookError(`A listener on channel "${this.name}" threw`, {
        context: { channel: this.name },
        cause,
      }),
    );
  };

  #failure(action: string, cause: unknown): BroadcastSubscribeError {
    return new BroadcastSubscribeError(
      `Cannot ${action} channel "${this.name}": ${explainBy(this.#driver, cause)}`,
      { status: 503, context: { channel: this.name }, cause },
    );
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}
