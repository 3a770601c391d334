/** Every code a {@linkcode BroadcastError} may carry. Codes are stable; messages are not. */
export type BroadcastErrorCode =
  | "broadcast.config"
  | "broadcast.publish"
  | "broadcast.subscribe"
  | "broadcast.unauthorized"
  | "broadcast.authorization_failed"
  | "broadcast.overflow"
  | "broadcast.closed"
  | "broadcast.hook"
  | "broadcast.handshake";

/** What a {@linkcode BroadcastError} is made from. */
export interface BroadcastErrorInit {
  /** HTTP status that fits the error. */
  readonly status?: number | undefined;
  /** The values that broke the rule, for logs. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/**
 * Base of every error of this library. Its message names the action, the rule and the value that
 * broke it; its `code` is stable, so programs decide by code and people read the message.
 *
 * @example
 * ```ts
 * import { BroadcastError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assert, assertEquals, assertRejects } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * const error = await assertRejects(
 *   () => broadcaster.publish("no spaces", { event: "tick", data: 1 }),
 *   BroadcastError,
 * );
 * assertEquals(error.code, "broadcast.publish");
 * assertEquals(error.status, 400);
 * ```
 */
export class BroadcastError extends Error {
  /** The class name, kept through minifiers. */
  override readonly name: string = "BroadcastError";
  /** Stable code. */
  readonly code: BroadcastErrorCode;
  /** HTTP status that fits the error. */
  readonly status: number;
  /** The values that broke the rule, for logs. */
  readonly context: Readonly<Record<string, unknown>>;

  /** Makes an error with a stable code. */
  constructor(code: BroadcastErrorCode, message: string, init: BroadcastErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.status = init.status ?? 500;
    this.context = init.context ?? {};
  }
}

/**
 * An option, pattern or argument that can never work. Thrown where it is given.
 *
 * @example
 * ```ts
 * import { BroadcastConfigError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new MemoryBroadcaster({ historySize: -1 }), BroadcastConfigError, "historySize");
 * ```
 */
export class BroadcastConfigError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastConfigError";
  /** Stable code. */
  declare readonly code: "broadcast.config";

  /** Makes the error; status 500 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.config", message, init);
  }
}

/**
 * A publish that did not happen: status 400 where the event itself was refused, 503 where the
 * driver could not store it.
 *
 * @example
 * ```ts
 * import { BroadcastPublishError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * const error = await assertRejects(
 *   () => broadcaster.publish("news", { event: "big", data: 10n }),
 *   BroadcastPublishError,
 * );
 * assertEquals([error.code, error.status, error.context], ["broadcast.publish", 400, {
 *   channel: "news",
 * }]);
 * ```
 */
export class BroadcastPublishError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastPublishError";
  /** Stable code. */
  declare readonly code: "broadcast.publish";

  /** Makes the error; status 400 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.publish", message, { status: 400, ...init });
  }
}

/**
 * A subscription that could not be opened: status 400 for a bad name, 503 for the driver.
 *
 * @example
 * ```ts
 * import { BroadcastSubscribeError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * const error = await assertRejects(
 *   async () => await broadcaster.subscribe("no spaces").ready,
 *   BroadcastSubscribeError,
 * );
 * assertEquals([error.code, error.status], ["broadcast.subscribe", 400]);
 * ```
 */
export class BroadcastSubscribeError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastSubscribeError";
  /** Stable code. */
  declare readonly code: "broadcast.subscribe";

  /** Makes the error; status 400 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.subscribe", message, { status: 400, ...init });
  }
}

/**
 * An authorizer that threw or took too long (`broadcast.authorization_failed`), or a plain refusal
 * (`broadcast.unauthorized`). Both deny.
 *
 * @example
 * ```ts
 * import { BroadcastUnauthorizedError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * broadcaster.authorize("private-*", () => Promise.reject(new Error("the users' table is away")));
 * const error = await assertRejects(
 *   () => broadcaster.authorizeFor("private-ledger", undefined),
 *   BroadcastUnauthorizedError,
 * );
 * assertEquals(error.code, "broadcast.authorization_failed");
 * ```
 */
export class BroadcastUnauthorizedError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastUnauthorizedError";
  /** Stable code. */
  declare readonly code: "broadcast.unauthorized" | "broadcast.authorization_failed";

