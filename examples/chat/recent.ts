import type { Broadcaster, BroadcastSubscription } from "@airwave/broadcast";
import { parseMessage, type RecentMessage } from "./messages.ts";
import { type RoomInfo, ROOMS } from "./rooms.ts";
import type { Visitor } from "./visitors.ts";

const MAX_MESSAGES = 50;

/**
 * The last messages of each room, so that whoever enters finds the conversation. It subscribes like
 * anybody else, inside the process, and ends with the broadcaster.
 */
export class RecentMessages {
  readonly #byRoom = new Map<RoomInfo, Map<string, RecentMessage>>();

  private constructor() {}

  /** Begins with what the channels' history has: a node that was started again knows it, too. */
  static async load(broadcaster: Broadcaster<Visitor>): Promise<RecentMessages> {
    const recent = new RecentMessages();
    await Promise.all(ROOMS.map(async (room) => {
      recent.#follow(room, await subscribeFromEarlier(broadcaster, room.channel));
    }));
    return recent;
  }

  /** Oldest first. */
  of(room: RoomInfo): RecentMessage[] {
    return [...this.#byRoom.get(room)?.values() ?? []];
  }

  async #follow(room: RoomInfo, subscription: BroadcastSubscription): Promise<void> {
    const byNonce = new Map<string, RecentMessage>();
    this.#byRoom.set(room, byNonce);
    for await (const { event, data, position } of subscription) {
      const message = event === "message" ? parseMessage(data) : undefined;
      // A page that sends again what it sent before does so under the same id, but others may not.
      if (message === undefined || position === undefined || byNonce.has(message.nonce)) continue;
      byNonce.set(message.nonce, { position, message });
      for (const oldest of byNonce.keys()) {
        if (byNonce.size <= MAX_MESSAGES) break;
        byNonce.delete(oldest);
      }
    }
  }
}

/** Subscribes from as far back as is wanted and stored. */
async function subscribeFromEarlier(
  broadcaster: Broadcaster<Visitor>,
  channel: string,
): Promise<BroadcastSubscription> {
  const live = broadcaster.subscribe(channel);
  const { position } = await live.ready;
  if (position === undefined) return live;
  for (let count = MAX_MESSAGES; count > 0; count = Math.floor(count / 2)) {
    const after = { ...position, offset: Math.max(0, position.offset - count) };
    const earlier = broadcaster.subscribe(channel, { after });
    if ((await earlier.ready).recovery === "ok") {
      live.unsubscribe();
      return earlier;
    }
    earlier.unsubscribe();
  }
  return live;
}
