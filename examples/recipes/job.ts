/**
 * Publishing from another process: a job, a queue's worker, a script. It needs the same Redis and
 * prefix as the servers, and no gateway.
 */
import { RedisBroadcaster } from "@airwave/broadcast/redis";

export async function settleOrder(url: string, id: number): Promise<void> {
  await using broadcaster = new RedisBroadcaster({ url, prefix: "shop" });
  await broadcaster.publish(`orders.${id}`, {
    event: "paid",
    data: { total: 12 },
    // A job that is tried again publishes the same id, and the event is delivered once.
    id: `order-${id}-paid`,
  });
}

if (import.meta.main) await settleOrder(Deno.args[0] ?? "redis://localhost", 7);
