import { encodeFrame, encodeMsgFrame } from "../protocol/codec.ts";
import type { Revision, ServerFrame } from "../protocol/frames.ts";
import type { ChannelEvent } from "../core/event.ts";
import { EncodedFrame } from "./encoded_frame.ts";

/** Encodes a control frame. */
export function encode(frame: ServerFrame): EncodedFrame {
  return new EncodedFrame(encodeFrame(frame));
}

/**
 * What is made once for each revision, which is its index. All places are there from the start: the
 * engine fills an object with numbers for keys, or a list beyond its end, by far slower calls.
 */
export type ByRevision<Made> = [undefined, Made | undefined, Made | undefined];

type Frames = ByRevision<EncodedFrame>;

/**
 * Encodes events, each once for a revision: all subscribers of a channel are called in a row with
 * the same event, so remembering the last one is enough.
 */
export class EventEncoder {
  #event: ChannelEvent | undefined;
  #frames: Frames = [undefined, undefined, undefined];
  /** A crowd that comes back is told of the same events, each client of all before the next. */
  readonly #missed = new WeakMap<ChannelEvent, Frames>();

  encode(event: ChannelEvent, revision: Revision): EncodedFrame {
    if (event !== this.#event) {
      this.#event = event;
      this.#frames = [undefined, undefined, undefined];
    }
    return this.#frames[revision] ??= encodeEvent(event, revision);
  }

  /** The same for an event of a replay, whose frame is kept as long as the event is remembered. */
  encodeMissed(event: ChannelEvent, revision: Revision): EncodedFrame {
    const frames: Frames = this.#missed.get(event) ?? [undefined, undefined, undefined];
    this.#missed.set(event, frames);
    return frames[revision] ??= encodeEvent(event, revision);
  }
}

function encodeEvent(
  { channel, event, json, id, position }: ChannelEvent,
  revision: Revision,
): EncodedFrame {
  const offset = revision === 1 ? undefined : position?.offset;
  return new EncodedFrame(encodeMsgFrame(channel, event, json, id, offset));
}
