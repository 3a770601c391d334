import type { EventRecord } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { isEventName } from "../../protocol/names.ts";
import type { TextRow } from "./client.ts";

/** Where a channel stands. */
export interface ChannelTop {
  readonly channel: string;
  readonly top: Position;
}

/** A stored event as it was found: without `record` where it is none of ours. */
export interface Row {
  readonly channel: string;
  readonly epoch: string;
  readonly number: number;
  readonly record: EventRecord | undefined;
}

// Anybody with the right to write may have written it: what is read is parsed like any input.

export function readPosition([epoch, number]: TextRow): Position {
  const offset = toOffset(number);
  if (!isEventName(epoch) || offset === undefined) {
    throw new TypeError("PostgreSQL sent a position that is none");
  }
  return { epoch, offset };
}

/**
 * A channel's place, or nothing if the row tells of none. What the channel is called is not judged: it
 * is looked up among those that were subscribed to.
 */
export function readTop([channel, epoch, number]: TextRow): ChannelTop | undefined {
  const offset = toOffset(number);
  if (!isText(channel) || !isEventName(epoch) || offset === undefined) return;
  return { channel, top: { epoch, offset } };
}

/** An event and its place, or nothing if there is no place. */
export function readRow(row: TextRow): Row | undefined {
  const [channel, epoch, number, id, event, json, except] = row;
  const offset = toOffset(number);
  if (!isText(channel) || !isEventName(epoch) || offset === undefined) return;
  return { channel, epoch, number: offset, record: readRecord(id, event, json, except) };
}

function readRecord(
  id: unknown,
  event: unknown,
  json: unknown,
  except: unknown,
): EventRecord | undefined {
  if (!isEventName(id) || !isEventName(event) || typeof json !== "string" || !isJson(json)) return;
  if (except === null || except === undefined) return { id, event, json };
  return isEventName(except) ? { id, event, json, except } : undefined;
}

export function isText(value: string | null | undefined): value is string {
  return typeof value === "string";
}

function toOffset(value: string | null | undefined): number | undefined {
  const offset = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  return Number.isSafeInteger(offset) ? offset : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
