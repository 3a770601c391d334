import type { Broadcaster, ClientPublishRequest } from "@airwave/broadcast";
import { parseMessage, parseTyping } from "./messages.ts";
import { RADIO_CHANNEL, type RoomInfo, ROOMS } from "./rooms.ts";
import type { Sessions } from "./sessions.ts";
import { memberIn, type Visitor } from "./visitors.ts";

/** Who may be in a room, and as whom they appear there. */
export function authorizeRooms(broadcaster: Broadcaster<Visitor>, sessions: Sessions): void {
  broadcaster.authorize(RADIO_CHANNEL, () => true);
  for (const room of ROOMS) {
    broadcaster.authorize(room.channel, ({ subject }) => ({
      authorized: mayEnter(room, subject, sessions),
      expiresAt: expiryIn(room, subject),
    }));
    broadcaster.authorize(room.presence, ({ subject }) => {
      const member = subject && memberIn(room, subject);
      if (member === undefined || !mayEnter(room, subject, sessions)) return false;
      return { authorized: true, presence: { ...member }, expiresAt: expiryIn(room, subject) };
    });
  }
}

/**
 * What a page may publish: well-formed messages, and that the visitor types. In public rooms a name
 * is what somebody calls themselves; in the private one it is who they are.
 */
export function mayPublish(
  { channel, event, data, subject }: ClientPublishRequest<Visitor>,
  sessions: Sessions,
): boolean {
  const room = ROOMS.find((room) => channel === room.channel || channel === room.presence);
  if (room === undefined || !mayEnter(room, subject, sessions)) return false;
  const member = subject && memberIn(room, subject);
  if (channel === room.presence) {
    return event === "typing" && member !== undefined && parseTyping(data)?.member === member.id;
  }
  const message = event === "message" ? parseMessage(data) : undefined;
  return message !== undefined && (room.access === "everyone" || message.name === member?.name);
}

function mayEnter(room: RoomInfo, visitor: Visitor | undefined, sessions: Sessions): boolean {
  const session = visitor?.session;
  return room.access === "everyone" || (session !== undefined && sessions.isOpen(session));
}

function expiryIn(room: RoomInfo, visitor: Visitor | undefined): number | undefined {
  return room.access === "everyone" ? undefined : visitor?.session?.expiresAt;
}
