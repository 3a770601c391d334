import { utf8ByteLength } from "../protocol/bytes.ts";
import { encodeFrame, encodeMsgFrame } from "../protocol/codec.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import type { ChannelEvent } from "../core/event.ts";
import type { EncodedFrame } from "./outbound_queue.ts";

/** Encodes a control frame. */
export function encode(frame: ServerFrame): EncodedFrame {
  return measured(encodeFrame(frame));
}

/**
 * Encodes events, each once: all subscribers of a channel are called in a row with the same event,
 * so remembering the last one is enough.
 */
export class EventEncoder {
  #event: ChannelEvent | undefined;
  #frame: EncodedFrame = measured("");

  encode(event: ChannelEvent): EncodedFrame {
    if (event !== this.#event) {
      this.#event = event;
      this.#frame = measured(encodeMsgFrame(event.channel, event.event, event.json, event.id));
    }
    return this.#frame;
  }
}

function measured(text: string): EncodedFrame {
  return { text, bytes: utf8ByteLength(text) };
}
