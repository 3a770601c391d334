import { monotonicUlid } from "@std/ulid";
import type { BroadcastDriver } from "./driver.ts";
import { encodeAnnouncement, encodeEntry, MAX_WORDS, topicOf } from "./presence_words.ts";
import type { PresenceWord } from "./roster.ts";

/** What an outbox asks of its node. */
export interface PresenceOutboxHost {
  /** All that the node says about its own connections, on every channel. */
  ownWords(): Iterable<readonly [channel: string, word: PresenceWord]>;
  /** Words could not be stored or announced: they wait for the next `flush`. */
  onFailure(channel: string, cause: unknown): void;
}

/**
 * What a node says about its own connections, on its way to the others: stored by the node's lease,
 * then announced. Of several words on one user the last is said.
 */
export class PresenceOutbox {
  readonly #node: string;
  readonly #driver: BroadcastDriver;
  readonly #leaseMs: number;
  readonly #host: PresenceOutboxHost;
  /** Words that are not stored and announced yet, by channel and user. */
  readonly #unsaid = new Map<string, Map<string, PresenceWord>>();
  #saying: Promise<void> | undefined;
  /** The lease that all this node has said lives by. */
  #lease: string | undefined;
  #state: "open" | "closed" = "open";

  constructor(node: string, driver: BroadcastDriver, leaseMs: number, host: PresenceOutboxHost) {
    this.#node = node;
    this.#driver = driver;
    this.#leaseMs = leaseMs;
    this.#host = host;
  }

  /** Takes a word, to be said with all others of this turn. */
  add(channel: string, word: PresenceWord): void {
    this.#note(channel, word);
    this.flush();
  }

  /** Says what is unsaid; what comes meanwhile goes together, next. */
  flush(): void {
    if (this.#unsaid.size === 0) return;
    this.#saying ??= this.#sayAll().finally(() => this.#saying = undefined);
  }

  /** Renews the lease. Where it had run out, all that the node ever said is to be said again. */
  async renew(): Promise<void> {
    await this.#saying;
    await this.#store([]);
  }

  /** Says no more, and lets what was said stand for so long. */
  async close(lastingMs: number): Promise<void> {
    this.#state = "closed";
    this.#unsaid.clear();
    await this.#saying;
    if (this.#lease === undefined) return;
    try {
      await this.#driver.leases?.write(this.#node, Math.max(1, lastingMs), []);
    } catch {
      // The lease runs out by itself.
    }
  }

  #note(channel: string, word: PresenceWord): void {
    const words = this.#unsaid.get(channel) ?? new Map<string, PresenceWord>();
    const known = words.get(word.user);
    if (known === undefined || known.seq < word.seq) words.set(word.user, word);
    this.#unsaid.set(channel, words);
  }

  async #sayAll(): Promise<void> {
    // What connections say in this turn goes together.
    await undefined;
    while (this.#unsaid.size > 0 && this.#state === "open") {
      const words = [...this.#unsaid];
      this.#unsaid.clear();
      try {
        await this.#store(words);
        await Promise.all(words.map(([channel, said]) => this.#announce(channel, said)));
      } catch (cause) {
        for (const [channel, said] of words) {
          for (const word of said.values()) this.#note(channel, word);
        }
        this.#host.onFailure(words[0]?.[0] ?? "", cause);
        return;
      }
    }
  }

  /** Renews the lease on the way. */
  async #store(words: readonly [string, ReadonlyMap<string, PresenceWord>][]): Promise<void> {
    const changes = words.flatMap(([channel, said]) =>
      [...said.values()].map((word) => ({
        topic: topicOf(channel),
        key: word.user,
        value: encodeEntry(word),
      }))
    );
    const lease = await this.#driver.leases?.write(this.#node, this.#leaseMs, changes);
    const hadRunOut = this.#lease !== undefined && lease !== this.#lease;
    this.#lease = lease;
    if (!hadRunOut) return;
    for (const [channel, word] of this.#host.ownWords()) this.#note(channel, word);
  }

  async #announce(channel: string, said: ReadonlyMap<string, PresenceWord>): Promise<void> {
    const words = [...said.values()];
    for (let i = 0; i < words.length; i += MAX_WORDS) {
      await this.#driver.publish(topicOf(channel), {
        id: monotonicUlid(),
        event: "presence",
        json: encodeAnnouncement(this.#node, words.slice(i, i + MAX_WORDS)),
      });
    }
  }
}
