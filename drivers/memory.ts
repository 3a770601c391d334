import type {
  BroadcastDriver,
  ChannelSink,
  DriverSubscription,
  HistoryRead,
} from "../core/driver.ts";
import { BROADCASTER_CHECKS, type BroadcasterOptions } from "../core/broadcaster_options.ts";
import { DriverBroadcaster } from "../core/driver_broadcaster.ts";
import { eventBytes, type EventRecord } from "../core/event.ts";
import { BroadcastClosedError } from "../core/errors.ts";
import { HistoryRing } from "../core/history.ts";
import type { LeaseStore } from "../core/leases.ts";
import { durationMs, integer, readOptions, type Resolved } from "../core/options.ts";
import type { Position } from "../core/position.ts";
import { Place, TouchOrder } from "../core/touch_order.ts";
import { DroppedIds } from "./memory/dropped_ids.ts";
import { MemoryLeases } from "./memory/leases.ts";

/** How much a {@linkcode MemoryBackend} keeps. */
export interface MemoryHistoryOptions {
  /** Most events kept per channel, 256 unless told; 0 keeps none. */
  readonly historySize?: number | undefined;
  /** How long an event is kept, in milliseconds; 300,000 (five minutes) unless told. */
  readonly historyTtlMs?: number | undefined;
  /** Most bytes of events kept over all channels, 64 MiB unless told. */
  readonly historyMaxBytes?: number | undefined;
  /** Most channels remembered while nobody subscribes to them, 10,000 unless told. */
  readonly historyMaxChannels?: number | undefined;
}

/** Options of {@linkcode MemoryBroadcaster}. */
export interface MemoryBroadcasterOptions extends BroadcasterOptions, MemoryHistoryOptions {}

const DEFAULTS = {
  historySize: 256,
  historyTtlMs: 5 * 60_000,
  historyMaxBytes: 64 * 1024 * 1024,
  historyMaxChannels: 10_000,
} as const satisfies MemoryHistoryOptions;

const CHECKS = {
  historySize: integer(0),
  historyTtlMs: durationMs(1),
  historyMaxBytes: integer(0),
  historyMaxChannels: integer(1),
};

/** A channel of a backend. */
class MemoryChannel {
  readonly ring: HistoryRing;
  /** The nodes that subscribe to it. */
  readonly sinks = new Set<ChannelSink>();
  readonly name: string;
  /** Among the channels with stored events. */
  readonly storing: Place<MemoryChannel> = new Place<MemoryChannel>(this);
  /** Among the channels that nobody subscribes to. */
  readonly idling: Place<MemoryChannel> = new Place<MemoryChannel>(this);

  constructor(name: string, epoch: string) {
    this.name = name;
    this.ring = new HistoryRing(epoch);
  }
}

/**
 * The channels of one process: a ring of recent events each, bounded over all of them. Several
 * {@linkcode MemoryDriver}s may share one, and are then nodes over one backend, as in tests.
 *
 * Nothing here runs on a timer. Whatever is published or read drops what is too old on its own
 * channel, and on those that are silent longest, which stand at the front. Until then a channel may
 * keep an event past its age, never past the other limits.
 *
 * @example
 * ```ts
 * import { DriverBroadcaster, MemoryBackend, MemoryDriver } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * const backend = new MemoryBackend();
 * await using here = new DriverBroadcaster(new MemoryDriver(backend));
 * await using there = new DriverBroadcaster(new MemoryDriver(backend));
 * await using subscription = there.subscribe("news");
 * await subscription.ready;
 * await here.publish("news", { event: "headline", data: "Over two nodes" });
 * assertEquals((await subscription.next()).value?.data, "Over two nodes");
 * ```
 */
export class MemoryBackend {
  readonly #limits: Resolved<MemoryHistoryOptions, typeof DEFAULTS>;
  readonly #channels = new Map<string, MemoryChannel>();
  /** Channels with stored events, the longest silent first. */
  readonly #stored = new TouchOrder<MemoryChannel>();
  /** Channels that nobody subscribes to, the longest untouched first. */
  readonly #idle = new TouchOrder<MemoryChannel>();
  /** Leased entries of the nodes over this backend. */
  readonly leases: LeaseStore = new MemoryLeases();
  readonly #dropped = new DroppedIds();
  readonly #epochPrefix = crypto.randomUUID();
  #epochs = 0;
  #bytes = 0;
  /** No channel but the one in hand has to be looked at for events that are older than this. */
  #silentSinceMs = Date.now();

