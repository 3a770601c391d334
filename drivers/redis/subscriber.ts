import type { Redis } from "ioredis";
import type { Feed } from "./feed.ts";
import { Link } from "./link.ts";

/** Channels named in one command. */
const BATCH = 500;

/** Subscribes, sharded or not, and takes it back. */
export interface SubscribeCommands {
  readonly message: "message" | "smessage";
  subscribe(client: Redis, names: readonly string[]): Promise<unknown>;
  unsubscribe(client: Redis, name: string): Promise<unknown>;
}

/** For a server of its own or behind Sentinel. */
export const PLAIN: SubscribeCommands = {
  message: "message",
  subscribe: (client, names) => client.subscribe(...names),
  unsubscribe: (client, name) => client.unsubscribe(name),
};

/** What a subscriber tells its driver. */
export interface SubscriberHooks {
  /** A message on a channel that a feed is there for. */
  message(feed: Feed, text: string): void;
  up(): void;
  down(cause: unknown): void;
}

/** One connection that listens. After each reconnect it subscribes to everything anew. */
export class Subscriber {
  readonly #link: Link<Redis>;
  readonly #commands: SubscribeCommands;
  readonly #feeds = new Map<string, Feed>();

  constructor(
    make: () => Redis,
    heartbeatMs: number,
    commands: SubscribeCommands,
    hooks: SubscriberHooks,
  ) {
    this.#commands = commands;
    const onMessage = (name: string, text: string) => {
      const feed = this.#feeds.get(name);
      if (feed !== undefined) hooks.message(feed, text);
    };
    this.#link = new Link(() => make().on(commands.message, onMessage), heartbeatMs, {
      up: () => {
        this.#subscribe([...this.#feeds.keys()]);
        hooks.up();
      },
      down: (cause) => {
        for (const feed of this.#feeds.values()) feed.cut();
        hooks.down(cause);
      },
    });
  }

  /** Whether its connection is up. */
  get isUp(): boolean {
    return this.#link.isUp;
  }

  /** What went wrong last. */
  get lastError(): unknown {
    return this.#link.lastError;
  }

  /** Subscribes; the feed hears of each acknowledgement. */
  add(name: string, feed: Feed): void {
    this.#feeds.set(name, feed);
    if (this.#link.isUp) this.#subscribe([name]);
  }

  /**
   * Takes it back, where that feed is still the one that is subscribed. Nobody waits for Redis, which
   * may be frozen: where the connection goes meanwhile, the subscription goes with it.
   */
  remove(name: string, feed: Feed): void {
    if (this.#feeds.get(name) !== feed) return;
    this.#feeds.delete(name);
    if (this.#link.isUp) this.#commands.unsubscribe(this.#link.client, name).catch(() => {});
  }

  close(): Promise<void> {
    this.#feeds.clear();
    return this.#link.close();
  }

  async #subscribe(names: readonly string[]): Promise<void> {
    const { connection, client } = this.#link;
    for (let at = 0; at < names.length; at += BATCH) {
      const batch = names.slice(at, at + BATCH);
      const feeds = batch.map((name) => this.#feeds.get(name));
      try {
        await this.#commands.subscribe(client, batch);
      } catch (cause) {
        // A new connection subscribes to everything anew.
        if (this.#link.connection === connection) this.#link.renew(cause);
        return;
      }
      for (const [i, name] of batch.entries()) {
        const feed = feeds[i];
        if (feed !== undefined && this.#feeds.get(name) === feed) feed.acknowledged();
      }
    }
  }
}
