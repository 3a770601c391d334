/** Largest event: it is stored in one statement, which has a time to keep. */
export const MAX_EVENT_BYTES = 64 * 1024 * 1024;

/** The rule that {@linkcode isStorable} checks, in words for an error message. */
export const STORABLE_RULE = "text in PostgreSQL has no U+0000 and no half of a surrogate pair";

/**
 * Tells whether PostgreSQL keeps a text as it is. It refuses U+0000, and UTF-8 has no halves of
 * surrogate pairs. Data is JSON text, which has escapes for both, so that every JSON value passes.
 */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
