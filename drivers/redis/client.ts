import { type Cluster, Redis, type RedisOptions as ConnectionOptions } from "ioredis";
import type { RedisClient, RedisOptions } from "./options.ts";

/**
 * What our connections must not do: queue, send again or subscribe again by themselves. A command
 * whose answer was lost may have been executed, so only its caller can say what is right.
 */
const OWN: ConnectionOptions = {
  lazyConnect: true,
  keyPrefix: "",
  enableOfflineQueue: false,
  enableReadyCheck: true,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  reconnectOnError: null,
  readOnly: false,
  monitor: false,
  stringNumbers: false,
  replyMapping: "legacy",
  // What is silent does not say goodbye either.
  disconnectTimeout: 100,
};

/** What the connections are made like: the application's client, or one that is never connected. */
export function templateOf({ client, url }: RedisOptions): Redis | Cluster {
  if (isIoredis(client)) return client;
  return new Redis(url ?? "", { lazyConnect: true });
}

/** Whether there is one; the options have checked that it is one of `ioredis`. */
function isIoredis(client: RedisClient | undefined): client is Redis | Cluster {
  return client !== undefined;
}

/** Tells the two kinds of client apart, also those of another copy of the package. */
export function isCluster(client: Redis | Cluster): client is Cluster {
  return "nodes" in client;
}

/** A client with the template's address, credentials and encryption, for us to connect. */
export function commandClient(template: Redis | Cluster): Redis | Cluster {
  if (!isCluster(template)) return template.duplicate({ ...OWN, enableAutoPipelining: true });
  return template.duplicate([], {
    lazyConnect: true,
    keyPrefix: "",
    enableOfflineQueue: false,
    // A pipeline of a cluster once came back short: ioredis 6.0 threw outside of every call of ours, and
    // the process ended. A command alone follows its slot by itself.
    enableAutoPipelining: false,
    scaleReads: "master",
    shardedSubscribers: false,
    clusterRetryStrategy: () => null,
    // With these it would try again by itself, though the answer may only have been lost.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    redisOptions: {
      ...template.options.redisOptions,
      keyPrefix: "",
      stringNumbers: false,
      replyMapping: "legacy",
      disconnectTimeout: 100,
    },
  });
}

/** The same for one that listens. */
export function subscriberClient(template: Redis): Redis {
  return template.duplicate({ ...OWN, enableAutoPipelining: false });
}
