/** Longest channel or event name, in characters. */
export const MAX_NAME_LENGTH = 200;

/** The characters of a channel name, as in the brackets of a regular expression. */
export const CHANNEL_CHARACTERS = "A-Za-z0-9_=@,.;:/~-";
const CHANNEL_NAME = new RegExp(`^[${CHANNEL_CHARACTERS}]{1,200}$`);
// deno-lint-ignore no-control-regex -- naming the control characters is the rule itself
const EVENT_NAME = /^[^\0-\x1f\x7f-\x9f\u2028\u2029]{1,200}$/;
const RESERVED_PREFIX = /^(?:private|presence)-/i;
const PRESENCE_PREFIX = /^presence-/i;

/** The rule that {@linkcode isChannelName} checks, in words for an error message. */
export const CHANNEL_NAME_RULE =
  `a channel name is 1 to 200 characters of ${CHANNEL_CHARACTERS}` as const;

/** The rule that {@linkcode isEventName} checks, in words for an error message. */
export const EVENT_NAME_RULE = "an event name is 1 to 200 characters without control characters";

/** The rule that {@linkcode isUserId} checks, in words for an error message. */
export const USER_ID_RULE =
  "a user id is 1 to 200 characters without control characters or halves of surrogate pairs";

/**
 * Tells whether a value is a valid channel name. Names are never normalised: two names that differ
 * in one character, also in case, are two channels.
 *
 * @example
 * ```ts
 * import { isChannelName } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isChannelName("chat.1"));
 * assert(!isChannelName(" chat.1"));
 * ```
 */
export function isChannelName(value: unknown): value is string {
  return typeof value === "string" && CHANNEL_NAME.test(value);
}

/**
 * Tells whether a value is a valid event name. The same rule holds for event ids.
 *
 * @example
 * ```ts
 * import { isEventName } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isEventName("order paid"));
 * assert(!isEventName("order\npaid"));
 * ```
 */
export function isEventName(value: unknown): value is string {
  return typeof value === "string" && EVENT_NAME.test(value);
}

/**
 * Tells whether a value is a valid user id: what is an event name, and has no half of a character,
 * which would not survive being written as UTF-8 and make two users one.
 *
 * @example
 * ```ts
 * import { isUserId } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isUserId("Ada Lovelace"));
 * assert(!isUserId(7));
 * assert(!isUserId("\ud800"));
 * ```
 */
export function isUserId(value: unknown): value is string {
  return isEventName(value) && value.isWellFormed();
}

/**
 * Tells whether a channel is denied unless an authorizer allows it: its name starts with `private-`
 * or `presence-`, in any case, so that `PRIVATE-x` is no way round.
 *
 * @example
 * ```ts
 * import { isReservedChannel } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isReservedChannel("private-user.ada"));
 * assert(isReservedChannel("PRESENCE-room.1"));
 * assert(!isReservedChannel("news"));
 * ```
 */
export function isReservedChannel(channel: string): boolean {
  return RESERVED_PREFIX.test(channel);
}

/**
 * Tells whether a channel keeps a roster: its name starts with `presence-`, in any case.
 *
 * @example
 * ```ts
 * import { isPresenceChannel } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isPresenceChannel("presence-room.1"));
 * assert(!isPresenceChannel("private-room.1"));
 * ```
 */
export function isPresenceChannel(channel: string): boolean {
  return PRESENCE_PREFIX.test(channel);
}

const USER_PREFIX = "private-~";

/**
 * The channel that all connections of one user may hold, and nobody else: what `sendToUser` publishes
 * on. Characters that no channel name may have are written as `=` and their UTF-8 bytes in hexadecimal.
 *
 * @example
 * ```ts
 * import { userChannel } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(userChannel("ada"), "private-~ada");
 * assertEquals(userChannel("ada lovelace"), "private-~ada=20lovelace");
 * ```
 */
export function userChannel(user: string): string {
  const bytes = new TextEncoder().encode(user);
  const text = Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_\-@,.;:/~]/.test(character)
      ? character
      : `=${byte.toString(16).padStart(2, "0")}`;
  });
  return USER_PREFIX + text.join("");
}

/**
 * Tells whether a channel is some user's own, see {@linkcode userChannel}; in any case.
 *
 * @example
 * ```ts
 * import { isUserChannel, userChannel } from "@airwave/broadcast/protocol";
 * import { assert } from "@std/assert";
 *
 * assert(isUserChannel(userChannel("ada")));
 * assert(!isUserChannel("private-user.ada"));
 * ```
 */
export function isUserChannel(channel: string): boolean {
  return channel.slice(0, USER_PREFIX.length).toLowerCase() === USER_PREFIX;
}
