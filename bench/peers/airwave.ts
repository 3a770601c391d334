/** What both listeners of ours are started with: everything on, as in an application. */
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";

/** A gateway with a rule on every channel, history, pings and all limits. */
export function airwave({ history = true }: { history?: boolean }) {
  const broadcaster = new MemoryBroadcaster(history ? {} : { historySize: 0 });
  broadcaster.authorize("*", () => true);
  const gateway = new BroadcastGateway({ broadcaster });
  return {
    gateway,
    publish(channel: string, data: object): void {
      broadcaster.publish(channel, { event: "n", data });
    },
    frame: (channel: string, data: object): string =>
      JSON.stringify({ t: "msg", c: channel, e: "n", d: data, i: "0".repeat(26), o: 10_000 }),
  };
}
