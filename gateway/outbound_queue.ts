import type { EncodedFrame, EncodedFrames } from "./encoded_frame.ts";
import type { Revision } from "../protocol/frames.ts";
import type { Flushable, Flusher, TurnQueue } from "./flusher.ts";
import type { GatewaySocket } from "./socket.ts";

/**
 * How much is handed to the socket before frames wait here. What waits here is shared text; what the
 * socket holds is a copy per connection.
 */
export const SOCKET_BYTES = 64 * 1024;

/** What a queue needs of its connection. */
export interface OutboundQueueOwner {
  /** A client of revision 2 reads several frames in one message. */
  readonly revision: Revision;
  /** Most bytes that wait. */
  readonly maxQueuedBytes: number;
  /** The socket failed to send: it closed, and its event is on the way. */
  broken(): void;
}

/**
 * The frames of one connection on their way to its socket. A frame in an idle turn leaves at once.
 * Those that follow in the same turn are held back to its end and leave together, in one write where
 * the socket can, else in one message where the client can; where neither can, nothing is held back.
 * Whoever had several in one turn is expected to have several in the next, until it had one.
 * What the socket has no room for waits.
 */
export class OutboundQueue implements Flushable, TurnQueue {
  readonly #socket: GatewaySocket;
  readonly #flusher: Flusher;
  readonly #owner: OutboundQueueOwner;
  /** What waits; made with the first frame that does. */
  #frames: EncodedFrame[] | undefined;
  #bytes = 0;
  /** `nothing` is the state of a peer that keeps up: no frame waits. */
  #waitsFor: "nothing" | "turn" | "room" = "nothing";
  /** The last turn in which a frame left that others could have left with. */
  #sentIn = -1;
  /** How often something was held back for the end of this turn. */
  #pushes = 0;
  /** A turn is expected to bring several things to send, so that the first one waits as well. */
  #isBursty = false;

  constructor(socket: GatewaySocket, flusher: Flusher, owner: OutboundQueueOwner) {
    this.#socket = socket;
    this.#flusher = flusher;
    this.#owner = owner;
  }

  /** Whether several frames can leave in one write, or in one message. */
  get merges(): boolean {
    return this.#socket.write !== undefined || this.#owner.revision === 2;
  }

  /** Whether the socket keeps up: nothing waits for it, and no more for the end of the turn than it takes. */
  get hasRoom(): boolean {
    return this.#waitsFor !== "room" && this.#bytes < SOCKET_BYTES;
  }

  /**
   * Sends or queues frames; false if the queue has no room for one, counted before it is added. An
   * empty queue takes any frame, or one too large for it would cut its peer off again and again.
   */
  push(frames: EncodedFrames): boolean {
    if (this.#waitsFor === "nothing") {
      if (this.#isBursty || this.#sentIn === this.#flusher.turn) {
        this.#waitsFor = "turn";
        this.#flusher.holdForTurn(this);
      } else if (this.#hasRoom(frames)) {
        this.#send(frames.list);
        return true;
      } else {
        this.#waitForRoom();
      }
    }
    this.#pushes++;
    return frames.list.every((frame) => this.#add(frame));
  }

  #add(frame: EncodedFrame): boolean {
    const { maxQueuedBytes } = this.#owner;
    const bytes = this.#bytes + frame.bytes;
    // What is held back for the turn alone is no sign of a slow peer.
    if (this.#waitsFor === "turn" && bytes > Math.min(SOCKET_BYTES, maxQueuedBytes)) this.flush();
    if (this.#frames !== undefined && this.#bytes + frame.bytes > maxQueuedBytes) return false;
    this.#frames ??= [];
    this.#frames.push(frame);
    this.#bytes += frame.bytes;
    return true;
  }

  endTurn(): void {
    this.#isBursty = this.#pushes > 1 || this.#sentIn === this.#flusher.turn;
    this.#pushes = 0;
    this.#waitsFor = "nothing";
    if (!this.flush()) this.#waitForRoom();
  }

  flush(): boolean {
    for (let frames = this.#frames; frames !== undefined; frames = this.#frames) {
      const count = this.#countFitting(frames);
      if (count === 0) return false;
      if (count === frames.length) {
        this.#frames = undefined;
        this.#bytes = 0;
        this.#send(frames);
      } else {
        const first = frames.slice(0, count);
        this.#frames = frames.slice(count);
        for (const { bytes } of first) this.#bytes -= bytes;
        this.#send(first);
      }
    }
    if (this.#waitsFor === "room") this.#waitsFor = "nothing";
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#frames = undefined;
    this.#bytes = 0;
    this.#flusher.remove(this);
  }

  #waitForRoom(): void {
    this.#waitsFor = "room";
    this.#flusher.waitForRoom(this);
  }

  #send(frames: readonly EncodedFrame[]): void {
    if (this.merges) this.#sentIn = this.#flusher.noteSent();
    try {
      if (this.#socket.write !== undefined) this.#socket.write(frames);
      else if (this.#owner.revision === 2 && frames.length > 1) {
        this.#socket.send(this.#flusher.batches.join(frames));
      } else for (const { text } of frames) this.#socket.send(text);
    } catch {
      this.#owner.broken();
    }
  }

  /** How many of the frames that wait the socket has room for in one go. */
  #countFitting(frames: readonly EncodedFrame[]): number {
    const buffered = this.#socket.bufferedAmount;
    if (buffered + this.#bytes <= SOCKET_BYTES) return frames.length;
    let sum = 0;
    let count = 0;
    for (const { bytes } of frames) {
      sum += bytes;
      const isAlone = count === 0 && buffered === 0;
      if (!isAlone && buffered + sum > SOCKET_BYTES) break;
      count++;
    }
    return count;
  }

  /** What is larger than the socket's share goes when nothing else is on its way. */
  #hasRoom(frames: EncodedFrames): boolean {
    const buffered = this.#socket.bufferedAmount;
    return buffered === 0 || buffered + frames.bytes <= SOCKET_BYTES;
  }
}
