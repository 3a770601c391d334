import {
  CHANNEL_NAME_RULE,
  isChannelName,
  isEventName,
  isUserId,
  USER_ID_RULE,
} from "../protocol/names.ts";
import { BroadcastConfigError } from "./errors.ts";
import { describe, durationMs, readOptions } from "./options.ts";

/** Whom to disconnect. */
export type DisconnectTarget =
  /** A user, as the gateway's `identify` names her: every connection of hers. */
  | { readonly user: string }
  /** One connection. */
  | { readonly clientId: string };

/** What to revoke. */
export interface RevokeTarget {
  /** The user, as the gateway's `identify` names her. */
  readonly user: string;
  /** The channel; every channel unless told. */
  readonly channel?: string | undefined;
}

/** How an order is given. */
export interface OrderOptions {
  /**
   * For how long it stays in force, in milliseconds: so long nobody it names comes back on whatever
   * node, also on one that starts meanwhile. 300,000 (five minutes) unless told.
   */
  readonly rememberMs?: number | undefined;
}

const DEFAULTS = { rememberMs: 5 * 60_000 } as const satisfies OrderOptions;

const CHECKS = { rememberMs: durationMs(1_000) };

/** For how long an order stays in force. */
export function readOrderOptions(options: OrderOptions): { readonly rememberMs: number } {
  return readOptions("an order", options, CHECKS, DEFAULTS);
}

/** What every node is told to do, wherever the connections are. */
export type ControlOrder =
  /** Close every connection of a user, and let none in. */
  | { readonly type: "disconnect"; readonly user: string }
  /** Close one connection. */
  | { readonly type: "disconnect"; readonly clientId: string }
  /** End a user's subscriptions to one channel, or to all, and let none in. */
  | { readonly type: "revoke"; readonly user: string; readonly channel?: string };

/** Takes a target apart; one that names both or neither is refused. */
export function disconnectOrder(target: DisconnectTarget): ControlOrder {
  assertTarget("disconnect", target);
  const { user, clientId, ...rest }: { user?: unknown; clientId?: unknown } = target;
  assertNoMore("disconnect", rest);
  if (clientId === undefined && isUserId(user)) return { type: "disconnect", user };
  if (user === undefined && isEventName(clientId)) return { type: "disconnect", clientId };
  throw new BroadcastConfigError(
    `Cannot disconnect: the target must be {user} or {clientId}, got ${describe(clientId ?? user)}`,
  );
}

/** Takes a target apart; without a channel it is about all of them. */
export function revokeOrder(target: RevokeTarget): ControlOrder {
  assertTarget("revoke", target);
  const { user, channel, ...rest } = target;
  assertNoMore("revoke", rest);
  if (!isUserId(user)) {
    throw new BroadcastConfigError(`Cannot revoke: ${USER_ID_RULE}, got ${describe(user)}`);
  }
  if (channel === undefined) return { type: "revoke", user };
  if (isChannelName(channel)) return { type: "revoke", user, channel };
  throw new BroadcastConfigError(`Cannot revoke: ${CHANNEL_NAME_RULE}, got ${describe(channel)}`);
}

/** An order as nodes pass it on. */
export function encodeOrder(order: ControlOrder, rememberMs: number): string {
  return JSON.stringify({ ...order, rememberMs });
}

/** Reads an order; what is none is `undefined`: what comes from the backplane is input. */
export function parseOrder(
  json: string,
): { readonly order: ControlOrder; readonly rememberMs: number } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return;
  }
  if (typeof parsed !== "object" || parsed === null) return;
  const { type, user, clientId, channel, rememberMs }: Record<string, unknown> = { ...parsed };
  if (typeof rememberMs !== "number" || !(rememberMs > 0)) return;
  const order = readOrder(type, user, clientId, channel);
  return order === undefined ? undefined : { order, rememberMs };
}

function readOrder(
  type: unknown,
  user: unknown,
  clientId: unknown,
  channel: unknown,
): ControlOrder | undefined {
  if (type === "disconnect" && typeof user === "string") return { type, user };
  if (type === "disconnect" && typeof clientId === "string") return { type, clientId };
  if (type !== "revoke" || typeof user !== "string") return;
  if (channel === undefined) return { type, user };
  return typeof channel === "string" ? { type, user, channel } : undefined;
}

function assertTarget(action: string, target: unknown): void {
  if (typeof target === "object" && target !== null) return;
  throw new BroadcastConfigError(
    `Cannot ${action}: the target must be an object such as {user: "ada"}, got ${describe(target)}`,
  );
}

function assertNoMore(action: string, rest: object): void {
  const [unknown] = Object.keys(rest);
  if (unknown === undefined) return;
  throw new BroadcastConfigError(`Cannot ${action}: unknown key "${unknown}" in the target`);
}
