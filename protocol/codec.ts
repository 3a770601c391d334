import type {
  ClientFrame,
  Recovery,
  RetryVerdict,
  Revision,
  ServerFrame,
  WireMember,
  WirePosition,
} from "./frames.ts";
import { isEventName } from "./names.ts";

/** What a parser made of a text: a frame, a frame of a type it does not know, or neither. */
export type Parsed<Frame> =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "unknown"; readonly type: string }
  | { readonly kind: "malformed"; readonly reason: string };

type Fields = { [key: string]: unknown };

type Guard<Value> = (value: unknown) => value is Value;

type OptionalKeys<Frame> = {
  [Key in keyof Frame]-?: object extends Pick<Frame, Key> ? Key : never;
}[keyof Frame];

/** Keys that must be there, keys that revision 2 may add, and the revision that has the frame. */
type Shape<Frame> = readonly [
  required: {
    readonly [Key in Exclude<keyof Frame, "t" | OptionalKeys<Frame>>]: Guard<Frame[Key]>;
  },
  optional: {
    readonly [Key in OptionalKeys<Frame>]-?: Guard<Exclude<Frame[Key], undefined>>;
  },
  since: Revision,
];

type Shapes<Frame extends { readonly t: string }> = {
  readonly [Type in Frame["t"]]: Shape<Extract<Frame, { readonly t: Type }>>;
};

type Checks = { readonly [key: string]: (value: unknown) => boolean };

/** Any shape, once it is checked that it fits the type of its frame. */
type AnyShape = readonly [required: Checks, optional: Checks, since: number];
const UNKNOWN: AnyShape = [{}, {}, 3];
type AnyShapes = { readonly [type: string]: AnyShape };

const SERVER_FRAMES: Shapes<ServerFrame> = {
  welcome: [{ id: isText }, { v: isCount, ping: isCount, max: isCount, up: isText }, 1],
  ok: [{ c: isText }, { n: isCount, p: isWirePosition, r: isRecovery, m: isCount, i: isText }, 1],
  err: [{ c: isText, r: isText }, { n: isCount, k: isText, w: isVerdict }, 1],
  msg: [{ c: isText, e: isEventName, d: isAnything, i: isText }, { o: isCount }, 1],
  ping: [{}, {}, 1],
  gone: [{ c: isText, k: isText, r: isText, w: isVerdict }, {}, 2],
  here: [{ c: isText }, { m: isMembers, s: isCount }, 2],
  join: [{ c: isText, m: isMember }, {}, 2],
  leave: [{ c: isText, u: isText }, {}, 2],
  skip: [{ c: isText, o: isCount }, {}, 2],
  exp: [{ s: isCount }, {}, 2],
  bye: [{ r: isText, ms: isCount }, {}, 2],
};

// Channel names are only required to be text: a refused name gets an answer from the gateway, a frame
// without one does not.
const CLIENT_FRAMES: Shapes<ClientFrame> = {
  sub: [{ c: isText }, { n: isCount, p: isWirePosition }, 1],
  unsub: [{ c: isText }, { n: isCount }, 1],
  pub: [{ c: isText, e: isText, d: isAnything }, { n: isCount, i: isText, x: isBoolean }, 1],
  pong: [{}, {}, 1],
  auth: [{ n: isCount, k: isText }, {}, 2],
};

/**
 * Parses what a server received from a client: one frame, or in revision 2 an array of them. Never
 * throws, whatever the input. Revision 1 looks at nothing that revision 2 added.
 *
 * @example
 * ```ts
 * import { parseClientMessage } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseClientMessage('{"t":"sub","c":"news","n":1}', 2), [
 *   { kind: "frame", frame: { t: "sub", c: "news", n: 1 } },
 * ]);
 * assertEquals(parseClientMessage("{", 2), [{ kind: "malformed", reason: "not JSON" }]);
 * ```
 */
export function parseClientMessage(
  input: unknown,
  revision: Revision,
): readonly Parsed<ClientFrame>[] {
  return parseMessage(input, revision, CLIENT_FRAMES);
}

