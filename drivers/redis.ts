/**
 * Many nodes over one Redis.
 *
 * @module
 */
import { broadcasterOptions } from "../core/broadcaster_options.ts";
import { DriverBroadcaster } from "../core/driver_broadcaster.ts";
import { RedisDriver } from "./redis/driver.ts";
import {
  readRedisOptions,
  type RedisBroadcasterOptions,
  type RedisClient,
} from "./redis/options.ts";

export type { RedisBroadcasterOptions, RedisClient };

/**
 * A broadcaster for many nodes over one Redis, 7.0 or later: a server of its own, one behind Sentinel,
 * or a cluster. Every event is numbered, stored and sent in one round trip, and a node that lost its
 * connection closes the gap from what is stored.
 *
 * @example
 * ```ts ignore
 * import { RedisBroadcaster } from "@airwave/broadcast/redis";
 *
 * await using broadcaster = new RedisBroadcaster({ url: "redis://localhost", prefix: "shop" });
 * await broadcaster.publish("orders.7", { event: "paid", data: { total: 12 } });
 * ```
 */
export class RedisBroadcaster<Subject = unknown> extends DriverBroadcaster<Subject> {
  /**
   * Makes a broadcaster and begins to connect. Nothing waits for that: what is called meanwhile is
   * done once Redis is there, or rejects after `timeoutMs`.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: RedisBroadcasterOptions) {
    const read = readRedisOptions(options);
    super(new RedisDriver(read), broadcasterOptions(read));
  }
}
