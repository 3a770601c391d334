import type { Cluster, Redis } from "ioredis";
import { reasonOf } from "../../core/reason.ts";
import { isCluster, subscriberClient } from "./client.ts";
import type { Feed } from "./feed.ts";
import { hashSlot } from "./hash_slot.ts";
import { Pauses } from "./pauses.ts";
import { type SubscribeCommands, Subscriber, type SubscriberHooks } from "./subscriber.ts";

/** Between two questions for the slots: the masters tell each other of a move within a second or so. */
const REFRESH_MS = 50;

/** In a cluster a channel's messages stay with the shard that holds its keys. */
const SHARDED: SubscribeCommands = {
  message: "smessage",
  // One command takes names of one slot only.
  subscribe: (client, names) =>
    Promise.all(names.map(async (name) => {
      try {
        await client.ssubscribe(name);
      } catch (error) {
        if (!reasonOf(error).startsWith("MOVED")) throw error;
        client.emit("moved");
      }
    })),
  unsubscribe: (client, name) => client.sunsubscribe(name),
};

/** Listens on a cluster: a connection to every master that holds a channel of ours. */
export class ClusterSubscriber {
  readonly #cluster: () => Redis | Cluster;
  readonly #heartbeatMs: number;
  readonly #hooks: SubscriberHooks;
  readonly #feeds = new Map<string, Feed>();
  /** By the master's address. */
  readonly #shards = new Map<string, Subscriber>();
  /** Where each name is subscribed. */
  readonly #homes = new Map<string, string>();
  readonly #ending = new Set<Promise<void>>();
  readonly #pauses = new Pauses();
  #isRefreshDue = false;
  #lastError: unknown;

  /** `cluster` is the driver's client of now, which knows the slots. */
  constructor(cluster: () => Redis | Cluster, heartbeatMs: number, hooks: SubscriberHooks) {
    this.#cluster = cluster;
    this.#heartbeatMs = heartbeatMs;
    this.#hooks = hooks;
  }

  get isUp(): boolean {
    return [...this.#shards.values()].every((shard) => shard.isUp);
  }

  /** What went wrong last. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Subscribes; the feed hears of each acknowledgement. */
  add(name: string, feed: Feed): void {
    this.#feeds.set(name, feed);
    this.#homes.delete(name);
    this.#placeOne(name, feed);
  }

  /** Takes it back, where that feed is still the one that is subscribed. */
  remove(name: string, feed: Feed): void {
    if (this.#feeds.get(name) !== feed) return;
    this.#feeds.delete(name);
    this.#leaveHome(name, feed);
  }

  async close(): Promise<void> {
    this.#feeds.clear();
    this.#pauses.close();
    for (const address of this.#shards.keys()) this.#end(address);
    await Promise.all(this.#ending);
  }

  /** The slots may have moved: brings every channel to the master that holds it. */
  place(): void {
    for (const [name, feed] of this.#feeds) this.#placeOne(name, feed);
    const used = new Set(this.#homes.values());
    for (const address of this.#shards.keys()) {
      if (!used.has(address)) this.#end(address);
    }
  }

  #placeOne(name: string, feed: Feed): void {
    const cluster = this.#cluster();
    const address = isCluster(cluster) ? cluster.slots[hashSlot(name)]?.[0] : undefined;
    if (address === undefined || this.#homes.get(name) === address) return;
    const shard = this.#shard(address);
    if (shard === undefined) return;
    this.#leaveHome(name, feed);
    this.#homes.set(name, address);
    shard.add(name, feed);
  }

  #leaveHome(name: string, feed: Feed): void {
    const home = this.#shards.get(this.#homes.get(name) ?? "");
    this.#homes.delete(name);
    home?.remove(name, feed);
  }

  #shard(address: string): Subscriber | undefined {
    const known = this.#shards.get(address);
    if (known !== undefined) return known;
    const cluster = this.#cluster();
    const nodes = isCluster(cluster) ? cluster.nodes("all") : [];
    const master = nodes.find((node) => addressOf(node) === address);
    if (master === undefined) return undefined;
    const connect = () => {
      const client = subscriberClient(master);
      return client.on("moved", () => this.#takenBack(address, client));
    };
    const shard = new Subscriber(connect, this.#heartbeatMs, SHARDED, {
      message: this.#hooks.message,
      up: this.#hooks.up,
      down: (cause) => {
        this.#lastError = cause;
        this.#hooks.down(cause);
        // Its slots may have another master by now.
        this.#refresh();
      },
    });
    this.#shards.set(address, shard);
    return shard;
  }

  /**
   * A master that gives a slot away ends our subscriptions to its channels. They are placed anew, also
   * where the slot has come back meanwhile.
   */
  async #takenBack(address: string, client: Redis): Promise<void> {
    const subscriptions = client.condition?.subscriber;
    const kept = new Set(subscriptions ? subscriptions.channels("ssubscribe") : []);
    for (const [name, home] of this.#homes) {
      const feed = this.#feeds.get(name);
      if (home === address && feed !== undefined && !kept.has(name)) this.#leaveHome(name, feed);
    }
    if (this.#isRefreshDue) return;
    this.#isRefreshDue = true;
    await this.#pauses.wait(REFRESH_MS);
    this.#isRefreshDue = false;
    if (this.#feeds.size > 0) this.#refresh();
  }

  #refresh(): void {
    const cluster = this.#cluster();
    if (isCluster(cluster) && cluster.status === "ready") cluster.refreshSlotsCache();
  }

  #end(address: string): void {
    const shard = this.#shards.get(address);
    this.#shards.delete(address);
    if (shard === undefined) return;
    const ending = shard.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

function addressOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}
