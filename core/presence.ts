import { utf8ByteLength } from "../protocol/bytes.ts";
import type { BroadcastDriver } from "./driver.ts";
import { BroadcastConfigError, BroadcastHookError, BroadcastSubscribeError } from "./errors.ts";
import type { ErrorReporter } from "./hooks.ts";
import type { LeaseStore } from "./leases.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import {
  PresenceChannel,
  type PresenceChannelHost,
  type PresenceListener,
} from "./presence_channel.ts";
import type { PresenceInfo } from "./presence_info.ts";
import { PresenceOutbox } from "./presence_outbox.ts";
import { parseEntries, topicOf } from "./presence_words.ts";
import { explainBy } from "./reason.ts";
import { type PresenceWord, Roster } from "./roster.ts";

/** How soon the store is asked again after it failed. */
const RETRY_MS = 1_000;

/** How soon after a lease should have run out it is looked for. */
const SWEEP_DELAY_MS = 100;

/** Limits and times of presence. */
export interface PresenceSettings {
  readonly presenceGraceMs: number;
  readonly presenceLeaseMs: number;
  readonly maxPresenceMembers: number;
  readonly maxPresenceInfoBytes: number;
}

/** A user that connections of this node hold on a channel. */
interface Held {
  readonly member: PresenceInfo;
  readonly seq: number;
  connections: number;
  /** Runs after the last connection left. */
  grace: ReturnType<typeof setTimeout> | undefined;
}

/** A presence channel on this node, and who is there by way of it. */
interface Room {
  readonly channel: PresenceChannel;
  readonly users: Map<string, Held>;
}

/**
 * This node's part in presence: it speaks for its own connections, keeps its lease, and notices
 * nodes whose lease has run out. Each node tells its own watchers what changed, so that the end of a
 * node is announced once to each.
 */
export class Presence {
  readonly #driver: BroadcastDriver;
  readonly #settings: PresenceSettings;
  readonly #reporter: ErrorReporter;
  readonly #node = crypto.randomUUID();
  readonly #rooms = new Map<string, Room>();
  readonly #host: PresenceChannelHost;
  readonly #outbox: PresenceOutbox;
  #seq = 0;
  #beat: ReturnType<typeof setTimeout> | undefined;
  #state: "open" | "closed" = "open";

