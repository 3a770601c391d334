/** The parser of the listener on `node:http`: RFC 6455 case by case, and beside npm `ws`. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
// @ts-types="./ws.d.ts"
import { Receiver } from "ws";
import { ByteBuffer } from "../../gateway/node/byte_buffer.ts";
import { FrameParser } from "../../gateway/node/frame_parser.ts";

const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
console.log(`FUZZ_SEED=${seed}`);

const MAX_BYTES = 70_000;

type Said = [what: string, ...details: unknown[]];

/** Everything that a parser says of a stream that comes in these pieces. */
function parse(pieces: readonly Uint8Array[], maxBytes = MAX_BYTES): Said[] {
  const said: Said[] = [];
  const parser = new FrameParser({
    text: (text) => said.push(["text", text]),
    binary: (data) => said.push(["binary", Buffer.from(data).toString("hex")]),
    ping: (payload) => said.push(["ping", Buffer.from(payload).toString("hex")]),
    closed: ({ code, reason }) => said.push(["closed", code, reason]),
    broke: ({ code }) => said.push(["broke", code]),
  }, maxBytes);
  // A copy: the parser takes masks off where they lie.
  for (const piece of pieces) parser.push(Buffer.from(piece));
  return said;
}

/** The same of `ws`. */
async function parseWithWs(bytes: Uint8Array): Promise<Said[]> {
  const said: Said[] = [];
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_BYTES });
  receiver.on("message", (data, isBinary) => {
    said.push(isBinary ? ["binary", data.toString("hex")] : ["text", data.toString()]);
  });
  receiver.on("ping", (payload) => said.push(["ping", payload.toString("hex")]));
  receiver.on("conclude", (code, reason) => said.push(["closed", code, reason.toString()]));
  receiver.on("error", (error) => {
    const code = Object.getOwnPropertySymbols(error)
      .map((key): unknown => Reflect.get(error, key))
      .find((value) => typeof value === "number");
    said.push(["broke", code]);
  });
  receiver.write(Buffer.from(bytes));
  // Each message is told in a turn of its own.
  let before = -1;
  while (before !== said.length) {
    before = said.length;
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  return said;
}

interface Frame {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly isLast?: boolean;
  readonly reserved?: number;
  readonly mask?: readonly number[] | undefined;
  /** Bytes that the length takes beyond the first; as few as there can be unless told. */
  readonly lengthBytes?: 0 | 2 | 8 | undefined;
}

function frame(
  { opcode, payload = "", isLast = true, reserved = 0, mask = [7, 77, 177, 200], lengthBytes }:
    Frame,
): Uint8Array {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { length } = data;
  const extra = lengthBytes ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8);
  const short = extra === 0 ? length : extra === 2 ? 126 : 127;
  const extended = Array.from(
    { length: extra },
    (_, i) => Math.floor(length / 2 ** (8 * (extra - 1 - i))) % 256,
  );
  return new Uint8Array([
    (isLast ? 0x80 : 0) | (reserved << 4) | opcode,
    (mask.length > 0 ? 0x80 : 0) | (short & 0x7f),
    ...extended,
    ...mask,
    ...data.map((byte, i) => byte ^ (mask[i % 4] ?? 0)),
  ]);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A close frame's payload. */
function closing(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const text = typeof reason === "string" ? new TextEncoder().encode(reason) : reason;
  return new Uint8Array([code >> 8, code & 0xff, ...text]);
}

const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const HELLO = frame({ opcode: TEXT, payload: "hello" });
const BAD_UTF8 = new Uint8Array([0x61, 0xc3, 0x28]);

