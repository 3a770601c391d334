import {
  CLIENT_LEFT,
  type CloseCode,
  type CloseVerdict,
  closeVerdict,
} from "../protocol/close_codes.ts";
import { encodeFrame } from "../protocol/codec.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import { CHANNEL_NAME_RULE, isChannelName } from "../protocol/names.ts";
import { Announcer } from "./announcer.ts";
import { BroadcastChannel, type ChannelEvents, type ChannelOwner } from "./channel.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { type BroadcastClientError, failure } from "./errors.ts";
import type { BroadcastClientEvents, ConnectionState } from "./events.ts";
import { Listeners } from "./listeners.ts";
import { type BroadcastClientOptions, type ClientSettings, readClientOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { watchPage } from "./page.ts";
import type { ChannelPosition } from "./position.ts";
import { Retry } from "./retry.ts";
import { Subscription, type SubscriptionActions } from "./subscription.ts";

/**
 * Keeps one connection to a gateway, comes back by itself, and hands events to the channels of a
 * page.
 *
 * @example
 * ```ts
 * import { BroadcastClient } from "@airwave/broadcast/client";
 *
 * const client = new BroadcastClient({ url: "ws://localhost:8000/_broadcast", autoConnect: false });
 * client.channel("news").on("headline", (data) => console.log(data));
 * client.on("state", ({ new: state }) => console.log(state));
 * client.connect();
 * client.disconnect();
 * ```
 */
export class BroadcastClient implements Disposable {
  readonly #settings: ClientSettings;
  readonly #announcer = new Announcer();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #outbox: Outbox;
  readonly #retry: Retry;
  readonly #actions: ChannelOwner & SubscriptionActions & ConnectionEvents;
  #state: ConnectionState = "disconnected";
  #connection: Connection | undefined;
  /** Whether a refusal was answered with a fresh token already. */
  #hasAskedAgain = false;
  /** Counts requests. */
  #number = 0;
  /** Counts attempts without a welcome; each transport is given two, and one that worked is kept. */
  #attempt = 0;
  /** Why the last attempt, or the connection, came to its end. */
  #reason = "";
  #watch: AbortController | undefined;

  /**
   * Makes a client and, unless told otherwise, connects.
   *
   * @throws {BroadcastClientError} `client.config` on an unknown option, a bad value, or where there
   * is neither `url` nor a page to take it from.
   */
  constructor(options: BroadcastClientOptions = {}) {
    this.#settings = readClientOptions(options);
    this.#outbox = new Outbox(
      this.#settings,
      this.#announcer,
      (text) => this.#connection?.send(text),
    );
    this.#retry = new Retry(
      this.#settings,
      () => this.#open(),
      (delayMs) =>
        this.#announcer.tell("reconnecting", {
          attempt: this.#retry.failed,
          delayMs,
          reason: this.#reason,
        }),
    );
    this.#actions = {
      publish: (channel, ...publish) => {
        // What is asked for comes first, so that a page hears its own first event.
        this.#sync(channel);
        return this.#outbox.publish(++this.#number, channel, ...publish);
      },
      ask: (t, c, p) => {
        const n = ++this.#number;
        return this.#connection?.send(encodeFrame({ t, c, n, p })) && n;
      },
      sync: (channel) => this.#scheduleSync(channel),
      isForOthers: (frame) => this.#outbox.isForOthers(frame),
      open: () => this.#onOpen(),
      frame: (frame) => this.#onFrame(frame),
      closed: (...end) => this.#onClosed(...end),
    };
    if (this.#settings.autoConnect) this.connect();
  }

  /** The current connection's id, `undefined` while there is none. */
  get id(): string | undefined {
    return this.#connection?.id;
  }

  /** How things stand. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether the server's `welcome` came and the connection lives. */
  get connected(): boolean {
    return this.#state === "connected";
  }

  /** Connects, unless that is under way already. */
  connect(): void {
    if (this.#state !== "disconnected") return;
    this.#retry.reset();
    this.#watch = watchPage(() => {
      this.#retry.hurry();
      this.#connection?.probe();
    });
    this.#announcer.change(() => {
      this.#setState("connecting");
      this.#open();
    });
  }

  /** Closes the connection and stops trying. Channels are kept for the next `connect()`. */
  disconnect(): void {
    if (this.#state === "disconnected") return;
    this.#announcer.change(() => this.#stop(CLIENT_LEFT));
  }

  /** The same as {@linkcode BroadcastClient.disconnect}, for `using`. */
  [Symbol.dispose](): void {
    this.disconnect();
  }

  /**
   * Holds a channel; it is subscribed as long as somebody holds it, again after each reconnect.
   *
   * With `after` it starts behind that position: what was published since comes first, or the channel
   * is told as lost. So a page loads a state, with the position that it was read at, and goes on from
   * there.
   *
   * @throws {BroadcastClientError} `client.config` where the name breaks the rule, or where `after` is
   * given and others hold the channel already.
   */
  channel<Events extends Record<keyof Events, unknown> = ChannelEvents>(
    name: string,
    { after }: { readonly after?: ChannelPosition | undefined } = {},
  ): BroadcastChannel<Events> {
    const action = `hold "${name}"`;
    if (!isChannelName(name)) throw failure("config", action, CHANNEL_NAME_RULE);
    const subscription = this.#subscriptions.get(name) ??
      new Subscription(name, this.#settings, this.#announcer, this.#actions);
    if (after && subscription.holds.size) {
      throw failure("config", action, '"after" is for who holds it first');
    }
    const listeners = new Listeners(this.#announcer, name);
    this.#subscriptions.set(name, subscription);
    subscription.hold(listeners, after);
    this.#scheduleSync(name);
    return new BroadcastChannel<Events>(name, listeners, subscription, this.#actions);
  }

  /**
   * Listens to what happens to the connection.
   *
   * @returns A function that takes the listener away.
   */
  on<Name extends keyof BroadcastClientEvents>(
    event: Name,
    listener: (info: BroadcastClientEvents[Name]) => unknown,
  ): () => void {
    return this.#announcer.listeners.add(event, listener);
  }

  #setState(state: ConnectionState): void {
    const old = this.#state;
    this.#state = state;
    if (old !== state) this.#announcer.tell("state", { old, new: state });
  }

  #open(): void {
    const { transports } = this.#settings;
    this.#connection = new Connection(
      this.#settings,
      transports[(this.#attempt >> 1) % transports.length],
      this.#announcer,
      this.#actions,
    );
    // Who is asked for a token may disconnect, and must find what she ends.
    this.#connection.open();
  }

  #onOpen(): void {
    this.#retry.reset();
    this.#hasAskedAgain = false;
    this.#attempt -= this.#attempt % 2;
    if (this.connected) return;
    this.#setState("connected");
    for (const name of this.#subscriptions.keys()) this.#sync(name);
    this.#outbox.sendAll();
    this.#announcer.tell("open", { id: this.id ?? "" });
  }

  #onFrame(frame: ServerFrame): void {
    if ((frame.t === "ok" || frame.t === "err") && this.#outbox.answer(frame)) return;
    if ("c" in frame) this.#subscriptions.get(frame.c)?.receive(frame);
  }

  #onClosed(how: CloseCode, delayMs?: number, error?: BroadcastClientError): void {
    let verdict = closeVerdict(how.code);
    const { token } = this.#connection ?? {};
    // A fresh token may change the server's mind, once.
    if (verdict === "never" && !error && token !== undefined && !this.#hasAskedAgain) {
      this.#hasAskedAgain = true;
      verdict = "now";
    }
    if (this.id === undefined) this.#attempt++;
    if (verdict === "never") {
      this.#stop(how);
      // A socket that cannot be made has said so itself.
      error ??= this.#refused(how, "the server said");
    } else if (this.#retry.failed >= this.#settings.maxReconnectAttempts) {
      this.#stop(how);
      error = this.#refused(how, "too many attempts failed, the last with", error);
    } else {
      this.#comeBack(how, verdict, delayMs);
    }
    if (error) this.#announcer.tell("error", error);
  }

  #refused({ code, reason }: CloseCode, rule: string, error?: BroadcastClientError) {
    const { url } = this.#settings;
    return failure("connection_refused", `connect to ${url}`, `${rule} ${code} ${reason}`, {
      reason,
      cause: error?.cause,
    });
  }

  #comeBack(how: CloseCode, verdict: CloseVerdict, delayMs?: number): void {
    const { connected } = this;
    this.#forgetConnection();
    this.#reason = how.reason;
    this.#setState("reconnecting");
    if (connected) this.#announcer.tell("close", { ...how, willReconnect: true });
    if (delayMs === undefined) this.#retry.schedule(verdict);
    else this.#retry.wait(delayMs);
  }

  #stop(how: CloseCode): void {
    this.#forgetConnection();
    this.#retry.stop();
    this.#watch?.abort();
    this.#setState("disconnected");
    this.#announcer.tell("close", { ...how, willReconnect: false });
  }

  #forgetConnection(): void {
    this.#connection?.close();
    this.#connection = undefined;
    for (const subscription of this.#subscriptions.values()) subscription.reset();
  }

  /** A page that mounts, unmounts and mounts in one turn asks once. */
  #scheduleSync(channel: string): void {
    queueMicrotask(() => this.#sync(channel));
  }

  /** Brings the server in line with how a channel is held now. */
  #sync(channel: string): void {
    if (this.#subscriptions.get(channel)?.sync() === false) this.#subscriptions.delete(channel);
  }
}
