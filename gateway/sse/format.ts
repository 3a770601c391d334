import { encodeFrame } from "../../protocol/codec.ts";
import type { ServerFrame } from "../../protocol/frames.ts";
import { encodeSseMessage } from "../../protocol/sse.ts";

/** How the frames of a session are written on its stream. */
export interface SseFormat {
  /** The text that stands for a frame, empty for none. `id` holds the positions after it. */
  frame(frame: ServerFrame, text: string, id: string | undefined): string;
  /** The last text of a stream that the gateway ends. */
  close(code: number, reason: string): string;
}

/**
 * Frames as they are. The first tells the client the secret of its uplink; the end, which no stream
 * of the platform explains, is told as an event of its own.
 */
export function framesFormat(uplink: string): SseFormat {
  return {
    frame(frame, text, id) {
      if (frame.t === "welcome") {
        return encodeSseMessage({ id, data: encodeFrame({ ...frame, up: uplink }) });
      }
      const retryMs = frame.t === "bye" ? frame.ms : undefined;
      return encodeSseMessage({ id, data: text, retryMs });
    },
    close: (code, reason) =>
      encodeSseMessage({ event: "close", data: JSON.stringify({ code, reason }) }),
  };
}

/** Events by their own names, for pages without a library. */
export const EVENTS_FORMAT: SseFormat = {
  frame(frame, _text, id) {
    switch (frame.t) {
      case "msg":
        return encodeSseMessage({ id, event: frame.e, data: JSON.stringify(frame.d) });
      case "ok":
      case "skip":
        return encodeSseMessage({ id });
      case "bye":
        return encodeSseMessage({ retryMs: frame.ms });
      default:
        return "";
    }
  },
  close: () => "",
};