  /**
   * Makes an empty backend.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: MemoryHistoryOptions = {}) {
    this.#limits = readOptions("a memory backend", options, CHECKS, DEFAULTS);
  }

  /** Bytes of events stored now, over all channels. */
  get storedBytes(): number {
    return this.#bytes;
  }

  /** Channels remembered now, with or without stored events. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** Stores an event and hands it to every subscribed node, in this turn. */
  publish(name: string, record: EventRecord): Position {
    const nowMs = Date.now();
    const channel = this.#channel(name);
    const { ring } = channel;
    this.#expire(channel, nowMs);
    if (record.isNew !== true) {
      const known = ring.find(record.id) ?? this.#dropped.find(record.id, ring.epoch);
      if (known !== undefined) return known;
    }
    const position = ring.append(record, nowMs);
    this.#bytes += eventBytes(record);
    this.#stored.touch(channel.storing);
    while (ring.size > this.#limits.historySize) this.#dropOldest(channel);
    while (this.#bytes > this.#limits.historyMaxBytes) {
      const silent = this.#stored.first;
      if (silent === undefined) break;
      this.#dropOldest(silent);
    }
    for (const sink of channel.sinks) sink.event(record, position);
    return position;
  }

  /** Adds a sink and tells it that the channel is live. */
  subscribe(name: string, sink: ChannelSink): () => void {
    const channel = this.#channel(name);
    channel.sinks.add(sink);
    this.#idle.delete(channel.idling);
    sink.live(channel.ring.top);
    return () => {
      if (channel.sinks.delete(sink) && channel.sinks.size === 0) this.#setIdle(channel);
    };
  }

  /** Everything after a position, where that can be proven. */
  read(name: string, after: Position): HistoryRead {
    const channel = this.#channel(name);
    const { ring } = channel;
    this.#expire(channel, Date.now());
    const events = ring.after(after);
    return events === undefined
      ? { complete: false, top: ring.top }
      : { complete: true, events, top: ring.top };
  }

  #channel(name: string): MemoryChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new MemoryChannel(name, `${this.#epochPrefix}-${++this.#epochs}`);
      this.#channels.set(name, channel);
    }
    if (channel.sinks.size === 0) this.#setIdle(channel);
    return channel;
  }

  /**
   * Puts a channel last among those that may be given up, and gives up the first where there are
   * too many: who comes back to that one is told `lost`, as its next epoch is another.
   */
  #setIdle(channel: MemoryChannel): void {
    this.#idle.touch(channel.idling);
    const longest = this.#idle.first;
    if (longest === undefined || this.#idle.size <= this.#limits.historyMaxChannels) return;
    while (longest.ring.size > 0) this.#dropOldest(longest);
    this.#channels.delete(longest.name);
    this.#idle.delete(longest.idling);
  }

  /** Drops what is past its age: in this channel, and in those that are silent for longer. */
  #expire(channel: MemoryChannel, nowMs: number): void {
    const deadlineMs = nowMs - this.#limits.historyTtlMs;
    this.#dropUntil(channel, deadlineMs);
    if (this.#silentSinceMs > deadlineMs) return;
    let silent = this.#stored.first;
    while (silent !== undefined && this.#dropUntil(silent, deadlineMs)) silent = this.#stored.first;
    this.#silentSinceMs = silent?.ring.oldestAtMs ?? nowMs;
  }

  /** Drops the events up to a time; true if there were any. */
  #dropUntil(channel: MemoryChannel, deadlineMs: number): boolean {
    const { ring } = channel;
    if (ring.oldestAtMs > deadlineMs) return false;
    while (ring.oldestAtMs <= deadlineMs) this.#dropOldest(channel);
    return true;
  }

  #dropOldest(channel: MemoryChannel): void {
    const { ring } = channel;
    const dropped = ring.dropOldest();
    if (dropped !== undefined) {
      this.#bytes -= eventBytes(dropped.record);
      this.#dropped.add(dropped);
    }
    if (ring.size === 0) this.#stored.delete(channel.storing);
  }
}