/** What each section of RFC 6455 asks for. */
const CASES: readonly [rule: string, bytes: Uint8Array, said: Said[]][] = [
  ["5.2 a text", HELLO, [["text", "hello"]]],
  ["5.2 an empty text", frame({ opcode: TEXT }), [["text", ""]]],
  ["5.2 two in a row", join(HELLO, HELLO), [["text", "hello"], ["text", "hello"]]],
  ["5.2 binary", frame({ opcode: BINARY, payload: BAD_UTF8 }), [["binary", "61c328"]]],
  ...[125, 126, 65_535, 65_536].map((length): [string, Uint8Array, Said[]] => [
    `5.2 a length of ${length}`,
    frame({ opcode: TEXT, payload: "x".repeat(length) }),
    [["text", "x".repeat(length)]],
  ]),
  ...[1, 2, 4, 7].map((reserved): [string, Uint8Array, Said[]] => [
    `5.2 reserved bits ${reserved}`,
    frame({ opcode: TEXT, reserved }),
    [["broke", 1002]],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Uint8Array, Said[]] => [
    `5.2 the reserved opcode ${opcode}`,
    frame({ opcode }),
    [["broke", 1002]],
  ]),
  ["5.1 no mask", frame({ opcode: TEXT, payload: "x", mask: [] }), [["broke", 1002]]],
  ["5.3 a mask of zeros", frame({ opcode: TEXT, payload: "x", mask: [0, 0, 0, 0] }), [[
    "text",
    "x",
  ]]],
  [
    "5.4 fragments, a ping between them",
    join(
      frame({ opcode: TEXT, payload: "a", isLast: false }),
      frame({ opcode: PING, payload: "?" }),
      frame({ opcode: 0, payload: "", isLast: false }),
      frame({ opcode: 0, payload: "b" }),
      HELLO,
    ),
    [["ping", "3f"], ["text", "ab"], ["text", "hello"]],
  ],
  [
    "5.4 fragments of something binary",
    join(
      frame({ opcode: BINARY, payload: "a", isLast: false }),
      frame({ opcode: 0, payload: "b" }),
    ),
    [["binary", "6162"]],
  ],
  ["5.4 a continuation of nothing", frame({ opcode: 0 }), [["broke", 1002]]],
  [
    "5.4 a continuation after the last fragment",
    join(frame({ opcode: TEXT, isLast: false }), frame({ opcode: 0 }), frame({ opcode: 0 })),
    [["text", ""], ["broke", 1002]],
  ],
  [
    "5.4 a message within another",
    join(frame({ opcode: TEXT, isLast: false }), HELLO),
    [["broke", 1002]],
  ],
  ["5.5 a ping in fragments", frame({ opcode: PING, isLast: false }), [["broke", 1002]]],
  [
    "5.5 the longest ping",
    frame({ opcode: PING, payload: "x".repeat(125) }),
    [["ping", "78".repeat(125)]],
  ],
  ["5.5 a ping that is longer", frame({ opcode: PING, payload: "x".repeat(126) }), [[
    "broke",
    1002,
  ]]],
  ["5.5.3 a pong nobody asked for", join(frame({ opcode: PONG }), HELLO), [["text", "hello"]]],
  ["5.5.1 nothing after a close", join(frame({ opcode: CLOSE }), HELLO), [["closed", 1005, ""]]],
  [
    "5.5.1 a close with its reason",
    frame({ opcode: CLOSE, payload: closing(4200, "später") }),
    [["closed", 4200, "später"]],
  ],
  ["5.5.1 half a code", frame({ opcode: CLOSE, payload: "x" }), [["broke", 1002]]],
  [
    "5.5.1 a reason that is no text",
    frame({ opcode: CLOSE, payload: closing(1000, BAD_UTF8) }),
    [["broke", 1007]],
  ],
  ...[1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999].map((code): [string, Uint8Array, Said[]] => [
    `7.4 the code ${code}`,
    frame({ opcode: CLOSE, payload: closing(code) }),
    [["closed", code, ""]],
  ]),
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map((
    code,
  ): [string, Uint8Array, Said[]] => [
    `7.4 the code ${code}, which nobody may say`,
    frame({ opcode: CLOSE, payload: closing(code) }),
    [["broke", 1002]],
  ]),
  ["8.1 a text that is none", frame({ opcode: TEXT, payload: BAD_UTF8 }), [["broke", 1007]]],
  [
    "8.1 a character over two fragments",
    join(
      frame({ opcode: TEXT, payload: new Uint8Array([0xe2, 0x82]), isLast: false }),
      frame({ opcode: 0, payload: new Uint8Array([0xac]) }),
    ),
    [["text", "€"]],
  ],
  [
    "10.4 a message larger than taken",
    frame({ opcode: TEXT, payload: "x".repeat(MAX_BYTES + 1) }),
    [["broke", 1009]],
  ],
  [
    "10.4 fragments larger than taken",
    join(
      frame({ opcode: TEXT, payload: "x".repeat(MAX_BYTES), isLast: false }),
      frame({ opcode: 0, payload: "x" }),
    ),
    [["broke", 1009]],
  ],
  [
    "10.4 nothing is heard of one that broke a rule",
    join(frame({ opcode: 3 }), HELLO, frame({ opcode: CLOSE })),
    [["broke", 1002]],
  ],
];

for (const [rule, bytes, said] of CASES) {
  Deno.test(`RFC 6455, ${rule}`, async () => {
    assertEquals(parse([bytes]), said);
    assertEquals(await parseWithWs(bytes), said, "ws reads it otherwise");
    // However it comes.
    if (bytes.length > 1_000) return;
    assertEquals(parse(Array.from(bytes, (byte) => new Uint8Array([byte]))), said);
    for (let at = 1; at < bytes.length; at++) {
      assertEquals(parse([bytes.subarray(0, at), bytes.subarray(at)]), said, `cut at ${at}`);
    }
  });
}