  /** Makes the error; status 403 unless told. */
  constructor(
    code: "broadcast.unauthorized" | "broadcast.authorization_failed",
    message: string,
    init: BroadcastErrorInit = {},
  ) {
    super(code, message, { status: 403, ...init });
  }
}

/**
 * An in-process subscriber that fell behind its limits under the policy `close`.
 *
 * @example
 * ```ts
 * import { BroadcastOverflowError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * const slow = broadcaster.subscribe("news", { maxQueuedEvents: 1, overflow: "close" });
 * await slow.ready;
 * for (const data of [1, 2]) await broadcaster.publish("news", { event: "tick", data });
 * assertEquals((await slow.next()).value?.data, 1); // what waits comes first
 * await assertRejects(() => slow.next(), BroadcastOverflowError);
 * ```
 */
export class BroadcastOverflowError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastOverflowError";
  /** Stable code. */
  declare readonly code: "broadcast.overflow";

  /** Makes the error; status 503 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.overflow", message, { status: 503, ...init });
  }
}

/**
 * Something was asked of a broadcaster or gateway after its `close()`.
 *
 * @example
 * ```ts
 * import { BroadcastClosedError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertRejects } from "@std/assert";
 *
 * const broadcaster = new MemoryBroadcaster();
 * await broadcaster.close();
 * await assertRejects(
 *   () => broadcaster.publish("news", { event: "late", data: 1 }),
 *   BroadcastClosedError,
 * );
 * ```
 */
export class BroadcastClosedError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastClosedError";
  /** Stable code. */
  declare readonly code: "broadcast.closed";

  /** Makes the error; status 503 unless told. */
  constructor(action: string, init: BroadcastErrorInit = {}) {
    super("broadcast.closed", `Cannot ${action}: it is closed, make another`, {
      status: 503,
      ...init,
    });
  }
}

/**
 * A hook, listener or other callback of the application that threw or rejected; its throw is the cause.
 *
 * @example
 * ```ts
 * import { type AnyBroadcastError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * const heard: AnyBroadcastError[] = [];
 * await using broadcaster = new MemoryBroadcaster({ onError: (error) => heard.push(error) });
 * await using subscription = broadcaster.subscribe("news", {
 *   maxQueuedEvents: 1,
 *   onOverflow: () => {
 *     throw new Error("no room");
 *   },
 * });
 * await subscription.ready;
 * for (const data of [1, 2]) await broadcaster.publish("news", { event: "tick", data });
 * assertEquals(heard.map(({ code }) => code), ["broadcast.hook"]);
 * ```
 */
export class BroadcastHookError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastHookError";
  /** Stable code. */
  declare readonly code: "broadcast.hook";

  /** Makes the error; status 500 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.hook", message, init);
  }
}

/** A request that could not be made a WebSocket, though it asked for one. */
export class BroadcastHandshakeError extends BroadcastError {
  /** The class name, kept through minifiers. */
  override readonly name = "BroadcastHandshakeError";
  /** Stable code. */
  declare readonly code: "broadcast.handshake";

  /** Makes the error; status 400 unless told. */
  constructor(message: string, init: BroadcastErrorInit = {}) {
    super("broadcast.handshake", message, { status: 400, ...init });
  }
}

/**
 * Every kind of error as a union, so that a `switch` on `code` narrows.
 *
 * @example
 * ```ts
 * import type { AnyBroadcastError } from "@airwave/broadcast";
 *
 * function retryable(error: AnyBroadcastError): boolean {
 *   switch (error.code) {
 *     case "broadcast.publish":
 *       return error.status === 503;
 *     case "broadcast.overflow":
 *       return true;
 *     default:
 *       return false;
 *   }
 * }
 * ```
 */
export type AnyBroadcastError =
  | BroadcastConfigError
  | BroadcastPublishError
  | BroadcastSubscribeError
  | BroadcastUnauthorizedError
  | BroadcastOverflowError
  | BroadcastClosedError
  | BroadcastHookError
  | BroadcastHandshakeError;

/**
 * Tells an error of this library from any other.
 *
 * @example
 * ```ts
 * import { isBroadcastError, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * try {
 *   await broadcaster.publish("news", { event: "big", data: 1n });
 * } catch (error) {
 *   if (!isBroadcastError(error)) throw error;
 *   assertEquals([error.code, error.status], ["broadcast.publish", 400]);
 * }
 * ```
 */
export function isBroadcastError(error: unknown): error is AnyBroadcastError {
  return error instanceof BroadcastError;
}
