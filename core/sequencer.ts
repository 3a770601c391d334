import { backoffMs } from "./backoff.ts";
import { BoundedBuffer } from "./bounded_buffer.ts";
import type { ChannelSink, HistoryRead } from "./driver.ts";
import { eventBytes, type EventRecord } from "./event.ts";
import type { Position } from "./position.ts";
import { isWhole } from "./resume.ts";

/** Between attempts at history that cannot be read. */
const READ_BACKOFF = { initialMs: 100, maxMs: 5_000 };

/** Holds events back, for example while it is not known who must not hear them any more. */
export interface Gate {
  readonly isOpen: boolean;
  opened(): Promise<void>;
}

/** Whom a {@linkcode Sequencer} works for. */
export interface SequencerHost {
  /** The channel is in step with the backplane. */
  inStep(): void;
  /** The next event in order. */
  deliver(record: EventRecord, position: Position | undefined): void;
  /** What came up to there is lost: nobody can tell what it was. */
  lost(position: Position | undefined): void;
  /** Asks for what is stored behind a position. */
  readHistory(after: Position): Promise<HistoryRead>;
  /** The history could not be read; it is tried again. */
  readFailed(cause: unknown): void;
}

/**
 * - `opening`: the backplane has not said where the channel stands.
 * - `live`: in step with the backplane; events pass straight through.
 * - `behind`: something was missed; events wait until history has closed the gap.
 * - `ended`: what the driver still says is ignored.
 */
type State = "opening" | "live" | "behind" | "ended";

interface Arrival {
  readonly record: EventRecord;
  readonly position: Position;
}

/**
 * Takes what one upstream subscription brings and passes it on in order of offset: what comes twice
 * is dropped, what is missing is read from history, and what cannot be proven complete is said.
 */
export class Sequencer implements ChannelSink {
  readonly #host: SequencerHost;
  readonly #gate: Gate | undefined;
  #state: State = "opening";
  /** The last event that was passed on, or the top the channel went live with. */
  #position: Position | undefined;
  /** What comes while the channel is behind. */
  readonly #backlog = new BoundedBuffer<Arrival>();
  #isReading = false;
  /** `live` was said while history was read, which may have come too early for what it tells. */
  #wasToldAgain = false;
  #failedReads = 0;
  #readRetry: ReturnType<typeof setTimeout> | undefined;

  constructor(host: SequencerHost, gate: Gate | undefined) {
    this.#host = host;
    this.#gate = gate;
  }

  /** Where the channel stands. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether events pass straight through. */
  get isLive(): boolean {
    return this.#state === "live";
  }

  live(top: Position | undefined): void {
    if (this.#hasEnded) return;
    const last = this.#position;
    if (this.#state === "opening") {
      this.#position = top;
      this.#setState("live");
    } else if (top === undefined || last === undefined) {
      // Without numbers nobody can know what passed while the backplane was away.
      this.#loseUpTo(top);
    } else if (this.#state === "behind" || !isSame(top, last)) {
      this.#wasToldAgain = this.#state === "behind";
      this.#closeGap();
    }
  }

  event(record: EventRecord, position: Position | undefined): void {
    if (this.#state === "opening" || this.#state === "ended") return;
    const last = this.#position;
    const isOpen = this.#gate?.isOpen ?? true;
    if (position === undefined || last === undefined) {
      // What may not pass now cannot be asked for later.
      if (isOpen) this.#pass(record, position);
      else this.#loseUpTo(position);
    } else if (
      this.#state === "live" && isOpen && position.epoch === last.epoch &&
      position.offset <= last.offset + 1
    ) {
      if (position.offset > last.offset) this.#pass(record, position);
    } else {
      this.#backlog.push({ record, position }, eventBytes(record));
      this.#closeGap();
    }
  }

  /** Nothing more is passed on. */
  end(): void {
    this.#setState("ended");
    clearTimeout(this.#readRetry);
  }

  /** Reads what is missing after the last event, passes it on, then what came meanwhile. */
  async #closeGap(): Promise<void> {
    this.#setState("behind");
    if (this.#isReading) return;
    this.#isReading = true;
    clearTimeout(this.#readRetry);
    try {
      while (this.#state === "behind" && this.#position !== undefined) {
        if (this.#gate?.isOpen === false) await this.#gate.opened();
        if (this.#hasEnded) return;
        const before = this.#position;
        this.#wasToldAgain = false;
        const read = await this.#host.readHistory(before);
        if (this.#hasEnded) return;
        this.#failedReads = 0;
        if (isWhole(read, before)) {
          for (const { record, position } of read.events) this.#pass(record, position);
        } else {
          this.#loseUpTo(read.top);
        }
        this.#takeBacklog(before);
        if (this.#wasToldAgain) this.#setState("behind");
      }
    } catch (cause) {
      this.#host.readFailed(cause);
      if (!this.#hasEnded) this.#retryGap();
    } finally {
      this.#isReading = false;
    }
  }

  /** The driver's next word looks again as well, but a quiet channel may never hear one. */
  #retryGap(): void {
    const delayMs = backoffMs(this.#failedReads++, READ_BACKOFF);
    this.#readRetry = setTimeout(() => this.#closeGap(), delayMs);
  }

  /** Passes on what came while history was read: it is known by now, or next, or shows a gap. */
  #takeBacklog(before: Position): void {
    const { hasOverflowed } = this.#backlog;
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
    for (const { record, position } of backlog) this.event(record, position);
    if (hasOverflowed) this.#setState("behind");
  }

  #isKnown(position: Position): boolean {
    const last = this.#position;
    return last !== undefined && position.epoch === last.epoch && position.offset <= last.offset;
  }

  get #hasEnded(): boolean {
    return this.#state === "ended";
  }

  #setState(state: State): void {
    // A listener may have ended it in the middle of what is passed on.
    if (this.#hasEnded) return;
    this.#state = state;
    if (state === "live") this.#host.inStep();
  }

  #pass(record: EventRecord, position: Position | undefined): void {
    this.#position = position;
    this.#host.deliver(record, position);
  }

  #loseUpTo(position: Position | undefined): void {
    this.#position = position;
    this.#host.lost(position);
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}
