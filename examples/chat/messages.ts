/** Longest name and text, in UTF-16 units as `maxlength` of an input counts them. */
export const MAX_NAME_LENGTH = 40;
export const MAX_TEXT_LENGTH = 500;

/** What somebody said. Event `message`, published by clients. */
export interface ChatMessage {
  readonly name: string;
  readonly text: string;
  /** Made by the writer: tells a message that was sent twice from two messages. */
  readonly nonce: string;
}

/** Somebody is writing the message that will carry this nonce. Event `typing`, by clients. */
export type Typing = Omit<ChatMessage, "text">;

/** What the server itself has to say. Event `notice`. */
export interface Notice {
  readonly text: string;
}

/** A message as the server remembers it. */
export interface RecentMessage {
  /** Event id. The server's ids sort by time. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly message: ChatMessage;
}

// Control characters, line separators, and marks that turn the direction of what follows.
const UNFIT_FOR_NAME = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
// Text may hold line breaks; its direction is kept inside its own box on the page.
const UNFIT_FOR_TEXT = /[^\P{Cc}\n]/u;
const NONCE = /^[A-Za-z0-9_-]{8,64}$/;

export function isName(value: unknown): value is string {
  return isTrimmed(value, MAX_NAME_LENGTH) && !UNFIT_FOR_NAME.test(value);
}

/** Reads a message that a stranger sent; anything beside the three fields makes it none. */
export function parseMessage(data: unknown): ChatMessage | undefined {
  const { name, text, nonce } = fields(data, 3);
  const fits = isName(name) && isTrimmed(text, MAX_TEXT_LENGTH) && !UNFIT_FOR_TEXT.test(text) &&
    isNonce(nonce);
  return fits ? { name, text, nonce } : undefined;
}

export function parseTyping(data: unknown): Typing | undefined {
  const { name, nonce } = fields(data, 2);
  return isName(name) && isNonce(nonce) ? { name, nonce } : undefined;
}

export function parseNotice(data: unknown): Notice | undefined {
  const { text } = fields(data, 1);
  return isTrimmed(text, MAX_TEXT_LENGTH) ? { text } : undefined;
}

export function parseRecent(data: unknown): RecentMessage | undefined {
  const { id, at, message } = fields(data, 3);
  const parsed = parseMessage(message);
  return typeof id === "string" && typeof at === "number" && parsed !== undefined
    ? { id, at, message: parsed }
    : undefined;
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
