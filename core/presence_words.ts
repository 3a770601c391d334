import type { LeasedEntry } from "./leases.ts";
import { isPresenceInfo } from "./presence_info.ts";
import type { PresenceWord } from "./roster.ts";

/** Most words in one announcement: with descriptions of a kibibyte it stays far below a mebibyte. */
export const MAX_WORDS = 256;

/** Where presence of a channel is announced and listed; no client can name it. */
export function topicOf(channel: string): string {
  return `!presence:${channel}`;
}

/** A node's word as its entry in the store; its key is the user. */
export function encodeEntry({ seq, member }: PresenceWord): string | undefined {
  return member === undefined ? undefined : JSON.stringify([seq, member]);
}

/** Reads entries of the store; what is none is left out: others may write there. */
export function parseEntries(entries: readonly LeasedEntry[]): PresenceWord[] {
  return entries.flatMap(({ owner, key, value }) => {
    const parsed = parseJson(value);
    if (!Array.isArray(parsed)) return [];
    return readWord(owner, key, parsed[0], parsed[1]) ?? [];
  });
}

/** What a node announces to the others: its words, in the order it said them. */
export function encodeAnnouncement(node: string, words: readonly PresenceWord[]): string {
  return JSON.stringify({
    n: node,
    w: words.map(({ user, seq, member }) => [user, seq, member ?? null]),
  });
}

/** Reads an announcement; what is none is left out: what comes from the backplane is input. */
export function parseAnnouncement(json: string): PresenceWord[] {
  const parsed = parseJson(json);
  if (typeof parsed !== "object" || parsed === null || !("n" in parsed) || !("w" in parsed)) {
    return [];
  }
  const { n: node, w: words } = parsed;
  if (typeof node !== "string" || !Array.isArray(words)) return [];
  return words.flatMap((word: unknown) => {
    if (!Array.isArray(word) || typeof word[0] !== "string") return [];
    return readWord(node, word[0], word[1], word[2] ?? undefined) ?? [];
  });
}

function readWord(
  node: string,
  user: string,
  seq: unknown,
  member: unknown,
): PresenceWord | undefined {
  if (typeof seq !== "number" || !Number.isSafeInteger(seq)) return;
  if (member === undefined) return { node, user, seq, member };
  return isPresenceInfo(member) && member.id === user ? { node, user, seq, member } : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return;
  }
}
