import { Joiner } from "./encoded_frame.ts";

/** Whatever waits until a socket has room again. */
export interface Flushable {
  /** Hands over what the socket has room for; true when nothing waits any more. */
  flush(): boolean;
}

/** A queue that waits for the end of a turn. */
export interface TurnQueue {
  /** The turn is over: hands over what it held back. */
  endTurn(): void;
}

/** A channel that holds events back. */
export interface EventHolder {
  /** Hands them over. */
  flush(): void;
}

/** How often queues look whether their socket has room again; the platform does not tell. */
const ROOM_INTERVAL_MS = 20;

/**
 * Tells all queues of a gateway when to go on: at the end of a turn of the event loop, and when there
 * may be room again. A timer runs only while there is one that waits.
 */
export class Flusher {
  /** Joins frames to one message of revision 2. */
  readonly batches: Joiner<string> = new Joiner((frames) =>
    `[${frames.map(({ text }) => text).join(",")}]`
  );
  #fanOuts: EventHolder[] = [];
  #held: TurnQueue[] = [];
  readonly #full = new Set<Flushable>();
  #turn = 0;
  #turnEnd: ReturnType<typeof setImmediate> | undefined;
  #roomTimer: ReturnType<typeof setInterval> | undefined;

  /** The number of the turn that something was sent in, or the last one that was. */
  get turn(): number {
    return this.#turn;
  }

  /** Something is sent in this turn, or will be at its end; that will be noticed. Returns the turn's number. */
  noteSent(): number {
    this.#turnEnd ??= setImmediate(() => this.#endTurn());
    return this.#turn;
  }

  /** For a channel that holds events back for the rest of this turn. */
  holdFanOut(fanOut: EventHolder): void {
    this.#fanOuts.push(fanOut);
    this.noteSent();
  }

  /** For a queue that waits for the rest of this turn: it is called at the end of it. */
  holdForTurn(queue: TurnQueue): void {
    this.#held.push(queue);
    this.noteSent();
  }

  /** Flushes a queue now and then until nothing of it waits any more. */
  waitForRoom(queue: Flushable): void {
    this.#full.add(queue);
    this.#roomTimer ??= setInterval(() => {
      for (const queue of this.#full) {
        if (queue.flush()) this.remove(queue);
      }
    }, ROOM_INTERVAL_MS);
  }

  /** Forgets a queue that waits for room. */
  remove(queue: Flushable): void {
    if (!this.#full.delete(queue) || this.#full.size > 0) return;
    clearInterval(this.#roomTimer);
    this.#roomTimer = undefined;
  }

  /** Ends the timers; whatever still waits has nowhere to go. */
  close(): void {
    clearImmediate(this.#turnEnd);
    clearInterval(this.#roomTimer);
  }

  #endTurn(): void {
    this.#turnEnd = undefined;
    // What channels hand over now may have to wait for what others have for the same connection.
    const fanOuts = this.#fanOuts;
    this.#fanOuts = [];
    for (const fanOut of fanOuts) fanOut.flush();
    const held = this.#held;
    this.#held = [];
    for (const queue of held) queue.endTurn();
    this.#turn++;
  }
}
