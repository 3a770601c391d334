import { encodeFrame, encodeMsgFrame } from "../protocol/codec.ts";
import type { Revision, ServerFrame } from "../protocol/frames.ts";
import type { ChannelEvent } from "../core/event.ts";
import { EncodedFrame } from "./encoded_frame.ts";

/** Encodes a control frame. */
export function encode(frame: ServerFrame): EncodedFrame {
  return new EncodedFrame(encodeFrame(frame));
}

/** One event as each revision has it. */
interface Frames {
  1?: EncodedFrame;
  2?: EncodedFrame;
}

/**
 * Encodes events, each once for a revision: all subscribers of a channel are called in a row with
 * the same event, so remembering the last one is enough.
 */
export class EventEncoder {
  #event: ChannelEvent | undefined;
  #frames: Frames = {};
  /** A crowd that comes back is told of the same events, each client of all before the next. */
  readonly #missed = new WeakMap<ChannelEvent, Frames>();

  encode(event: ChannelEvent, revision: Revision): EncodedFrame {
    if (event !== this.#event) {
      this.#event = event;
      this.#frames = {};
    }
    return this.#frames[revision] ??= encodeEvent(event, revision);
  }

  /** The same for an event of a replay, whose frame is kept as long as the event is remembered. */
  encodeMissed(event: ChannelEvent, revision: Revision): EncodedFrame {
    const frames = this.#missed.get(event) ?? {};
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
