import type { Broadcaster, ClientPublishRequest } from "@airwave/broadcast";
import { parseMessage, parseTyping } from "./messages.ts";
import { ROOMS } from "./rooms.ts";
import type { Session, Sessions } from "./sessions.ts";

/** Who may be in a room. */
export function authorizeRooms(broadcaster: Broadcaster<Session>, sessions: Sessions): void {
  for (const { channel, access } of ROOMS) {
    broadcaster.authorize(channel, ({ subject }) => {
      if (access === "everyone") return true;
      if (subject === undefined || !sessions.isOpen(subject)) return false;
      return { authorized: true, expiresAt: subject.expiresAt };
    });
  }
}

/**
 * What a page may publish: well-formed messages and typing signals. In public rooms a name is what
 * somebody calls themselves; in the private one it is who they are.
 */
export function mayPublish(
  { channel, event, data, subject }: ClientPublishRequest<Session>,
  sessions: Sessions,
): boolean {
  const room = ROOMS.find((room) => room.channel === channel);
  const parsed = event === "message"
    ? parseMessage(data)
    : event === "typing"
    ? parseTyping(data)
    : undefined;
  if (room === undefined || parsed === undefined) return false;
  if (room.access === "everyone") return true;
  return subject !== undefined && sessions.isOpen(subject) && parsed.name === subject.name;
}
