import {
  type ClientFrame,
  encodeFrame,
  encodeMsgFrame,
  parseClientMessage,
  type Parsed,
  parseServerMessage,
  type ServerFrame,
} from "@airwave/broadcast/protocol";
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";

/** Revision 1 has one frame a message. */
function only<Frame>(parsed: readonly Parsed<Frame>[]): Parsed<Frame> {
  const [first] = parsed;
  if (first === undefined || parsed.length > 1) throw new Error(`${parsed.length} frames`);
  return first;
}

const parseClientFrame = (input: unknown) => only(parseClientMessage(input, 1));
const parseServerFrame = (input: unknown) => only(parseServerMessage(input, 1));

/** The bytes of revision 1: keys in this order, no white space. */
const SERVER_FRAMES: readonly (readonly [frame: ServerFrame, text: string])[] = [
  [{ t: "welcome", id: "1f" }, '{"t":"welcome","id":"1f"}'],
  [{ t: "ok", c: "news" }, '{"t":"ok","c":"news"}'],
  [
    { t: "err", c: "private-x", r: "unauthorized" },
    '{"t":"err","c":"private-x","r":"unauthorized"}',
  ],
  [
    { t: "msg", c: "news", e: "headline", d: { b: [1, null], a: "ü/\u2028" }, i: "01" },
    '{"t":"msg","c":"news","e":"headline","d":{"b":[1,null],"a":"ü/\u2028"},"i":"01"}',
  ],
  [
    { t: "msg", c: "news", e: "\ud800", d: '"\\\b\t\n\f\r\0\x1f\x7f', i: "01" },
    '{"t":"msg","c":"news","e":"\\ud800","d":"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f\x7f","i":"01"}',
  ],
  [{ t: "msg", c: "a", e: "b", d: null, i: "c" }, '{"t":"msg","c":"a","e":"b","d":null,"i":"c"}'],
  [{ t: "ping" }, '{"t":"ping"}'],
];

const CLIENT_FRAMES: readonly (readonly [frame: ClientFrame, text: string])[] = [
  [{ t: "sub", c: "news" }, '{"t":"sub","c":"news"}'],
  [{ t: "unsub", c: "news" }, '{"t":"unsub","c":"news"}'],
  [
    { t: "pub", c: "chat.1", e: "message", d: { text: "Hello" } },
    '{"t":"pub","c":"chat.1","e":"message","d":{"text":"Hello"}}',
  ],
  [
    { t: "pub", c: "chat.1", e: "typing", d: null },
    '{"t":"pub","c":"chat.1","e":"typing","d":null}',
  ],
  [{ t: "pong" }, '{"t":"pong"}'],
];

/** What neither side takes for a frame, whatever its direction. */
const MALFORMED: readonly unknown[] = [
  undefined,
  null,
  7,
  true,
  {},
  new ArrayBuffer(8),
  new Uint8Array(8),
  "",
  " ",
  "{",
  '{"t":"ping"',
  '{"t":"ping"}}',
  "{'t':'ping'}",
  '{t:"ping"}',
  '\ufeff{"t":"ping"}',
  '{"t":"ping"}\0',
  "null",
  "7",
  '"ping"',
  "[]",
  '["t","ping"]',
  '[{"t":"ping"}]',
  "{}",
  '{"T":"ping"}',
  '{"t":null}',
  '{"t":7}',
  '{"t":["ping"]}',
  '{"t":{"t":"ping"}}',
  '{"__proto__":{"t":"ping"}}',
  '{"constructor":{"prototype":{"t":"ping"}}}',
  "[".repeat(100_000),
  '{"t":'.repeat(100_000),
];

const UNKNOWN_TYPES = [
  "",
  "PING",
  "Sub",
  " sub",
  "sub ",
  "sub\0",
  "wave",
  "auth",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
];

/** Values that are no text, as JSON. */
const NO_TEXTS = ["null", "7", "true", "[]", '["news"]', "{}", '{"length":4}'];

Deno.test("encodeFrame() writes the bytes of revision 1", () => {
  for (const [frame, text] of [...SERVER_FRAMES, ...CLIENT_FRAMES]) {
    assertEquals(encodeFrame(frame), text);
  }
});

Deno.test("each side parses what the other side writes", () => {
  for (const [frame, text] of SERVER_FRAMES) {
    assertEquals(parseServerFrame(text), { kind: "frame", frame });
  }
  for (const [frame, text] of CLIENT_FRAMES) {
    assertEquals(parseClientFrame(text), { kind: "frame", frame });
  }
});

