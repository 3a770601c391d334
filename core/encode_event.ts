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
import { reasonOf } from "./reason.ts";

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
  if (!isChannelName(channel)) refuse(channel, CHANNEL_NAME_RULE);
  if (typeof init !== "object" || init === null) {
    refuse(channel, `the event must be an object {event, data}, got ${describe(init)}`);
  }
  const { event, data } = init;
  const { except } = options;
  if (!isEventName(event)) refuse(channel, `${EVENT_NAME_RULE}, got ${describe(event)}`);
  if (except !== undefined && !isEventName(except)) {
    refuse(channel, `option "except" must be a connection's id, got ${describe(except)}`);
  }
  const isNew = init.id === undefined;
  const id = isNew ? monotonicUlid() : checkId(channel, init.id, options.isIdFromClient === true);
  const json = toJson(channel, data);
  const bytes = eventBytes({ id, event, json });
  if (bytes > maxBytes) refuse(channel, `an event is at most ${maxBytes} bytes, got ${bytes}`);
  return { id, event, json, except, isNew, bytes };
}

/** The id as it is stored. */
function checkId(channel: string, id: unknown, isFromClient: boolean): string {
  // Two halves of surrogate pairs are one and the same in UTF-8, and so would be their ids.
  if (!isEventName(id) || !id.isWellFormed()) {
    refuse(
      channel,
      "an event id is 1 to 200 characters without control characters or halves of surrogate " +
        `pairs, got ${describe(id)}`,
    );
  }
  const stored = storedId(id, isFromClient);
  if (!isEventName(stored)) {
    refuse(
      channel,
      `an event id that is chosen by a client, or starts with "~", is at most 198 characters`,
    );
  }
  return stored;
}

function toJson(channel: string, data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data ?? null);
  } catch (cause) {
    refuse(channel, `data must be a JSON value: ${reasonOf(cause)}`, cause);
  }
  return json ?? refuse(channel, `data must be a JSON value, got ${describe(data)}`);
}

function refuse(channel: unknown, rule: string, cause?: unknown): never {
  throw new BroadcastPublishError(`Cannot publish on channel ${describe(channel)}: ${rule}`, {
    context: { channel },
    ...(cause === undefined ? {} : { cause }),
  });
}
