/** A channel as a hook of React, held while the component is there. */
import type { BroadcastChannel, BroadcastClient, ChannelEvents } from "@airwave/broadcast/client";
// @ts-types="@types/react"
import { useEffect } from "react";

/**
 * Holds a channel. Components that hold the same one share its subscription, and one that is mounted,
 * unmounted and mounted again, as in strict mode, costs no traffic.
 *
 * @param listen Called once per hold, to put listeners on the channel. They see the component as it was
 * then: set state by a function, as in `setTotal((total) => total + more)`.
 */
export function useChannel<Events extends Record<keyof Events, unknown> = ChannelEvents>(
  client: BroadcastClient,
  name: string,
  listen: (channel: BroadcastChannel<Events>) => void,
): void {
  useEffect(() => {
    const channel = client.channel<Events>(name);
    listen(channel);
    return () => channel.leave();
  }, [client, name]);
}
