import { CLIENT_LEFT, type CloseCode, closeVerdict } from "../protocol/close_codes.ts";
import type { ErrFrame, GoneFrame, ServerFrame } from "../protocol/frames.ts";
import { CHANNEL_NAME_RULE, isChannelName } from "../protocol/names.ts";
import { Announcer } from "./announcer.ts";
import { BroadcastChannel, type ChannelEvents, type ChannelOwner } from "./channel.ts";
import { Connection, type ConnectionStep } from "./connection.ts";
import {
  type BroadcastClientError,
  type BroadcastClientErrorInit,
  failure,
  invalidArgument,
} from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { type BroadcastClientOptions, type ClientSettings, readClientOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { reportOnPage, watchPage } from "./page.ts";
import type { ChannelPosition } from "./position.ts";
import { Retry } from "./retry.ts";
import { Subscription, type SubscriptionActions } from "./subscription.ts";

/**
 * - `disconnected`: not connected and not trying.
 * - `connecting`: the first attempt after `connect()`.
 * - `connected`: the server's `welcome` came, and where there is a token it was accepted.
 * - `reconnecting`: the connection was lost, or the first attempt failed; waiting or trying again.
 */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "reconnecting";

/** The events of a client and what their listeners are given. */
export interface BroadcastClientEvents {
  /** Connected; `id` is the connection's id. */
  open: { readonly id: string };
  /** A connection ended, or the client gave up. */
  close: { readonly code: number; readonly reason: string; readonly willReconnect: boolean };
  /** The next attempt is `delayMs` away. */
  reconnecting: { readonly attempt: number; readonly delayMs: number };
  /** A channel is live: what is published after `position` arrives. */
  subscribed: { readonly channel: string; readonly position: ChannelPosition | undefined };
  /** A channel is live again and nothing is lost: `missed` events follow. */
  recovered: { readonly channel: string; readonly missed: number };
  /** A channel is live again, but events may have been lost: load its state anew. */
  lost: { readonly channel: string };
  /** The connection state changed. */
  state: { readonly old: ConnectionState; readonly new: ConnectionState };
  /** Something was refused or failed. */
  error: BroadcastClientError;
}

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
  readonly #listeners = new Listeners((cause, name) => this.#onThrow(cause, name));
  readonly #announcer = new Announcer();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #outbox: Outbox;
  readonly #retry: Retry;
  readonly #owner: ChannelOwner & SubscriptionActions;
  #state: ConnectionState = "disconnected";
  #connection: Connection | undefined;
  /** Whether a refusal was answered with a fresh token already. */
  #askedAgain = false;
  /** Counts requests. */
  #number = 0;
  /** Which of the transports is tried, counted on past the last one; one that worked is kept. */
  #transport = 0;
  /** Attempts that came to nothing since a server's last welcome. */
  #unwelcome = 0;
  #syncing = false;
  #stopWatchingPage = () => {};

  /**
   * Makes a client and, unless told otherwise, connects.
   *
   * @throws {BroadcastClientError} `client.config` on an unknown option, a bad value, or where there
   * is neither `url` nor a page to take it from.
   */
  constructor(options: BroadcastClientOptions = {}) {
    this.#settings = readClientOptions(options);
    this.#outbox = new Outbox(this.#settings, {
      post: (texts) => this.connected ? this.#connection?.post(texts) : undefined,
      refused: (frame) => this.#onRefused("publish", frame),
    });
    this.#retry = new Retry(
      this.#settings,
      () => this.#open(),
      (delayMs) => this.#emit("reconnecting", { attempt: this.#retry.failed, delayMs }),
    );
    this.#owner = {
      publish: (...publish) => {
        // What is asked for comes first, so that a page hears its own first event.
        if (this.#syncing) this.#sync();
        return this.#outbox.publish(++this.#number, ...publish);
      },
      ask: (t, c, position) => {
        if (this.#connection?.revision === 1) return void this.#connection.send({ t, c });
        const n = ++this.#number;
        const p = position && { e: position.epoch, o: position.offset };
        this.#connection?.send({ t, c, n, p });
        return n;
      },
      sync: () => this.#scheduleSync(),
      tell: (subscription, what, info) => {
        this.#announcer.announce(() => {
          this.#listeners.call(what, info);
          for (const listeners of subscription.holds) listeners.call("\0" + what, info);
        });
      },
      isForOthers: (frame) => this.#outbox.isForOthers(frame),
      refused: (frame) => this.#onRefused("subscribe", frame),
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
    this.#announcer.change(() => {
      this.#retry.reset();
      this.#stopWatchingPage = watchPage(() => {
        this.#retry.hurry();
        this.#connection?.probe();
      });
      this.#setState("connecting");
      this.#open();
    });
  }

  /** Closes the connection and stops trying. Channels are kept for the next `connect()`. */
  disconnect(): void {
    if (this.#state === "disconnected") return;
    this.#stop(CLIENT_LEFT);
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
    const action = "hold a channel";
    if (!isChannelName(name)) throw invalidArgument(action, CHANNEL_NAME_RULE, name);
    const subscription = this.#subscriptions.get(name) ??
      new Subscription(name, this.#settings, this.#owner);
    if (after && subscription.holds.size) {
      throw invalidArgument(action, '"after" is for who holds it first', name);
    }
    const listeners = new Listeners((cause, event) => this.#onThrow(cause, event, name));
    this.#subscriptions.set(name, subscription);
    subscription.hold(listeners, after);
    this.#scheduleSync();
    return new BroadcastChannel<Events>(name, listeners, subscription, this.#owner);
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
    return this.#listeners.add(event, listener);
  }

  #emit<Name extends keyof BroadcastClientEvents>(
    event: Name,
    info: BroadcastClientEvents[Name],
  ): void {
    this.#announcer.announce(() => this.#listeners.call(event, info));
  }

  #setState(state: ConnectionState): void {
    const old = this.#state;
    this.#state = state;
    if (old !== state) this.#emit("state", { old, new: state });
  }

  #open(): void {
    const { transports } = this.#settings;
    const transport = transports[this.#transport % transports.length];
    this.#connection = new Connection(this.#settings, transport, {
      number: () => ++this.#number,
      open: () => this.#announcer.change(() => this.#onOpen()),
      frame: (frame) => this.#announcer.change(() => this.#receive(frame)),
      malformed: (reason) => this.#report(failure("protocol", "read a message", reason)),
      failed: (step, cause) => this.#onFailed(step, cause),
      closed: (how, delayMs) => this.#onClosed(how, delayMs),
    });
  }

  #onOpen(): void {
    this.#retry.reset();
    this.#askedAgain = false;
    this.#unwelcome = 0;
    if (this.connected) return;
    this.#setState("connected");
    this.#sync();
    this.#outbox.sendAll();
    this.#emit("open", { id: this.id ?? "" });
  }

  #receive(frame: ServerFrame): void {
    if ((frame.t === "ok" || frame.t === "err") && this.#outbox.answer(frame)) return;
    if ("c" in frame) this.#subscriptions.get(frame.c)?.receive(frame);
  }

  #onRefused(
    what: "publish" | "subscribe",
    { c: channel, r: reason }: ErrFrame | GoneFrame,
  ): void {
    const action = `${what} on "${channel}"`;
    this.#report(failure(`${what}_refused`, action, reason, { channel, reason }));
  }

  /** A connection could not even begin. */
  #onFailed(step: ConnectionStep, cause: unknown): void {
    const rule = step === "token" ? "getToken failed" : "the transport failed";
    const how = { code: 1006, reason: rule };
    // A token, or another transport, may be there next time; a socket that cannot be made, never.
    if (step === "token" || this.#settings.transports.length > 1) this.#onClosed(how);
    else this.#stop(how);
    this.#cannotConnect(step, rule, { cause });
  }

  /** The connection is over; `delayMs` where the server said when to come back. */
  #onClosed(how: CloseCode, delayMs?: number): void {
    this.#announcer.change(() => {
      const { connected } = this;
      const { code, reason } = how;
      const { maxReconnectAttempts } = this.#settings;
      const { id, token } = this.#connection ?? {};
      let verdict = closeVerdict(code);
      // A fresh token may change the server's mind, once.
      if (verdict === "never" && token !== undefined && !this.#askedAgain) {
        this.#askedAgain = true;
        verdict = "now";
      }
      const rule = verdict === "never"
        ? `the server said ${code} ${reason}`
        : this.#retry.failed >= maxReconnectAttempts && "too many attempts failed in a row";
      if (rule) {
        this.#stop(how);
        return this.#cannotConnect("connection_refused", rule, { reason });
      }
      this.#forgetConnection();
      if (id === undefined && ++this.#unwelcome % 2 === 0) this.#transport++;
      this.#setState("reconnecting");
      if (connected) this.#emit("close", { ...how, willReconnect: true });
      if (delayMs === undefined) this.#retry.schedule(verdict);
      else this.#retry.wait(delayMs);
    });
  }

  #stop(how: CloseCode): void {
    this.#announcer.change(() => {
      this.#forgetConnection();
      this.#retry.stop();
      this.#stopWatchingPage();
      this.#setState("disconnected");
      this.#emit("close", { ...how, willReconnect: false });
    });
  }

  #forgetConnection(): void {
    this.#connection?.close();
    this.#connection = undefined;
    for (const [name, subscription] of this.#subscriptions) {
      subscription.reset();
      if (subscription.holds.size === 0) this.#subscriptions.delete(name);
    }
  }

  #scheduleSync(): void {
    if (this.#syncing || !this.connected) return;
    this.#syncing = true;
    // A page that mounts, unmounts and mounts in one turn asks once.
    queueMicrotask(() => this.#sync());
  }

  /** Brings the server in line with what is held now. */
  #sync(): void {
    this.#syncing = false;
    if (!this.connected) return;
    for (const [name, subscription] of this.#subscriptions) {
      if (!subscription.sync()) this.#subscriptions.delete(name);
    }
  }

  #cannotConnect(step: ConnectionStep, rule: string, init: BroadcastClientErrorInit): void {
    this.#report(failure(step, `connect to ${this.#settings.url}`, rule, init));
  }

  #report(error: BroadcastClientError): void {
    this.#announcer.announce(() => {
      if (!this.#listeners.call("error", error)) reportOnPage(error);
    });
  }

  #onThrow(cause: unknown, name: string, channel?: string): void {
    const action = `finish a listener of "${name}"`;
    const error = failure("listener", action, "it threw", { cause, channel });
    // A listener of errors that throws must not be told so again, for ever.
    if (name === "error" && channel === undefined) reportOnPage(error);
    else this.#report(error);
  }
}