Deno.test("keys come in any order, with white space, and unknown ones are left out", () => {
  assertEquals(
    parseClientFrame(' {\n"n":1, "c" :"\\u006eews","x":{"c":"other"},"t":"sub","__proto__":{}} '),
    { kind: "frame", frame: { t: "sub", c: "news" } },
  );
  assertEquals(
    parseServerFrame('{"i":"1","o":3,"d":[],"e":"e","c":"c","t":"msg"}'),
    { kind: "frame", frame: { t: "msg", c: "c", e: "e", d: [], i: "1" } },
  );
  assertEquals(parseServerFrame('{"t":"welcome","id":"1","v":2,"ping":30000}'), {
    kind: "frame",
    frame: { t: "welcome", id: "1" },
  });
});

Deno.test("data that is left out is null; any other data is what it was", () => {
  assertEquals(parseClientFrame('{"t":"pub","c":"c","e":"e"}'), {
    kind: "frame",
    frame: { t: "pub", c: "c", e: "e", d: null },
  });
  assertEquals(parseServerFrame('{"t":"msg","c":"c","e":"e","i":"1"}'), {
    kind: "frame",
    frame: { t: "msg", c: "c", e: "e", d: null, i: "1" },
  });
  for (const d of [false, 0, "", [], {}, "{}", "null"]) {
    assertEquals(parseClientFrame(JSON.stringify({ t: "pub", c: "c", e: "e", d })), {
      kind: "frame",
      frame: { t: "pub", c: "c", e: "e", d },
    });
  }
});

Deno.test("what is no frame is malformed", () => {
  for (const parse of [parseClientFrame, parseServerFrame]) {
    for (const input of MALFORMED) {
      assertEquals(parse(input).kind, "malformed", String(input).slice(0, 60));
    }
  }
});

Deno.test("why a text is malformed never quotes it: it may hold a secret", () => {
  for (const text of ["secret", '{"t":"sub","c":["secret"]}', '["secret"]', '{"secret":1}']) {
    assertFalse(JSON.stringify(parseClientFrame(text)).includes("secret"), text);
  }
});

Deno.test("a type that is not known is unknown, and so is one of the other direction", () => {
  for (const type of UNKNOWN_TYPES) {
    const text = JSON.stringify({ t: type, c: "c", e: "e", d: 1, i: "1", id: "1", r: "r" });
    assertEquals(parseClientFrame(text), { kind: "unknown", type });
    assertEquals(parseServerFrame(text), { kind: "unknown", type });
  }
  for (const [{ t }, text] of SERVER_FRAMES) {
    assertEquals(parseClientFrame(text), { kind: "unknown", type: t });
  }
  for (const [{ t }, text] of CLIENT_FRAMES) {
    assertEquals(parseServerFrame(text), { kind: "unknown", type: t });
  }
});

Deno.test("a frame that lacks a text, or has another value there, is malformed", () => {
  const parsers = [[SERVER_FRAMES, parseServerFrame], [CLIENT_FRAMES, parseClientFrame]] as const;
  for (const [frames, parse] of parsers) {
    for (const [, text] of frames) {
      const fields: Record<string, unknown> = JSON.parse(text);
      for (const key of Object.keys(fields)) {
        if (key === "t" || key === "d") continue;
        const { [key]: _, ...rest } = fields;
        assertEquals(parse(JSON.stringify(rest)).kind, "malformed", `${text} without ${key}`);
        for (const value of NO_TEXTS) {
          const changed = JSON.stringify({ ...rest, [key]: JSON.parse(value) });
          assertEquals(parse(changed).kind, "malformed", changed);
        }
      }
    }
  }
});

Deno.test("a server takes any text as a name, to answer it; a client takes no odd event", () => {
  for (const name of ["", " ", "no spaces", "\0", "\ud800"]) {
    assertEquals(parseClientFrame(JSON.stringify({ t: "pub", c: name, e: name })).kind, "frame");
  }
  for (const e of ["", "\0", "x".repeat(201)]) {
    assertEquals(
      parseServerFrame(JSON.stringify({ t: "msg", c: "c", e, i: "1" })).kind,
      "malformed",
    );
  }
});

const anyText = fc.string({
  unit: fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff }))
    .map((unit) => String.fromCharCode(unit)),
  maxLength: 20,
});

/** Objects that are nearly frames, so that every branch of the parser is met. */
const nearlyFrame = fc.dictionary(
  fc.constantFrom("t", "c", "e", "d", "i", "id", "r", "__proto__", "constructor"),
  fc.oneof(
    fc.constantFrom("welcome", "ok", "err", "msg", "ping", "sub", "unsub", "pub", "pong"),
    anyText,
    fc.jsonValue(),
  ),
).map((fields) => JSON.stringify(fields));

