import { CLOSE, type CloseVerdict, closeVerdict } from "@airwave/broadcast/protocol";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";

/** As PROTOCOL.md lists them, both ends of each range and their neighbours. */
const VERDICTS: readonly (readonly [code: number, verdict: CloseVerdict])[] = [
  [1000, "backoff"],
  [1001, "backoff"],
  [1005, "backoff"],
  [1006, "backoff"],
  [1007, "backoff"],
  [1008, "never"],
  [1009, "never"],
  [1010, "backoff"],
  [1011, "backoff"],
  [1012, "backoff"],
  [1013, "backoff"],
  [1015, "backoff"],
  [3999, "backoff"],
  [4000, "never"],
  [4099, "never"],
  [4100, "backoff"],
  [4199, "backoff"],
  [4200, "now"],
  [4299, "now"],
  [4300, "backoff"],
  [4999, "backoff"],
  [0, "backoff"],
  [-1, "backoff"],
  [NaN, "backoff"],
];

Deno.test("closeVerdict() goes by ranges, so that a code nobody has seen has a verdict", () => {
  for (const [code, verdict] of VERDICTS) {
    assertEquals(closeVerdict(code), verdict, String(code));
  }
});

Deno.test("closeVerdict() sends nobody away for good but for 1008, 1009 and 4000 to 4099", () => {
  fc.assert(fc.property(fc.integer({ min: 1000, max: 4999 }), (code) => {
    const isFinal = code === 1008 || code === 1009 || (code >= 4000 && code <= 4099);
    assertEquals(closeVerdict(code) === "never", isFinal);
  }));
});

Deno.test("the codes that are sent, with their reasons and verdicts", () => {
  const sent = Object.entries(CLOSE).map(([name, { code, reason }]) => [
    name,
    code,
    reason,
    closeVerdict(code),
  ]);
  assertEquals(sent, [
    ["clientLeft", 1000, "client left", "backoff"],
    ["goingAway", 1001, "going away", "backoff"],
    ["frameTooLarge", 1009, "frame too large", "never"],
    ["unauthenticated", 4000, "unauthenticated", "never"],
    ["disconnected", 4001, "disconnected", "never"],
    ["slowConsumer", 4100, "slow consumer", "backoff"],
    ["pingTimeout", 4101, "ping timeout", "backoff"],
    ["serverSilent", 4102, "server silent", "backoff"],
    ["subjectUnknown", 4103, "subject unknown", "backoff"],
    ["subjectExpired", 4104, "subject expired", "backoff"],
    ["draining", 4200, "draining", "now"],
  ]);
});

Deno.test("every reason fits a close frame", () => {
  for (const { reason } of Object.values(CLOSE)) {
    assert(new TextEncoder().encode(reason).length <= 123, reason);
  }
});
