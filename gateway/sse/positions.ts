import type { ServerFrame, SubFrame, WirePosition } from "../../protocol/frames.ts";
import { isChannelName } from "../../protocol/names.ts";
import { encodeStreamId, MAX_STREAM_ID_LENGTH, roomOfName } from "../../protocol/sse.ts";

/**
 * The channels of one stream and the position of what was sent last on each, read off the frames
 * that pass. A channel that was refused or ended keeps its place: who comes back asks for it again,
 * and from there, until she lets go of it.
 */
export class SsePositions {
  readonly #positions = new Map<string, WirePosition | undefined>();
  #room = MAX_STREAM_ID_LENGTH - roomOfName("");
  #id: string | undefined;

  /** All of them, as the `id` of a message. */
  get id(): string {
    return this.#id ??= encodeStreamId(this.#positions);
  }

  /** The client asks for a channel; false where its name has no room in the id. */
  ask({ c, p }: SubFrame): boolean {
    // What is no name is refused by the session, and never on the stream.
    if (!isChannelName(c) || this.#positions.get(c) !== undefined) return true;
    if (!this.#positions.has(c)) {
      const room = this.#room - roomOfName(c);
      if (room < 0) return false;
      this.#room = room;
    }
    this.#set(c, p);
    return true;
  }

  /** The client lets go of a channel. */
  drop(channel: string): void {
    if (!this.#positions.delete(channel)) return;
    this.#room += roomOfName(channel);
    this.#id = undefined;
  }

  /** A frame is about to be sent. What was let go of meanwhile stays so. */
  pass(frame: ServerFrame): void {
    if (frame.t !== "ok" && frame.t !== "msg" && frame.t !== "skip") return;
    if (!this.#positions.has(frame.c)) return;
    if (frame.t === "ok") {
      // While a gap is replayed the position is still the one that was asked for.
      if (frame.r === "none" || frame.r === "lost") this.#set(frame.c, frame.p);
      return;
    }
    const position = this.#positions.get(frame.c);
    if (position === undefined || frame.o === undefined) return;
    this.#set(frame.c, { e: position.e, o: frame.o });
  }

  #set(channel: string, position: WirePosition | undefined): void {
    this.#positions.set(channel, position);
    this.#id = undefined;
  }
}
