/**
 * The wire contract between any Airwave client and any Airwave gateway: frames, names and close
 * codes. It runs wherever JavaScript runs and depends on nothing. The text of the contract is
 * PROTOCOL.md.
 *
 * @example
 * ```ts
 * import { encodeFrame, parseServerMessage } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeFrame({ t: "sub", c: "news" }), '{"t":"sub","c":"news"}');
 * assertEquals(parseServerMessage('{"t":"ping"}', 1), [{ kind: "frame", frame: { t: "ping" } }]);
 * ```
 *
 * @module
 */
export * from "./bytes.ts";
export * from "./close_codes.ts";
export * from "./codec.ts";
export * from "./frames.ts";
export * from "./names.ts";
export * from "./reasons.ts";
export * from "./sse.ts";