/**
 * Carries events within one process. With a {@linkcode MemoryBackend} of its own it is the driver of
 * {@linkcode MemoryBroadcaster}; two on one backend are two nodes.
 *
 * @example Two nodes in one test
 * ```ts
 * import { DriverBroadcaster, MemoryBackend, MemoryDriver } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * const backend = new MemoryBackend({ historySize: 10 });
 * await using a = new DriverBroadcaster(new MemoryDriver(backend));
 * await using b = new DriverBroadcaster(new MemoryDriver(backend));
 * await using subscription = b.subscribe("news");
 * await subscription.ready;
 * await a.publish("news", { event: "headline", data: "It works" });
 * assertEquals((await subscription.next()).value?.data, "It works");
 * ```
 */
export class MemoryDriver implements BroadcastDriver {
  /** Numbers and stores events; nodes that share a backend object reach each other. */
  readonly abilities: {
    readonly history: true;
    readonly localHistory: true;
    readonly multiNode: true;
  } = { history: true, localHistory: true, multiNode: true };
  /** Who holds what, for presence. */
  readonly leases: LeaseStore;
  readonly #backend: MemoryBackend;
  readonly #subscriptions = new Set<() => void>();
  #isClosed = false;

  /** Makes a node over a backend, its own one unless told. */
  constructor(backend: MemoryBackend = new MemoryBackend()) {
    this.#backend = backend;
    this.leases = backend.leases;
  }

  /** Stores and delivers in the same turn, so that order needs no lock. */
  publish(channel: string, record: EventRecord): Promise<Position> {
    if (this.#isClosed) return Promise.reject(new BroadcastClosedError("publish on this driver"));
    return Promise.resolve(this.#backend.publish(channel, record));
  }

  /** Live at once: there is nobody to wait for. */
  subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription> {
    if (this.#isClosed) return Promise.reject(new BroadcastClosedError("subscribe on this driver"));
    const end = this.#backend.subscribe(channel, sink);
    this.#subscriptions.add(end);
    return Promise.resolve({
      close: () => {
        end();
        this.#subscriptions.delete(end);
        return Promise.resolve();
      },
    });
  }

  /** Reads the ring. */
  read(channel: string, after: Position): Promise<HistoryRead> {
    return Promise.resolve(this.#backend.read(channel, after));
  }

  /** Ends this node's subscriptions; a shared backend stays as it is. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#subscriptions) end();
    this.#subscriptions.clear();
    return Promise.resolve();
  }
}

/**
 * A broadcaster for one process, with nothing to install. It keeps the last 256 events of a channel
 * for five minutes, so that whoever was away for a moment misses nothing while the process lives. An
 * id is known again while its event is kept, and until 100,000 others were dropped after it.
 *
 * @example
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 *
 * const broadcaster = new MemoryBroadcaster();
 * const gateway = new BroadcastGateway({ broadcaster });
 * const server = Deno.serve({ port: 0, onListen() {} }, gateway.handler);
 *
 * await broadcaster.publish("news", { event: "headline", data: { title: "It works" } });
 *
 * await gateway.close();
 * await broadcaster.close();
 * await server.shutdown();
 * ```
 */
export class MemoryBroadcaster<Subject = unknown> extends DriverBroadcaster<Subject> {
  /**
   * Makes a broadcaster with a memory of its own.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: MemoryBroadcasterOptions = {}) {
    readOptions("a MemoryBroadcaster", options, { ...BROADCASTER_CHECKS, ...CHECKS }, {});
    const { historySize, historyTtlMs, historyMaxBytes, historyMaxChannels, ...rest } = options;
    const backend = new MemoryBackend({
      historySize,
      historyTtlMs,
      historyMaxBytes,
      historyMaxChannels,
    });
    super(new MemoryDriver(backend), rest);
  }
}