const anyInput = fc.oneof(
  nearlyFrame,
  // One character of it taken out, put in or changed.
  fc.tuple(nearlyFrame, fc.nat(), fc.string({ maxLength: 1 }), fc.nat({ max: 1 })).map(
    ([text, at, put, cut]) =>
      text.slice(0, at % text.length) + put + text.slice(at % text.length + cut),
  ),
  anyText,
  fc.json(),
  fc.anything({ withBigInt: true, withNullPrototype: true, withTypedArray: true }),
);

const KEYS: Readonly<Record<string, readonly string[]>> = {
  welcome: ["t", "id"],
  ok: ["t", "c"],
  err: ["t", "c", "r"],
  msg: ["t", "c", "e", "d", "i"],
  ping: ["t"],
  sub: ["t", "c"],
  unsub: ["t", "c"],
  pub: ["t", "c", "e", "d"],
  pong: ["t"],
};

Deno.test("parsing never throws on anything, and gives a frame's own keys or none", () => {
  let frames = 0;
  fc.assert(
    fc.property(anyInput, (input) => {
      for (const parse of [parseClientFrame, parseServerFrame]) {
        const parsed = parse(input);
        if (parsed.kind !== "frame") continue;
        frames++;
        assertEquals(Object.keys(parsed.frame), KEYS[parsed.frame.t]);
        assertEquals(Object.getPrototypeOf(parsed.frame), Object.prototype);
      }
    }),
    { numRuns: 5000 },
  );
  assert(frames > 100, `only ${frames} of the inputs were frames`);
});

Deno.test("encodeMsgFrame() is byte for byte what encodeFrame() makes of the parsed data", () => {
  fc.assert(
    fc.property(anyText, anyText, fc.oneof(fc.jsonValue(), anyText), anyText, (c, e, data, i) => {
      const json = JSON.stringify(data);
      assertEquals(
        encodeMsgFrame(c, e, json, i),
        encodeFrame({ t: "msg", c, e, d: JSON.parse(json), i }),
      );
      assertEquals(
        encodeMsgFrame(c, e, json, i, 7),
        encodeFrame({ t: "msg", c, e, d: JSON.parse(json), i, o: 7 }),
      );
    }),
    { numRuns: 1000 },
  );
  // Keys that an object literal would take for its prototype.
  const json = '{"__proto__":{"constructor":1},"t":"ping"}';
  assertEquals(
    encodeMsgFrame("__proto__", "constructor", json, "1"),
    `{"t":"msg","c":"__proto__","e":"constructor","d":${json},"i":"1"}`,
  );
});

/** What revision 2 adds, in the order that our own peers write it. */
const SERVER_FRAMES_2: readonly (readonly [frame: ServerFrame, text: string])[] = [
  [
    { t: "welcome", id: "1f", v: 2, ping: 30_000, max: 65_536 },
    '{"t":"welcome","id":"1f","v":2,"ping":30000,"max":65536}',
  ],
  [
    { t: "ok", c: "news", n: 1, p: { e: "x", o: 7 }, r: "ok", m: 2 },
    '{"t":"ok","c":"news","n":1,"p":{"e":"x","o":7},"r":"ok","m":2}',
  ],
  [
    { t: "ok", c: "news", n: 2, i: "01", p: { e: "x", o: 8 } },
    '{"t":"ok","c":"news","n":2,"i":"01","p":{"e":"x","o":8}}',
  ],
  [
    { t: "err", c: "x", r: "unauthorized", n: 3, k: "unauthorized", w: "never" },
    '{"t":"err","c":"x","r":"unauthorized","n":3,"k":"unauthorized","w":"never"}',
  ],
  [
    { t: "msg", c: "news", e: "headline", d: [1], i: "01", o: 8 },
    '{"t":"msg","c":"news","e":"headline","d":[1],"i":"01","o":8}',
  ],
  [
    { t: "gone", c: "x", k: "position_lost", r: "position lost", w: "now" },
    '{"t":"gone","c":"x","k":"position_lost","r":"position lost","w":"now"}',
  ],
  [
    { t: "here", c: "presence-x", m: [{ id: "ada", name: "Ada" }] },
    '{"t":"here","c":"presence-x","m":[{"id":"ada","name":"Ada"}]}',
  ],
  [{ t: "here", c: "presence-x", s: 7000 }, '{"t":"here","c":"presence-x","s":7000}'],
  [
    { t: "join", c: "presence-x", m: { id: "bob" } },
    '{"t":"join","c":"presence-x","m":{"id":"bob"}}',
  ],
  [{ t: "leave", c: "presence-x", u: "bob" }, '{"t":"leave","c":"presence-x","u":"bob"}'],
  [{ t: "skip", c: "news", o: 9 }, '{"t":"skip","c":"news","o":9}'],
  [{ t: "exp", s: 30 }, '{"t":"exp","s":30}'],
  [{ t: "bye", r: "draining", ms: 1500 }, '{"t":"bye","r":"draining","ms":1500}'],
];

