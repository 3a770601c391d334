import { type Broadcaster, MemoryBroadcaster } from "@airwave/broadcast";
import { RedisBroadcaster } from "@airwave/broadcast/redis";
import type { Visitor } from "./visitors.ts";

const OPTIONS = {
  defaultAccess: "deny",
  // Whoever was away for an hour still finds what was said.
  historySize: 1_000,
  historyTtlMs: 60 * 60_000,
  onError: (error: Error) => console.error(error.message),
} as const;

/** One process, or with a Redis any number of them: the rest of the chat does not see which. */
export function openBroadcaster(redisUrl: string | undefined): Broadcaster<Visitor> {
  return redisUrl === undefined
    ? new MemoryBroadcaster<Visitor>(OPTIONS)
    : new RedisBroadcaster<Visitor>({ ...OPTIONS, url: redisUrl, prefix: "airwave-chat" });
}
