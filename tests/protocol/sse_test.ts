import {
  encodeSseMessage,
  encodeStreamId,
  isChannelName,
  MAX_STREAM_ID_LENGTH,
  parseStreamId,
  type StreamPositions,
  type WirePosition,
} from "@airwave/broadcast/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";

/** What a parser of others makes of a stream, whatever it is cut into. */
function read(stream: string, cutEvery = Infinity): EventSourceMessage[] {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onError: (error) => {
      throw error;
    },
  });
  for (let at = 0; at < stream.length; at += cutEvery) parser.feed(stream.slice(at, at + cutEvery));
  return messages;
}

/** Text that is more often hostile to lines and fields than chance would have it. */
const hostileText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(
    fc.constantFrom(
      "\r",
      "\n",
      "\r\n",
      "\n\n",
      "data: ",
      "id: 7",
      "event:",
      "retry: 1",
      ":",
      " ",
      "\u0000",
      "\u2028",
      "\u0085",
      "\ufeff",
      "😀",
      "x",
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join("")),
);

/** A field as the standard lets it be: one line without NUL. */
// deno-lint-ignore no-control-regex -- NUL is one of the three
const fieldText = hostileText.map((text) => text.replace(/[\r\n\u0000]/g, "_"));

const lineEnds = /\r\n|\r|\n/g;

Deno.test("10,000 hostile ids, names and payloads come back exactly as they were, by eventsource-parser", () => {
  fc.assert(
    fc.property(
      fieldText,
      fieldText.filter((event) => event !== ""),
      hostileText,
      fc.integer({ min: 1, max: 50 }),
      (id, event, data, cutEvery) => {
        const [message, ...others] = read(encodeSseMessage({ id, event, data }), cutEvery);
        assertEquals(others, []);
        assertEquals(message, { id, event, data: data.replace(lineEnds, "\n") });
      },
    ),
    { numRuns: 10_000 },
  );
});

Deno.test("10,000 hostile values travel as JSON in data without a change, one message each", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ stringUnit: "binary" }), { maxLength: 5 }), (values) => {
      const stream = values.map((value) =>
        encodeSseMessage({ data: JSON.stringify(value, null, 1) })
      )
        .join("");
      assertEquals(read(stream).map(({ data }) => JSON.parse(data)), values.map(asJson));
    }),
    { numRuns: 10_000 },
  );
});

/** −0 is 0 in JSON, and that is not ours to change. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

Deno.test("an id or event name that would end its line is refused", () => {
  for (const end of ["\r", "\n", "\r\n", "\u0000"]) {
    assertThrows(
      () => encodeSseMessage({ event: `a${end}data: forged` }),
      RangeError,
      "event must",
    );
    assertThrows(() => encodeSseMessage({ id: `7${end}` }), RangeError, "id must");
  }
});

Deno.test("a message carries its fields in one block", () => {
  assertEquals(
    encodeSseMessage({ retryMs: 1500.7, id: "7", event: "tick", data: "" }),
    "retry: 1500\nid: 7\nevent: tick\ndata: \n\n",
  );
  assertEquals(encodeSseMessage({ data: "a\rb\nc\r\n" }), "data: a\ndata: b\ndata: c\ndata: \n\n");
});

const channelName = fc.array(
  fc.constantFrom(...Array.from("abzAZ09_-=@,.;:/~")),
  { minLength: 1, maxLength: 30 },
).map((parts) => parts.join(""));

const position = fc.record({
  e: fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.nat(200).map((n) => `0b9f4a52-6d0c-4d53-9c0e-3f0f6f0a1c11-${n}`),
    // Two that differ only in the second half of a surrogate pair.
    fc.constantFrom("\ud83d\ude00", "\ud83d\ude01", "\ud83d"),
  ),
  o: fc.maxSafeNat(),
}, { noNullPrototype: true });

const positions = fc.array(
  fc.tuple(channelName, fc.option(fc.oneof(position, fc.constant("unknown" as const)))),
  { maxLength: 20 },
).map((entries): StreamPositions =>
  new Map(entries.map(([name, position]) => [name, position ?? undefined]))
);

Deno.test("the id of a stream gives back every channel and position, whatever the epochs are", () => {
  fc.assert(
    fc.property(positions, (positions) => {
      assertEquals(parseStreamId(encodeStreamId(positions)), positions);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("an id holds nothing that a header or a field cannot carry", () => {
  fc.assert(fc.property(positions, (positions) => {
    assert(/^[\x21-\x7e]+$/.test(encodeStreamId(positions)));
  }));
});

Deno.test("no id that is sent back makes the parser throw, or invents a name", () => {
  const pieces = fc.array(
    fc.constantFrom(
      "1",
      "2",
      "|",
      "+",
      "news",
      "0",
      "z",
      "%",
      "%00",
      "%0041",
      "__proto__",
      " ",
      "é",
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join(""));
  const input = fc.oneof(pieces, pieces.map((text) => `1|news+${text}`), fc.string());
  fc.assert(
    fc.property(input, (text) => {
      for (const [name, position] of parseStreamId(text) ?? []) {
        assert(isChannelName(name));
        if (typeof position === "object") assert(Number.isSafeInteger(position.o));
      }
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("an id that we did not make is no id", () => {
  const malformed = [
    "",
    "7",
    "2|news",
    "1|",
    "1|no spaces",
    "1|news|news",
    "1|news+0",
    "1|news+0+e",
    "1|news+0+e+1+1",
    "1|news+0+e+",
    "1|news+0+e+-1",
    "1|news+0+e+01",
    "1|news+0+e+zzzzzzzzzzz",
    "1|news+1+e+1",
    "1|news+0+%+1",
    "1|news+0+%00g1+1",
    "1|news+0+é+1",
    `1|${"a".repeat(201)}`,
    `1${"|a".repeat(MAX_STREAM_ID_LENGTH / 2)}`,
  ];
  for (const id of malformed) assertEquals(parseStreamId(id), undefined, id);
  assertEquals(parseStreamId("1"), new Map());
  assertEquals(parseStreamId("1|__proto__")?.size, 1);
});

Deno.test("what does not fit is written as unknown, and never without a word", () => {
  const many = new Map<string, WirePosition>();
  for (let n = 0; n < 300; n++) many.set(`channel.${n}`, { e: `${n}`.padEnd(40, "x"), o: 1e15 });
  const id = encodeStreamId(many);
  assert(id.length <= MAX_STREAM_ID_LENGTH);
  const read = [...parseStreamId(id) ?? []];
  assertEquals(read.map(([name]) => name), [...many.keys()]);
  const known = read.filter(([, position]) => position !== "unknown");
  assert(known.length > 50 && known.length < 300);
  for (const [name, position] of known) assertEquals(position, many.get(name));
});

Deno.test("128 channels whose epochs begin alike fit with all their positions", () => {
  // As the memory driver names its epochs: one prefix for all of a process.
  const prefix = crypto.randomUUID();
  const many = new Map<string, WirePosition>();
  for (let n = 0; n < 128; n++) {
    many.set(`private-user.${1000 + n}`, { e: `${prefix}-${n}`, o: 1e9 });
  }
  assertEquals(parseStreamId(encodeStreamId(many)), many);
});
