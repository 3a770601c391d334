/**
 * What the types of the protocol promise. Each `@ts-expect-error` pins one mistake: if the compiler no
 * longer refuses it, checking this file fails.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type ClientFrame,
  encodeFrame,
  isChannelName,
  parseServerMessage,
  type ServerFrame,
} from "@airwave/broadcast/protocol";

/** Compiles only while every frame of a server has its case. */
function channelOf(frame: ServerFrame): string | undefined {
  switch (frame.t) {
    case "ok":
    case "err":
    case "msg":
    case "skip":
    case "gone":
    case "here":
    case "join":
    case "leave":
      return frame.c;
    case "welcome":
    case "ping":
    case "exp":
    case "bye":
      // @ts-expect-error -- about the connection
      return frame.c;
    // @ts-expect-error -- a frame of clients
    case "sub":
      return undefined;
    default:
      return frame satisfies never;
  }
}

Deno.test("frames: what was parsed is a frame or a reason, and its letter tells which", () => {
  const [parsed] = parseServerMessage('{"t":"ok","c":"news"}', 1);
  // @ts-expect-error -- until it was looked at
  assertEquals(parsed.frame, { t: "ok", c: "news" });
  if (parsed?.kind !== "frame") throw new Error("It is a frame");
  // @ts-expect-error -- only a malformed one has a reason
  assertEquals([channelOf(parsed.frame), parsed.reason], ["news", undefined]);
});

Deno.test("frames: one with a missing or a wrong field does not compile", () => {
  const mistakes: string[] = [
    // @ts-expect-error -- of which channel
    encodeFrame({ t: "sub" }),
    // @ts-expect-error -- no such frame
    encodeFrame({ t: "subscribe", c: "news" }),
    // @ts-expect-error -- a frame of servers
    encodeFrame({ t: "ok", c: "news" } satisfies ClientFrame),
  ];
  assertEquals(mistakes.map((text) => typeof text), ["string", "string", "string"]);
});

Deno.test("names: a value that was checked is text", () => {
  const value: unknown = "news";
  // @ts-expect-error -- unknown until it was checked
  value satisfies string;
  assert(isChannelName(value) && value satisfies string);
});
