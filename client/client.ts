import { CLOSE, closeVerdict } from "../protocol/close_codes.ts";
import { encodeFrame, parseServerMessage } from "../protocol/codec.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import { CHANNEL_NAME_RULE, isChannelName } from "../protocol/names.ts";
import { Announcer } from "./announcer.ts";
import { BroadcastChannel, type ChannelEvents, type ChannelOwner } from "./channel.ts";
import { Connection } from "./connection.ts";
import { BroadcastClientError, invalidArgument } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { type BroadcastClientOptions, type ClientSettings, readClientOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { reportOnPage, watchPage } from "./page.ts";
import { Retry } from "./retry.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * - `disconnected`: not connected and not trying.
 * - `connecting`: the first attempt after `connect()`.
 * - `connected`: the server's `welcome` came.
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
  /** A channel is live: what is published from now on arrives. */
  subscribed: { readonly channel: string };
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
  readonly #listeners: Listeners;
  readonly #announcer = new Announcer();
  readonly #subscriptions = new Subscriptions();
  readonly #outbox: Outbox;
  readonly #retry: Retry;
  readonly #owner: ChannelOwner;
  #state: ConnectionState = "disconnected";
  #id: string | undefined;
  #connection: Connection | undefined;
  /** Counts sockets that were tried, so that a late word about one is not taken for another's. */
  #tries = 0;
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
    this.#listeners = new Listeners((cause, name) =>
      this.#onThrow(cause, `A listener of "${name}"`, name)
    );
    this.#outbox = new Outbox(this.#settings);
    this.#retry = new Retry(this.#settings, {
      attempt: () => this.#open(),
      scheduled: (info) => this.#emit("reconnecting", info),
    });
    this.#owner = {
      publish: (channel, event, data) => this.#publish(channel, event, data),
      isSubscribed: (channel) => this.#subscriptions.state(channel) === "live",
      leave: (channel, listeners) => {
        this.#subscriptions.release(channel, listeners);
        this.#scheduleSync();
      },
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
      this.#retry.reset();
      this.#stopWatchingPage = watchPage(() => this.#retry.hurry());
      this.#setState("connecting");
      this.#open();
    });
  }

  /** Closes the connection and stops trying. Channels are kept for the next `connect()`. */
  disconnect(): void {
    if (this.#state === "disconnected") return;
    const { code, reason } = CLOSE.clientLeft;
    this.#announcer.change(() => this.#stop(code, reason));
  }

  /** The same as {@linkcode BroadcastClient.disconnect}, for `using`. */
  [Symbol.dispose](): void {
    this.disconnect();
  }

  /**
   * Holds a channel; it is subscribed as long as somebody holds it, again after each reconnect.
   *
   * @throws {BroadcastClientError} `client.config` where the name breaks the rule.
   */
  channel<Events extends Record<keyof Events, unknown> = ChannelEvents>(
    name: string,
  ): BroadcastChannel<Events> {
    if (!isChannelName(name)) throw invalidArgument("hold a channel", CHANNEL_NAME_RULE, name);
    const listeners = new Listeners((cause, event) =>
      this.#onThrow(cause, `A listener of "${event}" on channel "${name}"`, "", name)
    );
    this.#subscriptions.hold(name, listeners);
    this.#scheduleSync();
    return new BroadcastChannel<Events>(name, listeners, this.#owner);
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
    if (old === state) return;
    this.#state = state;
    this.#emit("state", { old, new: state });
  }

  #open(): void {
    const tried = ++this.#tries;
    try {
      const { webSocketFactory, url } = this.#settings;
      this.#connection = new Connection(webSocketFactory(url), this.#settings, {
        message: (data) => this.#announcer.change(() => this.#onMessage(data)),
        closed: (code, reason) => this.#announcer.change(() => this.#onClosed(code, reason)),
      });
    } catch (cause) {
      const error = cause instanceof BroadcastClientError ? cause : new BroadcastClientError(
        "client.connection_refused",
        `Cannot connect to ${this.#settings.url}: the socket could not be made`,
        { cause },
      );
      // In a turn of its own: the constructor connects before anybody can listen.
      queueMicrotask(() => {
        if (tried === this.#tries) this.#giveUp(error, 1006, error.message);
      });
    }
  }

  #onMessage(data: unknown): void {
    for (const parsed of parseServerMessage(data, 1)) {
      if (parsed.kind === "frame") this.#receive(parsed.frame);
      else if (parsed.kind === "malformed") {
        this.#report(
          new BroadcastClientError(
            "client.protocol",
            `Ignored a message of the server: ${parsed.reason}`,
          ),
        );
      }
    }
  }

  #receive(frame: ServerFrame): void {
    if (frame.t === "welcome") return this.#onWelcome(frame.id);
    // A server that speaks before its welcome is not one whose channels we could have asked for.
    if (this.#state !== "connected") return;
    switch (frame.t) {
      case "ok":
        if (this.#subscriptions.confirm(frame.c)) this.#emit("subscribed", { channel: frame.c });
        return;
      case "err":
        return this.#onRefused(frame.c, frame.r);
      case "msg":
        return this.#subscriptions.deliver(frame);
      case "ping":
        this.#send(encodeFrame({ t: "pong" }));
        return;
    }
  }

  #onWelcome(id: string): void {
    if (this.#state === "connected") return;
    this.#id = id;
    this.#retry.reset();
    this.#connection?.welcomed();
    this.#setState("connected");
    this.#sync();
    for (const text of this.#outbox.takeAll()) {
      if (!this.#send(text)) this.#outbox.keep(text);
    }
    this.#emit("open", { id });
  }

  #onRefused(channel: string, reason: string): void {
    const isPublish = reason.startsWith("publish") || reason === "invalid event name";
    if (!isPublish) this.#subscriptions.refuse(channel);
    this.#report(
      new BroadcastClientError(
        isPublish ? "client.publish_refused" : "client.subscribe_refused",
        `The server refused to ${
          isPublish ? "publish on" : "subscribe to"
        } "${channel}": ${reason}`,
        { channel, reason },
      ),
    );
  }

  #onClosed(code: number, reason: string): void {
    const wasConnected = this.connected;
    this.#forgetConnection();
    const verdict = closeVerdict(code);
    const refusal = verdict === "never"
      ? `The server closed the connection for good: ${code} ${reason}`
      : this.#retry.fail()
      ? undefined
      : `Cannot connect to ${this.#settings.url}: too many attempts failed in a row`;
    if (refusal !== undefined) {
      const error = new BroadcastClientError("client.connection_refused", refusal, { reason });
      return this.#giveUp(error, code, reason);
    }
    this.#setState("reconnecting");
    if (wasConnected) this.#emit("close", { code, reason, willReconnect: true });
    this.#retry.schedule(verdict);
  }

  #giveUp(error: BroadcastClientError, code: number, reason: string): void {
    this.#announcer.change(() => {
      this.#stop(code, reason);
      this.#report(error);
    });
  }

  #stop(code: number, reason: string): void {
    this.#tries++;
    this.#connection?.close(CLOSE.clientLeft.code, CLOSE.clientLeft.reason);
    this.#forgetConnection();
    this.#retry.stop();
    this.#stopWatchingPage();
    this.#setState("disconnected");
    this.#emit("close", { code, reason, willReconnect: false });
  }

  #forgetConnection(): void {
    this.#connection = undefined;
    this.#id = undefined;
    this.#subscriptions.reset();
  }

  #scheduleSync(): void {
    if (this.#syncing || !this.connected) return;
    this.#syncing = true;
    // A page that mounts, unmounts and mounts in one turn asks once.
    queueMicrotask(() => {
      this.#syncing = false;
      if (this.connected) this.#sync();
    });
  }

  #sync(): void {
    this.#subscriptions.sync((t, c) => this.#send(encodeFrame({ t, c })));
  }

  #publish(channel: string, event: string, data: unknown): void {
    const text = this.#outbox.encode(channel, event, data);
    // What is asked for comes first, so that a page hears its own first event.
    if (this.connected) this.#sync();
    if ((this.connected && this.#send(text)) || this.#outbox.keep(text)) return;
    this.#report(
      new BroadcastClientError(
        "client.publish_refused",
        `Cannot publish on "${channel}": ${this.#settings.outboxLimit} publishes wait already`,
        { channel, reason: "outbox full" },
      ),
    );
  }

  #send(text: string): boolean {
    return this.#connection?.send(text) ?? false;
  }

  #report(error: BroadcastClientError): void {
    this.#announcer.announce(() => {
      if (!this.#listeners.call("error", error)) reportOnPage(error);
    });
  }

  #onThrow(cause: unknown, what: string, name: string, channel?: string): void {
    const error = new BroadcastClientError("client.listener", `${what} threw`, {
      cause,
      ...(channel === undefined ? {} : { channel }),
    });
    // A listener of errors that throws must not be told so again, for ever.
    if (name === "error") reportOnPage(error);
    else this.#report(error);
  }
}
