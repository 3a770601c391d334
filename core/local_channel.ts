import type { BroadcastDriver, DriverSubscription, HistoryRead } from "./driver.ts";
import { BroadcastHookError, BroadcastSubscribeError } from "./errors.ts";
import { ChannelEvent, type EventRecord } from "./event.ts";
import { callSafely, type ErrorReporter } from "./hooks.ts";
import type { Attachment, ChannelListener, SubscriptionStart } from "./listener.ts";
import type { Position } from "./position.ts";
import { explainBy } from "./reason.ts";
import type { RecentEvents } from "./recent_events.ts";
import { type ResumableChannel, Resumption } from "./resume.ts";
import { type Gate, Sequencer, type SequencerHost } from "./sequencer.ts";
import { Slot, Slots } from "./slots.ts";

/**
 * A channel on this node: one upstream subscription for any number of listeners, opened with the
 * first and closed after the last. All of them hear one order.
 */
export class LocalChannel implements ResumableChannel, SequencerHost {
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
  #upstream: DriverSubscription | undefined;
  /** What the current upstream brings, in order; what an older one brings is not heard. */
  #sequencer: Sequencer | undefined;
  #settling: Promise<void> | undefined;
  /** True while listeners are called: what they set off meanwhile waits, so that order holds. */
  #isCalling = false;
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
    return this.#sequencer?.position;
  }

  /** What was read may be passed on once it is known who must not hear it any more. */
  async read(after: Position): Promise<HistoryRead> {
    const read = await this.readHistory(after);
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
      (this.#waiting.size > 0 && this.#sequencer?.isLive === true);
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
    this.#sequencer = new Sequencer(this, this.#gate);
    try {
      this.#upstream = await this.#driver.subscribe(this.name, this.#sequencer);
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
    this.#sequencer?.end();
    this.#sequencer = undefined;
    this.#upstream = undefined;
    this.#recent.clear();
    this.#resumption.end();
    this.#resumption = new Resumption(this);
  }

  #admitWaiting(): void {
    for (const slot of this.#waiting) {
      this.#waiting.delete(slot);
      this.#admit(slot);
    }
  }

  #admit(slot: Slot): void {
    const { after } = slot;
    const { position } = this;
    if (after === undefined) return this.start(slot, position, "none");
    const isLost = after.epoch !== position?.epoch || this.#resumption.isTrimmed(after.offset);
    if (isLost) return this.start(slot, position, "lost");
    const isOpen = this.#gate?.isOpen ?? true;
    const missed = after.offset === position?.offset
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
      if (!slot.isActive) return;
      this.#guard(() => target.live({ position, recovery, missed: missed.length }));
      for (const event of missed) {
        if (!slot.isActive) return;
        this.#guard(() => target.event(event));
      }
    });
  }

  inStep(): void {
    if (this.#waiting.size > 0) this.#settle();
  }

  deliver(record: EventRecord, position: Position | undefined): void {
    const event = new ChannelEvent(this.name, record, position);
    this.inTurn(() => {
      this.#recent.push(event);
      this.#resumption.event(event);
      this.#slots.deliver(event, this.#onThrow);
    });
  }

  lost(position: Position | undefined): void {
    this.inTurn(() => {
      this.#slots.forEach((slot) => this.#guard(() => slot.target.lost(position)));
      this.#recent.clear();
      this.#resumption.lost(position);
      this.#resumption = new Resumption(this);
    });
  }

  readHistory(after: Position): Promise<HistoryRead> {
    return this.#driver.read(this.name, after);
  }

  readFailed(cause: unknown): void {
    this.#reporter.report(this.#failure("read the history of", cause));
  }

  #endAll(error: BroadcastSubscribeError | undefined): void {
    // A copy: who listens again in `ended` waits for the next opening, not for this end.
    for (const slot of [...this.#waiting, ...this.#resumption.slots]) this.#end(slot, error);
    this.#slots.forEach((slot) => this.#end(slot, error));
  }

  #end(slot: Slot, error: BroadcastSubscribeError | undefined): void {
    if (!slot.isActive) return;
    slot.isActive = false;
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
    if (this.#isCalling) {
      this.#deferred.push(call);
      return;
    }
    this.#isCalling = true;
    call();
    for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) {
      next();
    }
    this.#isCalling = false;
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
