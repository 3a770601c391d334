/**
 * What nodes say to each other through Redis, version 1. A message on a channel's pub/sub channel:
 *
 * ```text
 * 1 SP epoch SP offset LF head LF data       with history
 * 1 LF head LF data                          without
 * ```
 *
 * `head` is a JSON array of the event's id, its name and, where it leaves a connection out, that
 * connection's id. `data` is the event's data as JSON text. Neither contains a line feed. The field
 * `r` of a stream entry holds `head LF data`; the entry's id is `milliseconds-offset`.
 *
 * A node that meets another version, or anything else, reports it and goes on; with history the gap
 * it leaves is seen by the offsets.
 *
 * @module
 */
import { eventBytes, type EventRecord } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { isEventName } from "../../protocol/names.ts";

/** Version of the wire format. */
const VERSION = "1";

/** Head and separators of a message that is within the limit: ids and names are 200 characters at most. */
const MAX_HEAD_CHARACTERS = 4_096;

const FIRST_LINE = new RegExp(`^${VERSION}(?: ([\\w-]{1,64}) ([1-9]\\d{0,15}))?\n`);

/** An event as it came, and where it says that it stands. */
export interface Message {
  readonly record: EventRecord;
  readonly position: Position | undefined;
}

/** What follows the first line of a message, and stands in the stream. */
export function encodeRecord({ id, event, except, json }: EventRecord): string {
  const head = except === undefined ? [id, event] : [id, event, except];
  return `${JSON.stringify(head)}\n${json}`;
}

/** A whole message. Most with a position are written by the script that counts. */
export function encodeMessage(record: EventRecord, position?: Position): string {
  const numbers = position === undefined ? "" : ` ${position.epoch} ${position.offset}`;
  return `${VERSION}${numbers}\n${encodeRecord(record)}`;
}

/**
 * Takes a message apart that anybody may have sent.
 *
 * @throws {Error} With the rule that it breaks.
 */
export function decodeMessage(text: string, maxEventBytes: number): Message {
  const line = FIRST_LINE.exec(text);
  if (line === null) {
    throw new Error(
      `a message begins with version ${VERSION}, and an epoch and an offset or nothing`,
    );
  }
  const [{ length }, epoch, offset] = line;
  const record = decodeRecord(text.slice(length), maxEventBytes);
  if (epoch === undefined) return { record, position: undefined };
  const number = Number(offset);
  if (!Number.isSafeInteger(number)) throw new Error("an offset is a safe integer");
  return { record, position: { epoch, offset: number } };
}

/**
 * Takes apart what stands in a stream.
 *
 * @throws {Error} With the rule that it breaks.
 */
export function decodeRecord(text: string, maxEventBytes: number): EventRecord {
  // Before anything is parsed; characters are never more than bytes.
  if (text.length > maxEventBytes + MAX_HEAD_CHARACTERS) {
    throw new Error(`an event is at most ${maxEventBytes} bytes`);
  }
  const end = text.indexOf("\n");
  if (end < 0 || text.includes("\n", end + 1)) throw new Error("a record is two lines");
  const json = text.slice(end + 1);
  const [id, event, except, ...more] = parseArray(text.slice(0, end));
  if (!isEventName(id) || !isEventName(event) || more.length > 0) {
    throw new Error("a head is an id, an event name and whom it leaves out");
  }
  if (except !== undefined && !isEventName(except)) {
    throw new Error("whom an event leaves out is a connection's id");
  }
  // It goes into frames as it is, so it must be JSON and not only look like it.
  JSON.parse(json);
  const record = { id, event, json, ...(except === undefined ? {} : { except }) };
  // A character is three bytes at most; counting them costs more than all the rest.
  if (text.length * 3 > maxEventBytes && eventBytes(record) > maxEventBytes) {
    throw new Error(`an event is at most ${maxEventBytes} bytes`);
  }
  return record;
}

function parseArray(text: string): readonly unknown[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value : [];
}
