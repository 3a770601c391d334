import type { ClientFrame, ServerFrame } from "./frames.ts";
import { isEventName } from "./names.ts";

/** What a parser made of a text: a frame, a frame of a type it does not know, or neither. */
export type Parsed<Frame> =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "unknown"; readonly type: string }
  | { readonly kind: "malformed"; readonly reason: string };

type Fields = { readonly [key: string]: unknown };

/**
 * Parses what a server received from a client. Never throws, whatever the input.
 *
 * Channel names are only required to be text here: a refused name gets an answer from the gateway,
 * a frame without one does not.
 *
 * @example
 * ```ts
 * import { parseClientFrame } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseClientFrame('{"t":"sub","c":"news"}'), {
 *   kind: "frame",
 *   frame: { t: "sub", c: "news" },
 * });
 * assertEquals(parseClientFrame("{").kind, "malformed");
 * ```
 */
export function parseClientFrame(input: unknown): Parsed<ClientFrame> {
  return parse(input, (f) => {
    switch (f.t) {
      case "sub":
      case "unsub":
        return isText(f.c) ? { t: f.t, c: f.c } : "c must be text";
      case "pub":
        if (!isText(f.c)) return "c must be text";
        if (!isText(f.e)) return "e must be text";
        return { t: "pub", c: f.c, e: f.e, d: f.d ?? null };
      case "pong":
        return { t: "pong" };
    }
  });
}

/** Parses what a client received from a server. Never throws, whatever the input. */
export function parseServerFrame(input: unknown): Parsed<ServerFrame> {
  return parse(input, (f) => {
    switch (f.t) {
      case "welcome":
        return isText(f.id) ? { t: "welcome", id: f.id } : "id must be text";
      case "ok":
        return isText(f.c) ? { t: "ok", c: f.c } : "c must be text";
      case "err":
        if (!isText(f.c)) return "c must be text";
        return isText(f.r) ? { t: "err", c: f.c, r: f.r } : "r must be text";
      case "msg":
        if (!isText(f.c)) return "c must be text";
        if (!isEventName(f.e)) return "e must be an event name";
        return isText(f.i)
          ? { t: "msg", c: f.c, e: f.e, d: f.d ?? null, i: f.i }
          : "i must be text";
      case "ping":
        return { t: "ping" };
    }
  });
}

/** Encodes a frame as the text of one WebSocket message. */
export function encodeFrame(frame: ServerFrame | ClientFrame): string {
  return JSON.stringify(frame);
}

/**
 * Encodes a `msg` frame around data that is JSON text already, byte for byte what
 * {@linkcode encodeFrame} makes of the parsed data: an event is serialised once, by its publisher.
 */
export function encodeMsgFrame(
  channel: string,
  event: string,
  dataJson: string,
  id: string,
): string {
  return `{"t":"msg","c":${JSON.stringify(channel)},"e":${
    JSON.stringify(event)
  },"d":${dataJson},"i":${JSON.stringify(id)}}`;
}

function parse<Frame>(
  input: unknown,
  read: (fields: Fields) => Frame | string | undefined,
): Parsed<Frame> {
  if (typeof input !== "string") return malformed("not a text message");
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    // The parser's own message quotes the input, which may hold a secret.
    return malformed("not JSON");
  }
  if (!isFields(value)) return malformed("not an object");
  if (!isText(value.t)) return malformed("t must be text");
  const frame = read(value);
  if (frame === undefined) return { kind: "unknown", type: value.t };
  return typeof frame === "string" ? malformed(frame) : { kind: "frame", frame };
}

function malformed(reason: string): { kind: "malformed"; reason: string } {
  return { kind: "malformed", reason };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
