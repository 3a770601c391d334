import type { WirePosition } from "./frames.ts";
import { isChannelName } from "./names.ts";

/** Longest `id` of a message: a proxy such as nginx takes 8 KiB for a header, and it comes back in one. */
export const MAX_STREAM_ID_LENGTH = 7168;

/** First in every id, so that a later form can be told from this one. */
const VERSION = "1";

/** What a message of server-sent events is made of. */
export interface SseMessage {
  /** Data; line ends of all three kinds are carried as the line ends of the data. */
  readonly data?: string | undefined;
  /** Event name; `message` to a browser where there is none. */
  readonly event?: string | undefined;
  /** Id, which a browser sends back as `Last-Event-ID`. */
  readonly id?: string | undefined;
  /** Milliseconds that a browser waits before it comes back. */
  readonly retryMs?: number | undefined;
}

/**
 * Encodes one message of server-sent events. No character of its parts can end or start a field.
 *
 * @throws {RangeError} Where `id` or `event` holds CR, LF or NUL, which no encoding can carry.
 *
 * @example
 * ```ts
 * import { encodeSseMessage } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeSseMessage({ event: "tick", data: "1\r\n2" }), "event: tick\ndata: 1\ndata: 2\n\n");
 * ```
 */
export function encodeSseMessage({ data, event, id, retryMs }: SseMessage): string {
  let text = "";
  if (retryMs !== undefined) text += `retry: ${Math.trunc(retryMs)}\n`;
  if (id !== undefined) text += field("id", id);
  if (event !== undefined) text += field("event", event);
  if (data !== undefined) {
    // Most data is JSON without a line end, which is spared the split.
    const lines = /[\r\n]/.test(data) ? data.split(/\r\n|\r|\n/) : [data];
    for (const line of lines) text += `data: ${line}\n`;
  }
  return `${text}\n`;
}

function field(name: string, value: string): string {
  // deno-lint-ignore no-control-regex -- the three that a field cannot carry
  if (/[\r\n\u0000]/.test(value)) {
    throw new RangeError(
      `Cannot encode a server-sent event: ${name} must not hold CR, LF or NUL, got ${
        JSON.stringify(value)
      }`,
    );
  }
  return `${name}: ${value}\n`;
}

/**
 * What a stream knows of each of its channels: the position of what it sent last, `undefined` where
 * there is none yet, or `"unknown"`, from which a resume can only be told `lost`.
 */
export type StreamPositions = ReadonlyMap<string, WirePosition | "unknown" | undefined>;

/**
 * Encodes the channels of a stream and their positions as the `id` of its messages. An epoch is
 * written as what it does not share with the one before, so many channels stay short. Positions that
 * would make it longer than {@linkcode MAX_STREAM_ID_LENGTH} are written as unknown.
 *
 * @example
 * ```ts
 * import { encodeStreamId, parseStreamId } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const positions = new Map([
 *   ["news", { e: "k7-1", o: 40 }],
 *   ["chat.1", { e: "k7-2", o: 7 }],
 *   ["orders", undefined],
 * ]);
 * assertEquals(encodeStreamId(positions), "1|news+0+k7-1+14|chat.1+3+2+7|orders");
 * assertEquals(parseStreamId("1|news+0+k7-1+14|chat.1+3+2+7|orders"), positions);
 * ```
 */
export function encodeStreamId(positions: StreamPositions): string {
  // What the names and their separators take is not to be had for positions.
  let room = MAX_STREAM_ID_LENGTH - VERSION.length;
  for (const name of positions.keys()) room -= roomOfName(name);
  let id = VERSION;
  let before = "";
  for (const [name, position] of positions) {
    id += `|${name}`;
    if (position === undefined) continue;
    id += "+";
    if (position === "unknown") continue;
    const shared = sharedLength(before, position.e);
    const text = `${shared.toString(36)}+${escapeText(position.e.slice(shared))}+${
      position.o.toString(36)
    }`;
    room -= text.length;
    if (room < 0) continue;
    before = position.e;
    id += text;
  }
  return id;
}

/** Characters that a channel takes in a stream's id without its position. */
export function roomOfName(name: string): number {
  return name.length + 2;
}

/**
 * Reads an id that {@linkcode encodeStreamId} made; `undefined` for anything else. Never throws.
 *
 * @example
 * ```ts
 * import { parseStreamId } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseStreamId("1|news+0+k7-1+14"), new Map([["news", { e: "k7-1", o: 40 }]]));
 * assertEquals(parseStreamId("an id of somebody else"), undefined);
 * ```
 */
export function parseStreamId(
  id: string,
): Map<string, WirePosition | "unknown" | undefined> | undefined {
  if (id.length > MAX_STREAM_ID_LENGTH) return undefined;
  const [version, ...entries] = id.split("|");
  if (version !== VERSION) return undefined;
  const positions = new Map<string, WirePosition | "unknown" | undefined>();
  let before = "";
  for (const entry of entries) {
    const [name, ...parts] = entry.split("+");
    if (!isChannelName(name) || positions.has(name)) return undefined;
    const position = parsePosition(parts, before);
    if (position === "malformed") return undefined;
    if (typeof position === "object") before = position.e;
    positions.set(name, position);
  }
  return positions;
}

function parsePosition(
  parts: readonly string[],
  before: string,
): WirePosition | "unknown" | "malformed" | undefined {
  if (parts.length === 0) return undefined;
  const [shared = "", rest = "", offset = ""] = parts;
  if (parts.length === 1 && shared === "") return "unknown";
  const sharedLength = parseCount(shared);
  const o = parseCount(offset);
  const end = unescapeText(rest);
  const isWhole = parts.length === 3 && o !== undefined && end !== undefined &&
    sharedLength !== undefined && sharedLength <= before.length;
  return isWhole ? { e: before.slice(0, sharedLength) + end, o } : "malformed";
}

function parseCount(text: string): number | undefined {
  if (!/^(?:0|[1-9a-z][0-9a-z]{0,10})$/.test(text)) return undefined;
  const count = parseInt(text, 36);
  return Number.isSafeInteger(count) ? count : undefined;
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** By UTF-16 code units, so that an epoch cut anywhere, whatever it holds, comes back as it was. */
function escapeText(text: string): string {
  return text.replace(
    /[^\w.-]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function unescapeText(text: string): string | undefined {
  if (!/^(?:[\w.-]|%[0-9a-f]{4})*$/.test(text)) return undefined;
  return text.replace(/%(.{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
