import { utf8ByteLength } from "@airwave/broadcast/protocol";
import { assertEquals } from "@std/assert";
import fc from "fast-check";

const encoder = new TextEncoder();

/** Any UTF-16 code unit, with surrogates often enough to meet, alone and in pairs. */
const codeUnit = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0xd800, max: 0xdfff }),
  fc.constantFrom(0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff),
).map((unit) => String.fromCharCode(unit));

Deno.test("utf8ByteLength() counts one to four bytes a character", () => {
  const cases: readonly (readonly [text: string, bytes: number])[] = [
    ["", 0],
    ["\0", 1],
    ["\x7f", 1],
    ["\x80", 2],
    ["\u07ff", 2],
    ["\u0800", 3],
    ["\ud7ff", 3],
    ["\ue000", 3],
    ["\uffff", 3],
    ["\u{10000}", 4],
    ["\u{10ffff}", 4],
    ["a€😀", 8],
    // A surrogate without a partner is sent as U+FFFD.
    ["\ud800", 3],
    ["\udc00", 3],
    ["\udc00\ud800", 6],
    ["\ud800\ud800\udc00", 7],
    ["\ud800\udc00\udc00", 7],
    ["\ud800é", 5],
  ];
  for (const [text, bytes] of cases) {
    assertEquals(utf8ByteLength(text), bytes, JSON.stringify(text));
  }
});

Deno.test("utf8ByteLength() is what TextEncoder makes of any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: codeUnit, maxLength: 40 }), (text) => {
      assertEquals(utf8ByteLength(text), encoder.encode(text).length);
    }),
    { numRuns: 2000 },
  );
});