const CLIENT_FRAMES_2: readonly (readonly [frame: ClientFrame, text: string])[] = [
  [{ t: "sub", c: "news", n: 1 }, '{"t":"sub","c":"news","n":1}'],
  [
    { t: "sub", c: "news", n: 1, p: { e: "x", o: 0 } },
    '{"t":"sub","c":"news","n":1,"p":{"e":"x","o":0}}',
  ],
  [{ t: "unsub", c: "news", n: 2 }, '{"t":"unsub","c":"news","n":2}'],
  [
    { t: "pub", c: "c", e: "e", d: null, n: 3, i: "01", x: true },
    '{"t":"pub","c":"c","e":"e","d":null,"n":3,"i":"01","x":true}',
  ],
  [{ t: "auth", n: 4, k: "token" }, '{"t":"auth","n":4,"k":"token"}'],
];

Deno.test("revision 2: each side parses what the other writes, and all of revision 1", () => {
  for (const [frame, text] of [...SERVER_FRAMES, ...SERVER_FRAMES_2]) {
    assertEquals(encodeFrame(frame), text);
    assertEquals(parseServerMessage(text, 2), [{ kind: "frame", frame }]);
  }
  for (const [frame, text] of [...CLIENT_FRAMES, ...CLIENT_FRAMES_2]) {
    assertEquals(encodeFrame(frame), text);
    assertEquals(parseClientMessage(text, 2), [{ kind: "frame", frame }]);
  }
});

Deno.test("revision 1 sees nothing of revision 2, right or wrong", () => {
  for (const [{ t }, text] of [...SERVER_FRAMES_2, ...CLIENT_FRAMES_2]) {
    const isServer = SERVER_FRAMES_2.some(([, known]) => known === text);
    const parsed = isServer ? parseServerFrame(text) : parseClientFrame(text);
    if (parsed.kind === "frame") assertEquals(Object.keys(parsed.frame), KEYS[t]);
    else assertEquals(parsed, { kind: "unknown", type: t });
  }
  const odd = '{"t":"pub","c":"c","e":"e","d":1,"n":"x","i":7,"x":"y","p":[]}';
  assertEquals(parseClientFrame(odd), {
    kind: "frame",
    frame: { t: "pub", c: "c", e: "e", d: 1 },
  });
});

Deno.test("revision 2: a key that is there must fit", () => {
  const odd: Readonly<Record<string, readonly unknown[]>> = {
    n: ["1", -1, 1.5, null, {}],
    p: ["x", {}, { e: 1, o: 1 }, { e: "x" }, { e: "x", o: -1 }, [], null],
    r: [1, null],
    i: [1, null],
    m: ["x", -1, {}, [{}], [{ id: 1 }]],
    o: ["1", -1],
    w: ["later", 1],
    k: [1],
    s: [-1, "1"],
    x: ["true", 1],
    v: ["2"],
    ms: [-1, "1"],
    u: [1],
  };
  let tried = 0;
  const frames = [
    ...SERVER_FRAMES_2.map(([frame]) => [frame, parseServerMessage] as const),
    ...CLIENT_FRAMES_2.map(([frame]) => [frame, parseClientMessage] as const),
  ];
  for (const [frame, parse] of frames) {
    for (const key of Object.keys(frame)) {
      for (const value of odd[key] ?? []) {
        const text = JSON.stringify({ ...frame, [key]: value });
        assertEquals(only<unknown>(parse(text, 2)).kind, "malformed", text);
        tried++;
      }
    }
  }
  assert(tried > 60, `only ${tried} tried`);
  const recovery = parseServerMessage('{"t":"ok","c":"news","r":"some"}', 2);
  assertEquals(only(recovery).kind, "malformed");
});

Deno.test("revision 2: a message may be an array of frames, each judged on its own", () => {
  const parsed = parseServerMessage('[{"t":"ping"},7,[{"t":"ping"}],{"t":"wave"},{"t":"skip"}]', 2);
  assertEquals(parsed.map(({ kind }) => kind), [
    "frame",
    "malformed",
    "malformed",
    "unknown",
    "malformed",
  ]);
  assertEquals(parseClientMessage("[]", 2), []);
  assertEquals(parseServerFrame('[{"t":"ping"}]').kind, "malformed");
});

Deno.test("revision 2: parsing never throws on anything", () => {
  fc.assert(
    fc.property(fc.oneof(anyInput, fc.array(nearlyFrame).map((all) => `[${all}]`)), (input) => {
      for (const parse of [parseClientMessage, parseServerMessage]) {
        for (const { kind } of parse(input, 2)) {
          assert(kind === "frame" || kind === "unknown" || kind === "malformed");
        }
      }
    }),
    { numRuns: 2000 },
  );
});