Deno.test("a message is refused as soon as its length is known", () => {
  const large = frame({ opcode: TEXT, payload: "x".repeat(300) });
  assertEquals(parse([large.subarray(0, 3)], 299), []);
  assertEquals(parse([large.subarray(0, 4)], 299), [["broke", 1009]]);
  assertEquals(parse([large], 300).map(([what]) => what), ["text"]);
  const endless = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  assertEquals(parse([new Uint8Array(endless)]), [["broke", 1009]]);
  // What came before counts, and what is in between does not.
  const first = frame({ opcode: TEXT, payload: "x".repeat(200), isLast: false });
  const ping = frame({ opcode: PING, payload: "x".repeat(125) });
  const next = frame({ opcode: 0, payload: "x".repeat(100), isLast: false });
  const last = frame({ opcode: 0, payload: "x" });
  assertEquals(parse([first, ping, next, last], 300).map(([what]) => what), ["ping", "broke"]);
});

Deno.test("what comes byte by byte is copied a few times, and has room for twice as much", () => {
  const buffer = new ByteBuffer();
  const rooms = new Set<unknown>();
  for (let i = 0; i < 10_000; i++) {
    buffer.append(new Uint8Array([i]));
    rooms.add(buffer.bytes.buffer);
    assertEquals(buffer.bytes.buffer.byteLength <= 2 * buffer.length, true);
  }
  assertEquals(rooms.size, 15);
  assertEquals(buffer.bytes, Buffer.from(Array.from({ length: 10_000 }, (_, i) => i)));
});

const payload = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("x".repeat(125), "x".repeat(126), "é".repeat(100), "x".repeat(MAX_BYTES + 1)),
  fc.uint8Array({ maxLength: 8 }),
  fc.integer({ min: 0, max: 0xffff }).map((code) => closing(code)),
  fc.constantFrom(1000, 1001, 4200).map((code) => closing(code, "bye")),
);

/** Frames as they should be, mostly, or a stream would end with its first. */
const anyFrame = fc.record({
  opcode: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(0, 0, TEXT, TEXT, BINARY, PING, PONG) },
    { weight: 1, arbitrary: fc.constant(CLOSE) },
    { weight: 1, arbitrary: fc.nat({ max: 15 }) },
  ),
  payload,
  isLast: fc.boolean(),
  reserved: fc.oneof({ weight: 40, arbitrary: fc.constant(0) }, fc.nat({ max: 7 })),
  mask: fc.oneof(
    { weight: 40, arbitrary: fc.array(fc.nat({ max: 255 }), { minLength: 4, maxLength: 4 }) },
    fc.constant([]),
  ),
  lengthBytes: fc.constantFrom(undefined, undefined, undefined, 2 as const, 8 as const),
}).map(frame);

/** A message as a client sends it: in one frame or more, with pings in between. */
const message = fc.tuple(
  fc.constantFrom(TEXT, BINARY),
  fc.array(fc.string({ unit: "binary", maxLength: 10 }), { minLength: 1, maxLength: 4 }),
  fc.boolean(),
).map(([opcode, parts, pings]) =>
  join(...parts.flatMap((payload, i) => [
    ...(pings ? [frame({ opcode: PING, payload: `${i}` })] : []),
    frame({ opcode: i === 0 ? opcode : 0, payload, isLast: i === parts.length - 1 }),
  ]))
);

const stream = fc.tuple(
  fc.array(fc.oneof({ weight: 3, arbitrary: message }, anyFrame), { maxLength: 8 }),
  fc.option(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { freq: 3 }),
).map(([parts, flip]) => {
  const bytes = join(...parts);
  if (flip !== null && bytes.length > 0) bytes[flip[0] % bytes.length] = flip[1];
  return bytes;
});

Deno.test("a random stream is read as `ws` reads it, however it comes", async () => {
  const cuts = fc.array(fc.nat(), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(stream, cuts, async (bytes, cuts) => {
      const said = parse([bytes]);
      assertEquals(said, await parseWithWs(bytes));
      const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      const pieces = [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      assertEquals(parse(pieces), said);
    }),
    { seed, numRuns: 3_000 },
  );
});

Deno.test("bytes without any sense end a stream at most once, and never throw", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (pieces) => {
      const ends = parse(pieces).filter(([what]) => what === "broke" || what === "closed");
      assertEquals(ends.length <= 1, true);
    }),
    { seed, numRuns: 10_000 },
  );
});
