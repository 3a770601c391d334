import { encodeFrame, encodeMsgFrame } from "../protocol/codec.ts";
import type { Revision, ServerFrame } from "../protocol/frames.ts";
import type { ChannelEvent } from "../core/event.ts";
import { EncodedFrame } from "./encoded_frame.ts";

/** Encodes a control frame. */
export function encode(frame: ServerFrame): EncodedFrame {
  return new EncodedFrame(encodeFrame(frame));
}

/**
 * Encodes events, each once for a revision: all subscribers of a channel are called in a row with
 * the same event, so remembering the last one is enough.
 */
export class EventEncoder {
  #event: ChannelEvent | undefined;
  #frames: { 1?: EncodedFrame; 2?: EncodedFrame } = {};

  encode(event: ChannelEvent, revision: Revision): EncodedFrame {
    if (event !== this.#event) {
      this.#event = event;
      this.#frames = {};
    }
    return this.#frames[revision] ??= encodeEvent(event, revision);
  }
}

function encodeEvent(
  { channel, event, json, id, position }: ChannelEvent,
  revision: Revision,
): EncodedFrame {
  const offset = revision === 1 ? undefined : position?.offset;
  return new EncodedFrame(encodeMsgFrame(channel, event, json, id, offset));
}
