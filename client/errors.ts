import type { ErrFrame, GoneFrame } from "../protocol/frames.ts";

/**
 * - `client.config`: an option or argument that can never work.
 * - `client.subscribe_refused`: the server refused a channel, or ended its subscription.
 * - `client.publish_refused`: the server refused a publish, or it could not be queued.
 * - `client.connection_refused`: the server said never to come back, or too many attempts failed.
 * - `client.token`: `getToken` failed; it is asked again with the next attempt.
 * - `client.listener`: a listener of the application threw.
 * - `client.protocol`: the server sent something that is no frame.
 */
export type BroadcastClientErrorCode =
  | "client.config"
  | "client.subscribe_refused"
  | "client.publish_refused"
  | "client.connection_refused"
  | "client.token"
  | "client.listener"
  | "client.protocol";

/** What a {@linkcode BroadcastClientError} knows beside its message. */
export interface BroadcastClientErrorInit {
  /** Channel it is about. */
  readonly channel?: string | undefined;
  /** Reason as the server gave it. */
  readonly reason?: string | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/**
 * Every error of the client; `code` is stable.
 *
 * @example
 * ```ts
 * import { BroadcastClient, BroadcastClientError } from "@airwave/broadcast/client";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const client = new BroadcastClient({ url: "ws://localhost/_broadcast", autoConnect: false });
 * const error = assertThrows(() => client.channel("no spaces"), BroadcastClientError);
 * assertEquals(error.code, "client.config");
 * ```
 */
export class BroadcastClientError extends Error {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastClientError";
  /** Stable code. */
  readonly code: BroadcastClientErrorCode;
  /** Channel it is about, if it is about one. */
  readonly channel: string | undefined;
  /** Reason as the server gave it, such as `unauthorized`. */
  readonly reason: string | undefined;

  /** Makes an error with a stable code. */
  constructor(
    code: BroadcastClientErrorCode,
    message: string,
    init: BroadcastClientErrorInit = {},
  ) {
    super(message, init);
    this.code = code;
    this.channel = init.channel;
    this.reason = init.reason;
  }
}

type Suffix<Code> = Code extends `client.${infer Rest}` ? Rest : never;

/** An error that says which action broke which rule. */
export function failure(
  code: Suffix<BroadcastClientErrorCode>,
  action: string,
  rule: string,
  init?: BroadcastClientErrorInit,
): BroadcastClientError {
  return new BroadcastClientError(`client.${code}`, `Cannot ${action}: ${rule}`, init);
}

/** An error that says what the server refused. */
export function refusal(
  what: "publish" | "subscribe",
  { c: channel, r: reason }: ErrFrame | GoneFrame,
): BroadcastClientError {
  return failure(`${what}_refused`, `${what} on "${channel}"`, reason, { channel, reason });
}