  constructor(
    driver: BroadcastDriver,
    settings: PresenceSettings,
    reporter: ErrorReporter,
    listen: (topic: string, listener: ChannelListener) => Attachment,
  ) {
    this.#driver = driver;
    this.#settings = settings;
    this.#reporter = reporter;
    this.#host = {
      node: this.#node,
      maxMembers: settings.maxPresenceMembers,
      list: async (channel) =>
        parseEntries(await this.#leases(channel).list(topicOf(channel)))
          .filter(({ node }) => node !== this.#node),
      ownWords: (channel) => this.#ownWords(channel),
      listen: (channel, listener) => listen(topicOf(channel), listener),
      onThrow: (cause) =>
        reporter.report(new BroadcastHookError("A listener of presence threw", { cause })),
      onFailure: (channel, cause) =>
        reporter.report(failure(driver, "load who is on", channel, cause)),
    };
    this.#outbox = new PresenceOutbox(this.#node, driver, settings.presenceLeaseMs, {
      ownWords: () => this.#allOwnWords(),
      onFailure: (channel, cause) => {
        reporter.report(failure(driver, "tell who is on", channel, cause));
        this.#scheduleBeat(RETRY_MS);
      },
    });
  }

  /** Everybody on a channel, asked from the store. */
  async members(channel: string): Promise<readonly PresenceInfo[]> {
    try {
      const roster = new Roster();
      roster.replace(parseEntries(await this.#leases(channel).list(topicOf(channel))));
      return roster.members;
    } catch (cause) {
      throw failure(this.#driver, "list who is on", channel, cause);
    }
  }

  /**
   * Watches a channel, as a member where one is given, until the returned function is called.
   *
   * @throws {BroadcastConfigError} Where the driver keeps no leases, or the description is too large.
   */
  watch(
    channel: string,
    listener: PresenceListener,
    member: PresenceInfo | undefined,
  ): () => void {
    this.#leases(channel);
    if (member !== undefined) this.#checkSize(channel, member);
    const room = this.#room(channel);
    const held = member === undefined ? undefined : this.#enter(channel, room, member);
    const unwatch = room.channel.watch(listener);
    let leave: (() => void) | undefined = () => {
      unwatch();
      if (held !== undefined) this.#release(channel, room, held);
      this.#closeIfEmpty(channel, room);
    };
    return () => {
      leave?.();
      leave = undefined;
    };
  }

  /**
   * Ends this node's part. Its users stay for the grace period, so that a deployment does not flap:
   * whoever comes back to another node meanwhile never left.
   */
  async close(): Promise<void> {
    this.#state = "closed";
    clearTimeout(this.#beat);
    for (const { channel, users } of this.#rooms.values()) {
      channel.close();
      for (const { grace } of users.values()) clearTimeout(grace);
    }
    this.#rooms.clear();
    await this.#outbox.close(this.#settings.presenceGraceMs);
  }

  #leases(channel: string): LeaseStore {
    const { leases } = this.#driver;
    if (leases !== undefined) return leases;
    throw new BroadcastConfigError(
      `Cannot keep presence on channel "${channel}": the driver keeps no leases`,
      { context: { channel } },
    );
  }

  #checkSize(channel: string, member: PresenceInfo): void {
    const { maxPresenceInfoBytes: max } = this.#settings;
    const bytes = utf8ByteLength(JSON.stringify(member));
    if (bytes <= max) return;
    throw new BroadcastConfigError(
      `Cannot enter channel "${channel}": a member's description is at most ${max} bytes, got ${bytes}`,
      { context: { channel, user: member.id } },
    );
  }

  #room(name: string): Room {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = { channel: new PresenceChannel(name, this.#host), users: new Map() };
      this.#rooms.set(name, room);
      if (this.#rooms.size === 1) this.#scheduleBeat(this.#settings.presenceLeaseMs / 3);
    }
    return room;
  }

  #closeIfEmpty(name: string, room: Room): void {
    if (room.users.size > 0 || room.channel.watchers > 0) return;
    // Who was told of the last one's leave may have left, too, and the next one come.
    if (this.#rooms.get(name) !== room) return;
    room.channel.close();
    this.#rooms.delete(name);
    if (this.#rooms.size === 0) clearTimeout(this.#beat);
  }

  #enter(channel: string, room: Room, member: PresenceInfo): Held {
    let held = room.users.get(member.id);
    if (held === undefined) {
      held = { member, seq: ++this.#seq, connections: 0, grace: undefined };
      room.users.set(member.id, held);
      this.#say(channel, room, { node: this.#node, user: member.id, seq: held.seq, member });
    }
    clearTimeout(held.grace);
    held.connections++;
    return held;
  }

  #release(channel: string, room: Room, held: Held): void {
    if (--held.connections > 0 || this.#state === "closed") return;
    held.grace = setTimeout(() => {
      const { id: user } = held.member;
      room.users.delete(user);
      const word = { node: this.#node, user, seq: ++this.#seq, member: undefined };
      this.#say(channel, room, word);
      this.#closeIfEmpty(channel, room);
    }, this.#settings.presenceGraceMs);
  }

  *#ownWords(channel: string): Iterable<PresenceWord> {
    for (const { member, seq } of this.#rooms.get(channel)?.users.values() ?? []) {
      yield { node: this.#node, user: member.id, seq, member };
    }
  }

  *#allOwnWords(): Iterable<readonly [channel: string, word: PresenceWord]> {
    for (const channel of this.#rooms.keys()) {
      for (const word of this.#ownWords(channel)) yield [channel, word];
    }
  }

  #say(channel: string, room: Room, word: PresenceWord): void {
    room.channel.applyOwn(word);
    this.#outbox.add(channel, word);
  }

  #scheduleBeat(afterMs: number): void {
    clearTimeout(this.#beat);
    if (this.#state === "closed") return;
    this.#beat = setTimeout(() => this.#onBeat(), afterMs);
  }

  async #onBeat(): Promise<void> {
    let nextMs = this.#settings.presenceLeaseMs / 3;
    try {
      await this.#outbox.renew();
      nextMs = Math.min(nextMs, await this.#sweep() + SWEEP_DELAY_MS);
    } catch (cause) {
      const [channel = ""] = this.#rooms.keys();
      this.#reporter.report(failure(this.#driver, "keep the lease of", channel, cause));
      nextMs = Math.min(nextMs, RETRY_MS);
    }
    this.#outbox.flush();
    if (this.#rooms.size > 0) this.#scheduleBeat(nextMs);
  }

  /** Takes out nodes whose lease has run out; tells when the next one could. */
  async #sweep(): Promise<number> {
    // Asked for before the store answers: a node that is heard of meanwhile is not judged by it.
    const known = new Set([...this.#rooms.values()].flatMap(({ channel }) => [...channel.nodes]));
    known.delete(this.#node);
    if (known.size === 0) return Infinity;
    const remaining = await this.#driver.leases?.remainingMs([...known]) ?? new Map();
    for (const node of known) {
      if (remaining.has(node)) continue;
      for (const { channel } of this.#rooms.values()) channel.dropNode(node);
    }
    return Math.min(...remaining.values());
  }
}

function failure(
  driver: BroadcastDriver,
  action: string,
  channel: string,
  cause: unknown,
): BroadcastSubscribeError {
  return new BroadcastSubscribeError(
    `Cannot ${action} channel "${channel}": ${explainBy(driver, cause)}`,
    { status: 503, context: { channel }, cause },
  );
}