/**
 * Parses what a client received from a server: one frame, or in revision 2 an array of them. Never
 * throws, whatever the input. Revision 1 looks at nothing that revision 2 added.
 *
 * @example
 * ```ts
 * import { parseServerMessage } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseServerMessage('[{"t":"ping"},{"t":"wave"}]', 2), [
 *   { kind: "frame", frame: { t: "ping" } },
 *   { kind: "unknown", type: "wave" },
 * ]);
 * ```
 */
export function parseServerMessage(
  input: unknown,
  revision: Revision,
): readonly Parsed<ServerFrame>[] {
  return parseMessage(input, revision, SERVER_FRAMES);
}

/**
 * Encodes a frame as the text of one WebSocket message.
 *
 * @example
 * ```ts
 * import { encodeFrame } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeFrame({ t: "sub", c: "news" }), '{"t":"sub","c":"news"}');
 * ```
 */
export function encodeFrame(frame: ServerFrame | ClientFrame): string {
  return JSON.stringify(frame);
}

/**
 * Encodes a `msg` frame around data that is JSON text already, byte for byte what
 * {@linkcode encodeFrame} makes of the parsed data: an event is serialised once, by its publisher.
 * Without `offset` it is a frame of revision 1.
 *
 * @example
 * ```ts
 * import { encodeFrame, encodeMsgFrame } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const json = JSON.stringify({ title: "Once" });
 * assertEquals(
 *   encodeMsgFrame("news", "headline", json, "7", 1),
 *   encodeFrame({ t: "msg", c: "news", e: "headline", d: { title: "Once" }, i: "7", o: 1 }),
 * );
 * ```
 */
export function encodeMsgFrame(
  channel: string,
  event: string,
  dataJson: string,
  id: string,
  offset?: number,
): string {
  const position = offset === undefined ? "" : `,"o":${offset}`;
  return `{"t":"msg","c":${JSON.stringify(channel)},"e":${
    JSON.stringify(event)
  },"d":${dataJson},"i":${JSON.stringify(id)}${position}}`;
}

function parseMessage<Frame>(
  input: unknown,
  revision: Revision,
  shapes: AnyShapes,
): readonly Parsed<Frame>[] {
  let value: unknown;
  try {
    // The parser's own message is not told: it quotes the input, which may hold a secret.
    value = isText(input) && JSON.parse(input);
  } catch {
    return [malformed("not JSON")];
  }
  return revision === 2 && Array.isArray(value)
    ? value.map((one) => parseFrame(one, revision, shapes))
    : [parseFrame(value, revision, shapes)];
}

function parseFrame<Frame>(
  value: unknown,
  revision: Revision,
  shapes: AnyShapes,
): Parsed<Frame> {
  if (!isFields(value)) return malformed("not an object");
  const { t } = value;
  if (!isText(t)) return malformed("t does not fit");
  const [required, optional, since] = Object.hasOwn(shapes, t) && shapes[t] || UNKNOWN;
  if (since > revision) return { kind: "unknown", type: t };
  // Revision 1 must not see what revision 2 added; revision 2 is spared the copy.
  const frame: Fields = revision === 1 ? { t } : value;
  for (const key in required) {
    const field = value[key] ?? null;
    if (!required[key]?.(field)) return malformed(`${key} does not fit`);
    if (frame !== value || field === null) frame[key] = field;
  }
  for (const key in frame === value ? optional : {}) {
    if (value[key] !== undefined && !optional[key]?.(value[key])) {
      return malformed(`${key} does not fit`);
    }
  }
  // Every key of its shape has passed the check that its type asks for.
  return { kind: "frame", frame: frame as unknown as Frame };
}

function malformed(reason: string): { kind: "malformed"; reason: string } {
  return { kind: "malformed", reason };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAnything(_value: unknown): _value is unknown {
  return true;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isRecovery(value: unknown): value is Recovery {
  return value === "none" || value === "ok" || value === "lost";
}

function isVerdict(value: unknown): value is RetryVerdict {
  return value === "now" || value === "backoff" || value === "never";
}

function isWirePosition(value: unknown): value is WirePosition {
  return isFields(value) && isText(value.e) && isCount(value.o);
}

function isMember(value: unknown): value is WireMember {
  return isFields(value) && isText(value.id);
}

function isMembers(value: unknown): value is readonly WireMember[] {
  return Array.isArray(value) && value.every(isMember);
}
