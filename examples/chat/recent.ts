import type { Broadcaster } from "@airwave/broadcast";
import { parseMessage, type RecentMessage } from "./messages.ts";
import type { RoomInfo } from "./rooms.ts";
import type { Session } from "./sessions.ts";

const MAX_MESSAGES = 50;

/**
 * The last messages of each room, so that whoever enters or comes back finds the conversation. It
 * subscribes like anybody else, inside the process, and ends with the broadcaster.
 */
export class RecentMessages {
  readonly #byRoom = new Map<RoomInfo, Map<string, RecentMessage>>();

  constructor(broadcaster: Broadcaster<Session>, rooms: readonly RoomInfo[]) {
    for (const room of rooms) this.#follow(broadcaster, room);
  }

  /** Oldest first. */
  of(room: RoomInfo): RecentMessage[] {
    return [...this.#byRoom.get(room)?.values() ?? []];
  }

  async #follow(broadcaster: Broadcaster<Session>, room: RoomInfo): Promise<void> {
    const byNonce = new Map<string, RecentMessage>();
    this.#byRoom.set(room, byNonce);
    for await (const { event, data, id } of broadcaster.subscribe(room.channel)) {
      const message = event === "message" ? parseMessage(data) : undefined;
      // A writer who got no answer sends again: the first counts.
      if (message === undefined || byNonce.has(message.nonce)) continue;
      byNonce.set(message.nonce, { id, at: Date.now(), message });
      for (const oldest of byNonce.keys()) {
        if (byNonce.size <= MAX_MESSAGES) break;
        byNonce.delete(oldest);
      }
    }
  }
}
