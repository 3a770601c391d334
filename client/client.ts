import { CLIENT_LEFT, closeVerdict } from "../protocol/close_codes.ts";
import { encodeFrame, parseServerMessage } from "../protocol/codec.ts";
import type {
  ErrFrame,
  GoneFrame,
  OkFrame,
  Revision,
  ServerFrame,
  WelcomeFrame,
} from "../protocol/frames.ts";
import { CHANNEL_NAME_RULE, isChannelName } from "../protocol/names.ts";
import { Announcer } from "./announcer.ts";
import { BroadcastChannel, type ChannelEvents, type ChannelOwner } from "./channel.ts";
import { Connection } from "./connection.ts";
import {
  BroadcastClientError,
  type BroadcastClientErrorInit,
  failure,
  invalidArgument,
} from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { type BroadcastClientOptions, type ClientSettings, readClientOptions } from "./options.ts";
import { Outbox, type Texts } from "./outbox.ts";
import { reportOnPage, watchPage } from "./page.ts";
import type { ChannelPosition } from "./position.ts";
import { Retry } from "./retry.ts";
import { Subscription, type SubscriptionActions } from "./subscription.ts";
import { openWebSocket } from "./transport.ts";

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
  #id: string | undefined;
  #connection: Connection | undefined;
  #revision: Revision = 2;
  #token: string | undefined;
  /** Number of the `auth` that was not answered yet. */
  #auth: number | undefined;
  /** Whether a refusal was answered with a fresh token already. */
  #askedAgain = false;
  /** Counts requests. */
  #number = 0;
  /** Counts attempts, so that a late word about one is not taken for another's. */
  #tries = 0;
  /** Which of the transports is tried, and kept once it worked. */
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
      post: (texts) => this.#post(texts),
      refused: (frame) => this.#refused("publish", frame),
    });
    this.#retry = new Retry(
      this.#settings,
      () => this.#connect(),
      (delayMs) => this.#emit("reconnecting", { attempt: this.#retry.failed, delayMs }),
    );
    this.#owner = {
      publish: (...publish) => {
        // What is asked for comes first, so that a page hears its own first event.
        if (this.#syncing) this.#sync();
        return this.#outbox.publish(++this.#number, ...publish);
      },
      ask: (t, c, position) => {
        const n = this.#revision === 2 ? ++this.#number : undefined;
        const p = n === undefined || !position
          ? undefined
          : { e: position.epoch, o: position.offset };
        this.#send(encodeFrame({ t, c, n, p }));
        return n;
      },
      sync: () => this.#scheduleSync(),
      member: (subscription, change, member) => this.#tell(subscription, change, member),
    };
    if (this.#settings.autoConnect) this.connect();
  }

  /** The current connection's id, `undefined` while there is none. */
  get id(): string | undefined {
    return this.#id;
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
      this.#retry.failed = 0;
      this.#stopWatchingPage = watchPage(() => {
        this.#retry.hurry();
        this.#probe();
      });
      this.#setState("connecting");
      this.#connect();
    });
  }

  /** Closes the connection and stops trying. Channels are kept for the next `connect()`. */
  disconnect(): void {
    if (this.#state === "disconnected") return;
    const { code, reason } = CLIENT_LEFT;
    this.#announcer.change(() => this.#stop(code, reason));
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

  /** Tells those who hold a channel what happened to it. */
  #tell(subscription: Subscription, what: string, info: unknown): void {
    this.#announcer.announce(() => {
      for (const listeners of subscription.holds) listeners.call("\0" + what, info);
    });
  }

  /** Tells it to those who listen to the client, too. */
  #told<Name extends "subscribed" | "recovered" | "lost">(
    subscription: Subscription,
    what: Name,
    info: BroadcastClientEvents[Name],
  ): void {
    this.#emit(what, info);
    this.#tell(subscription, what, info);
  }

  #setState(state: ConnectionState): void {
    const old = this.#state;
    if (old === state) return;
    this.#state = state;
    this.#emit("state", { old, new: state });
  }

  /** Goes on with a fresh token, or without one where none is to be had: in the same turn then. */
  async #withToken(next: () => void): Promise<void> {
    const tried = this.#tries;
    try {
      const token = this.#settings.getToken();
      if (token !== undefined) this.#token = await token;
    } catch (cause) {
      if (tried !== this.#tries) return;
      this.#report(failure("token", "get a token", "getToken failed", { cause }));
      return this.#lose(1006, "no token");
    }
    if (tried === this.#tries) next();
  }

  #connect(): void {
    this.#tries++;
    this.#withToken(() => this.#open());
  }

  async #open(): Promise<void> {
    const tried = this.#tries;
    const { transports, url, webSocketFactory, connectTimeoutMs } = this.#settings;
    try {
      const open = transports[this.#transport] === "sse"
        ? (await import("./sse.ts")).openEventStream
        : openWebSocket;
      if (tried !== this.#tries) return;
      this.#connection = new Connection(
        (events) => open(url, events, webSocketFactory),
        connectTimeoutMs,
        {
          message: (data) => this.#onMessage(data),
          closed: (code, reason) => this.#lose(code, reason),
          doubted: () => this.#probe(),
        },
      );
    } catch (cause) {
      const error = cause instanceof BroadcastClientError
        ? cause
        : this.#failure("the socket could not be made", { cause });
      // In a turn of its own: the constructor connects before anybody can listen.
      await undefined;
      if (tried !== this.#tries) return;
      if (transports.length > 1) this.#lose(1006, error.message);
      else this.#giveUp(error, 1006, error.message);
    }
  }

  #onMessage(data: unknown): void {
    for (const parsed of parseServerMessage(data, this.#id === undefined ? 2 : this.#revision)) {
      this.#announcer.change(() => {
        if (parsed.kind === "frame") this.#receive(parsed.frame);
        else if (parsed.kind === "malformed") {
          this.#report(failure("protocol", "read a message of the server", parsed.reason));
        }
      });
    }
  }

  #receive(frame: ServerFrame): void {
    if (frame.t === "welcome") return this.#onWelcome(frame);
    // A server that speaks before its welcome is not one whose channels we could have asked for.
    if (this.#id === undefined) return;
    const subscription = "c" in frame ? this.#subscriptions.get(frame.c) : undefined;
    switch (frame.t) {
      case "ok":
      case "err":
        return this.#onAnswer(frame, subscription);
      case "msg":
        return subscription?.deliver(frame);
      case "skip":
        subscription?.moveTo(frame.o);
        return;
      case "gone":
        if (subscription?.refuse(frame)) this.#refused("subscribe", frame);
        return;
      case "here":
        return subscription?.here(frame);
      case "join":
        return subscription?.joined(frame.m);
      case "leave":
        return subscription?.left(frame.u);
      case "ping":
        this.#send(encodeFrame({ t: "pong" }));
        return;
      case "exp":
        this.#withToken(() => this.#authenticate());
        return;
      case "bye":
        return this.#lose(1001, frame.r, frame.ms);
    }
  }

  #onWelcome({ id, v, ping }: WelcomeFrame): void {
    if (this.#id !== undefined) return;
    this.#id = id;
    this.#unwelcome = 0;
    this.#revision = v === 2 ? 2 : 1;
    const { maxSilenceMs } = this.#settings;
    this.#connection?.welcomed(ping === undefined ? maxSilenceMs : ping * 1.5 + 10_000);
    if (this.#revision === 2 && this.#token !== undefined) this.#authenticate();
    else this.#onAdmitted();
  }

  #authenticate(): void {
    this.#auth = ++this.#number;
    this.#send(encodeFrame({ t: "auth", n: this.#auth, k: this.#token ?? "" }));
  }

  #onAdmitted(): void {
    this.#retry.failed = 0;
    this.#askedAgain = false;
    if (this.connected) return;
    this.#setState("connected");
    this.#sync();
    this.#outbox.sendAll();
    this.#emit("open", { id: this.#id ?? "" });
  }

  #onAnswer(frame: OkFrame | ErrFrame, subscription: Subscription | undefined): void {
    const { c: channel, n } = frame;
    if (n !== undefined && n === this.#auth) {
      if (frame.t === "ok") this.#onAdmitted();
      else this.#lose(frame.w === "never" ? 1008 : 1006, frame.r);
      return;
    }
    if (this.#outbox.answer(frame)) return;
    if (frame.t === "ok") {
      const recovery = subscription?.confirm(frame);
      if (!subscription || !recovery) return;
      this.#told(subscription, "subscribed", { channel, position: subscription.position });
      if (recovery === "ok") {
        this.#told(subscription, "recovered", { channel, missed: frame.m ?? 0 });
      }
      if (recovery === "lost") this.#told(subscription, "lost", { channel });
    } else if (n === undefined && /^publish|^invalid event/.test(frame.r)) {
      // Revision 1 tells by the reason alone what an answer is about.
      this.#refused("publish", frame);
    } else if (subscription?.refuse(frame)) {
      this.#refused("subscribe", frame);
    }
  }

  #refused(
    what: "publish" | "subscribe",
    { c: channel, r: reason, w }: ErrFrame | GoneFrame,
  ): void {
    // What is tried again at once is no news.
    if (w === "now") return;
    const action = `${what} on "${channel}"`;
    this.#report(failure(`${what}_refused`, action, reason, { channel, reason }));
  }

  /** The connection is over, or there was none to be had. */
  #lose(code: number, reason: string, delayMs?: number): void {
    this.#announcer.change(() => {
      const wasConnected = this.connected;
      const wasWelcomed = this.#id !== undefined;
      const { transports, maxReconnectAttempts } = this.#settings;
      let verdict = closeVerdict(code);
      this.#forgetConnection();
      // A fresh token may change the server's mind, once.
      if (verdict === "never" && this.#token !== undefined && !this.#askedAgain) {
        this.#askedAgain = true;
        verdict = "now";
      }
      const rule = verdict === "never"
        ? `the server said ${code} ${reason}`
        : this.#retry.failed >= maxReconnectAttempts && "too many attempts failed in a row";
      if (rule) return this.#giveUp(this.#failure(rule, { reason }), code, reason);
      if (!wasWelcomed && ++this.#unwelcome % 2 === 0) {
        this.#transport = (this.#transport + 1) % transports.length;
      }
      this.#setState("reconnecting");
      if (wasConnected) this.#emit("close", { code, reason, willReconnect: true });
      if (delayMs === undefined) this.#retry.schedule(verdict);
      else this.#retry.wait(delayMs);
    });
  }

  #giveUp(error: BroadcastClientError, code: number, reason: string): void {
    this.#announcer.change(() => {
      this.#stop(code, reason);
      this.#report(error);
    });
  }

  #stop(code: number, reason: string): void {
    this.#forgetConnection();
    this.#retry.stop();
    this.#stopWatchingPage();
    this.#setState("disconnected");
    this.#emit("close", { code, reason, willReconnect: false });
  }

  #forgetConnection(): void {
    this.#tries++;
    this.#connection?.close(CLIENT_LEFT.code, CLIENT_LEFT.reason);
    this.#connection = this.#id = this.#auth = undefined;
    for (const [name, subscription] of this.#subscriptions) {
      subscription.reset();
      if (subscription.holds.size === 0) this.#subscriptions.delete(name);
    }
  }

  /** Asks a connection that may be dead for a sign of life; revision 1 has no question for it. */
  #probe(): void {
    if (!this.connected || this.#revision === 1) return;
    this.#connection?.probe(encodeFrame({ t: "unsub", c: "", n: ++this.#number }));
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

  #post(texts: Texts): Revision | undefined {
    return this.connected && this.#send(texts[this.#revision]) ? this.#revision : undefined;
  }

  #send(text: string): boolean {
    return this.#connection?.send(text) ?? false;
  }

  #failure(rule: string, init: BroadcastClientErrorInit): BroadcastClientError {
    return failure("connection_refused", `connect to ${this.#settings.url}`, rule, init);
  }

  #report(error: BroadcastClientError): void {
    this.#announcer.announce(() => {
      if (!this.#listeners.call("error", error)) reportOnPage(error);
    });
  }

  #onThrow(cause: unknown, name: string, channel?: string): void {
    const where = channel === undefined ? "" : ` on "${channel}"`;
    const error = failure("listener", `finish a listener of "${name}"${where}`, "it threw", {
      cause,
      channel,
    });
    // A listener of errors that throws must not be told so again, for ever.
    if (name === "error" && !where) reportOnPage(error);
    else this.#report(error);
  }
}
