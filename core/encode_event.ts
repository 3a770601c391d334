import { monotonicUlid } from "@std/ulid";
import {
  CHANNEL_NAME_RULE,
  EVENT_NAME_RULE,
  isChannelName,
  isEventName,
} from "../protocol/names.ts";
import { BroadcastPublishError } from "./errors.ts";
import {
  type BroadcastEventInit,
  eventBytes,
  type EventRecord,
  type PublishOptions,
} from "./event.ts";
import { storedId } from "./event_id.ts";
import { describe } from "./options.ts";

/**
 * Checks an event and serialises its data, once for every subscriber on every node.
 *
 * @throws {BroadcastPublishError} Status 400 where something breaks a rule.
 */
export function encodeEvent(
  channel: string,
  init: BroadcastEventInit,
  options: PublishOptions,
  maxBytes: number,
): EventRecord {
  const refuse = (rule: string, cause?: unknown): never => {
    throw new BroadcastPublishError(`Cannot publish on channel ${describe(channel)}: ${rule}`, {
      context: { channel },
      ...(cause === undefined ? {} : { cause }),
    });
  };
  if (!isChannelName(channel)) return refuse(CHANNEL_NAME_RULE);
  if (typeof init !== "object" || init === null) return refuse("the event must be an object");
  const { event, data, id = monotonicUlid() } = init;
  const { except, isIdFromClient = false } = options;
  if (!isEventName(event)) return refuse(`${EVENT_NAME_RULE}, got ${describe(event)}`);
  if (!isEventName(id)) {
    return refuse(
      `an event id is 1 to 200 characters without control characters, got ${describe(id)}`,
    );
  }
  const stored = storedId(id, isIdFromClient);
  if (!isEventName(stored)) {
    return refuse(
      `an event id that is chosen by a client, or starts with "~", is at most 198 characters`,
    );
  }
  if (except !== undefined && !isEventName(except)) {
    return refuse(`option "except" must be a connection's id, got ${describe(except)}`);
  }
  let json: string | undefined;
  try {
    json = JSON.stringify(data ?? null);
  } catch (cause) {
    return refuse("data must be a JSON value", cause);
  }
  if (json === undefined) return refuse(`data must be a JSON value, got ${describe(data)}`);
  const record = { id: stored, event, json, ...(except === undefined ? {} : { except }) };
  const bytes = eventBytes(record);
  if (bytes > maxBytes) {
    return refuse(`an event is at most ${maxBytes} bytes, got ${bytes}`);
  }
  return record;
}
