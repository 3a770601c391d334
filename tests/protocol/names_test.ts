import {
  CHANNEL_NAME_RULE,
  EVENT_NAME_RULE,
  isChannelName,
  isEventName,
  isReservedChannel,
  isUserChannel,
  MAX_NAME_LENGTH,
  userChannel,
} from "@airwave/broadcast/protocol";
import { assert, assertEquals, assertMatch, fail } from "@std/assert";

const CHANNEL_CHARACTERS =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;:/~";

const CHANNEL_NAMES = [
  ...CHANNEL_CHARACTERS,
  CHANNEL_CHARACTERS,
  "x".repeat(200),
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "tenant:7/orders.42",
  "..",
  "//",
];

const NO_CHANNEL_NAMES = [
  "",
  " ",
  " news",
  "news ",
  "news\n",
  "\nnews",
  "x".repeat(201),
  "no spaces",
  "news\0",
  "caf\u00e9",
  // Look-alikes of a reserved prefix: a Unicode hyphen, a full-width letter, a Cyrillic one.
  "private\u2010x",
  "\uff50rivate-x",
  "priv\u0430te-x",
  "private%2Dx",
  "a*",
  "a+b",
  'a"b',
  "a\\b",
  "a?b",
  "a#b",
  "a!b",
  "a$b",
  "a&b",
  "a'b",
  "a(b",
  "a{b",
  "a|b",
  "a<b",
  "a[b",
  "a^b",
  "a`b",
  "\ud800",
  "😀",
];

const CONTROL_CHARACTERS = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  0x2028,
  0x2029,
].map((code) => String.fromCharCode(code));

const EVENT_NAMES = [
  "*",
  " ",
  "message",
  "two words",
  "__proto__",
  "constructor",
  "größe",
  "€",
  "x".repeat(200),
  "😀".repeat(100),
  // The neighbours of what is forbidden.
  " ",
  "~",
  "\u00a0",
  "\u2027",
  "\u202a",
];

/** What is no text is never a name, not even what would turn into one. */
const NO_TEXTS: unknown[] = [
  undefined,
  null,
  7,
  true,
  {},
  [],
  ["news"],
  Symbol("news"),
  new String("news"),
  { toString: () => "news" },
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

Deno.test("isChannelName() takes 1 to 200 of the listed characters and nothing else", () => {
  for (const name of CHANNEL_NAMES) assertEquals(isChannelName(name), true, JSON.stringify(name));
  for (const name of NO_CHANNEL_NAMES) {
    assertEquals(isChannelName(name), false, JSON.stringify(name));
  }
  for (const value of NO_TEXTS) assertEquals(isChannelName(value), false, String(typeof value));
});

Deno.test("isChannelName() refuses every character that is not listed, wherever it stands", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    const isListed = CHANNEL_CHARACTERS.includes(character);
    for (const name of [character, `${character}a`, `a${character}`, `a${character}a`]) {
      if (isChannelName(name) !== isListed) fail(JSON.stringify(name));
    }
  }
});

Deno.test("isEventName() takes 1 to 200 code units without control characters", () => {
  for (const name of EVENT_NAMES) assertEquals(isEventName(name), true, JSON.stringify(name));
  for (const control of CONTROL_CHARACTERS) {
    for (const name of [control, `a${control}`, `${control}a`, `a${control}a`]) {
      assertEquals(isEventName(name), false, JSON.stringify(name));
    }
  }
  for (const name of ["", "x".repeat(201), "😀".repeat(101)]) {
    assertEquals(isEventName(name), false, JSON.stringify(name));
  }
  for (const value of NO_TEXTS) assertEquals(isEventName(value), false, String(typeof value));
});

Deno.test("a reserved prefix is one in any case, at the start, with its hyphen", () => {
  for (
    const name of [
      "private-x",
      "presence-x",
      "PRIVATE-x",
      "Presence-x",
      "pRiVaTe-x",
      "private-",
      "presence-",
    ]
  ) assertEquals(isReservedChannel(name), true, name);
  for (
    const name of ["private", "privatex", "private.x", "a-private-x", "presence_x", "-private-"]
  ) {
    assertEquals(isReservedChannel(name), false, name);
  }
});

Deno.test("the rules in words name the limit that is checked", () => {
  assertEquals(MAX_NAME_LENGTH, 200);
  for (const rule of [CHANNEL_NAME_RULE, EVENT_NAME_RULE]) assertMatch(rule, /1 to 200 characters/);
});

Deno.test("userChannel() names every user's own channel, and no two the same", () => {
  const users = ["ada", "Ada", "ada@x", "a b", "a=20b", "=", "é", "😀", "\0", "a/b", "~"];
  const names = users.map(userChannel);
  assertEquals(new Set(names).size, users.length);
  for (const name of names) {
    assert(isChannelName(name) && isUserChannel(name) && isReservedChannel(name), name);
  }
  assertEquals(userChannel("é=😀"), "private-~=c3=a9=3d=f0=9f=98=80");
  assert(isUserChannel("PRIVATE-~ada"));
  assertEquals(["private-ada", "private", "~ada"].map(isUserChannel), [false, false, false]);
});
