import type { ChannelPosition } from "@airwave/broadcast/client";

/** Longest name and text, in UTF-16 units as `maxlength` of an input counts them. */
export const MAX_NAME_LENGTH = 40;
export const MAX_TEXT_LENGTH = 500;

/** What somebody said. Event `message`, published by clients. */
export interface ChatMessage {
  readonly name: string;
  readonly text: string;
  /** Made by the writer: tells a message that was sent twice from two messages. */
  readonly nonce: string;
  /** When it was written by the writer's clock, in milliseconds since 1970. Orders nothing. */
  readonly at: number;
}

/** A member is writing the message that will carry this nonce. Event `typing`, by clients. */
export interface Typing {
  /** The member, as the room's presence knows them. */
  readonly member: string;
  readonly nonce: string;
}

/** What the server itself has to say. Event `notice` of the radio. */
export interface Notice {
  readonly text: string;
  /** Counts what was said: whoever missed one sees it. */
  readonly number: number;
}

/** A message as the server remembers it. */
export interface RecentMessage {
  readonly position: ChannelPosition;
  readonly message: ChatMessage;
}

// Control characters, line separators, and marks that turn the direction of what follows.
const UNFIT_FOR_NAME = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
// Text may hold line breaks; its direction is kept inside its own box on the page.
const UNFIT_FOR_TEXT = /[^\P{Cc}\n]/u;
const NONCE = /^[A-Za-z0-9_-]{8,64}$/;

export function isName(value: unknown): value is string {
  return isTrimmed(value, MAX_NAME_LENGTH) && value.isWellFormed() && !UNFIT_FOR_NAME.test(value);
}

/** Reads a message that a stranger sent; anything beside the four fields makes it none. */
export function parseMessage(data: unknown): ChatMessage | undefined {
  const { name, text, nonce, at } = fields(data, 4);
  const fits = isName(name) && isTrimmed(text, MAX_TEXT_LENGTH) && !UNFIT_FOR_TEXT.test(text) &&
    isNonce(nonce) && isTime(at);
  return fits ? { name, text, nonce, at } : undefined;
}

export function parseTyping(data: unknown): Typing | undefined {
  const { member, nonce } = fields(data, 2);
  return typeof member === "string" && isNonce(nonce) ? { member, nonce } : undefined;
}

export function parseNotice(data: unknown): Notice | undefined {
  const { text, number } = fields(data, 2);
  return isTrimmed(text, MAX_TEXT_LENGTH) && isCount(number) ? { text, number } : undefined;
}

export function parseRecent(data: unknown): RecentMessage | undefined {
  const { position, message } = fields(data, 2);
  const { epoch, offset } = fields(position, 2);
  const parsed = parseMessage(message);
  return typeof epoch === "string" && isCount(offset) && parsed !== undefined
    ? { position: { epoch, offset }, message: parsed }
    : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Whether a `Date` can hold it. */
function isTime(value: unknown): value is number {
  return isCount(value) && value <= 8.64e15;
}

function isNonce(value: unknown): value is string {
  return typeof value === "string" && NONCE.test(value);
}

function isTrimmed(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxLength &&
    value.trim() === value;
}

/** The fields of an object with exactly so many, or none. */
function fields(data: unknown, count: number): Readonly<Record<string, unknown>> {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return {};
  return Object.keys(data).length === count ? { ...data } : {};
}
