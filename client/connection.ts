import { CLIENT_LEFT, type CloseCode, SERVER_SILENT } from "../protocol/close_codes.ts";
import { encodeFrame, parseServerMessage } from "../protocol/codec.ts";
import type { ClientFrame, Revision, ServerFrame } from "../protocol/frames.ts";
import type { ClientSettings, TransportName } from "./options.ts";
import type { Texts } from "./outbox.ts";
import { openWebSocket, type Transport } from "./transport.ts";

/** How soon a server that was asked for a sign of life must give one, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

/** How often the clock is looked at, in milliseconds. */
const LOOK_INTERVAL_MS = 10_000;

/** A step of the way in, by the code of the error that it may end in. */
export type ConnectionStep = "token" | "connection_refused";

/** What a connection tells its client. After `closed` it says nothing more. */
export interface ConnectionEvents {
  /** Counts the client's requests. */
  number(): number;
  /** The server let this client in, or took its fresh token. */
  open(): void;
  /** A frame about a channel. */
  frame(frame: ServerFrame): void;
  /** Something that is no frame. */
  malformed(reason: string): void;
  /** The token could not be had, or the transport not be opened. */
  failed(step: ConnectionStep, cause: unknown): void;
  /** It is over; `delayMs` where the server said when to come back. */
  closed(how: CloseCode, delayMs?: number): void;
}

/**
 * One attempt to reach the gateway, and the connection that it becomes: from the token to its end. It
 * notices a server that accepts and says nothing, and one that fell silent, which a browser does not
 * tell for minutes or ever. Once it is over it is deaf: a transport that dies late, or a token that
 * comes late, cannot touch its successor.
 */
export class Connection {
  /** As the server named it in its welcome. */
  id: string | undefined;
  /** Before the welcome nobody knows, and 2 reads that. */
  revision: Revision = 2;
  token: string | undefined;
  readonly #settings: ClientSettings;
  readonly #name: TransportName | undefined;
  readonly #events: ConnectionEvents;
  #transport: Transport | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Number of the `auth` that waits for its answer; 0 before the first. */
  #auth = 0;
  #pingMs: number | undefined;
  /** How long the server may be silent; 0 while it has not let this client in. */
  #maxSilenceMs = 0;
  /** When it is given up, unless something is heard. */
  #deadlineMs: number;
  #isOver = false;

  constructor(settings: ClientSettings, name: TransportName | undefined, events: ConnectionEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#deadlineMs = Date.now() + settings.connectTimeoutMs;
    this.#name = name;
    this.#watch();
    this.#start();
  }

  send(frame: ClientFrame): void {
    this.#transport?.send(encodeFrame(frame));
  }

  /** Sends what fits the revision; tells it, or `undefined` if nothing was sent. */
  post(texts: Texts): Revision | undefined {
    return this.#transport?.send(texts[this.revision]) ? this.revision : undefined;
  }

  /** Asks for a sign of life, and gives up soon if there is none. Revision 1 has no such question. */
  probe(): void {
    if (this.#maxSilenceMs === 0 || this.revision === 1) return;
    this.send({ t: "unsub", c: "", n: this.#events.number() });
    this.#deadlineMs = Math.min(this.#deadlineMs, Date.now() + PROBE_TIMEOUT_MS);
    this.#watch();
  }

  /** Ends it without another word to the client. */
  close({ code, reason } = CLIENT_LEFT): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#transport?.close(code, reason);
  }

  /** Opens with a fresh token, or hands it in where it is open already. */
  async #start(): Promise<void> {
    const { getToken, url, webSocketFactory } = this.#settings;
    let step: ConnectionStep = "token";
    try {
      const token = getToken();
      // In the same turn where none is asked for.
      if (token !== undefined) this.token = await token;
      if (this.#transport) {
        // Who is known by a cookie has no token to hand in, and comes back with a fresh cookie.
        if (this.token !== undefined) this.#authenticate();
        return;
      }
      step = "connection_refused";
      const open = this.#name === "sse"
        ? (await import("./sse.ts")).openEventStream
        : openWebSocket;
      if (this.#isOver) return;
      this.#transport = open(url, {
        message: (data) => this.#hear(data),
        closed: (code, reason) => this.#end({ code, reason }),
      }, webSocketFactory);
    } catch (cause) {
      // In a turn of its own: who makes a client could not listen yet.
      await undefined;
      if (!this.#isOver) this.#events.failed(step, cause);
    }
  }

  #hear(data: unknown): void {
    if (this.#maxSilenceMs) this.#deadlineMs = Date.now() + this.#maxSilenceMs;
    for (const parsed of parseServerMessage(data, this.revision)) {
      if (this.#isOver) return;
      if (parsed.kind === "frame") this.#receive(parsed.frame);
      else if (parsed.kind === "malformed") this.#events.malformed(parsed.reason);
    }
  }

  #receive(frame: ServerFrame): void {
    // A server that speaks before its welcome is not one whose channels we could have asked for.
    if ((frame.t === "welcome") !== (this.id === undefined)) return;
    switch (frame.t) {
      case "welcome":
        this.id = frame.id;
        this.revision = frame.v === 2 ? 2 : 1;
        this.#pingMs = frame.ping;
        if (this.revision === 2 && this.token !== undefined) return this.#authenticate();
        return this.#onOpen();
      case "ping":
        this.send({ t: "pong" });
        return;
      case "exp":
        this.#start();
        return;
      case "bye":
        return this.#end({ code: CLIENT_LEFT.code, reason: frame.r }, frame.ms);
      default:
        if (!("n" in frame) || frame.n !== this.#auth) return this.#events.frame(frame);
        if (frame.t === "ok") return this.#onOpen();
        return this.#end({ code: frame.w === "never" ? 4000 : 4100, reason: frame.r });
    }
  }

  #authenticate(): void {
    this.#auth = this.#events.number();
    this.send({ t: "auth", n: this.#auth, k: this.token ?? "" });
  }

  #onOpen(): void {
    const { maxSilenceMs } = this.#settings;
    this.#maxSilenceMs = this.#pingMs ? this.#pingMs * 1.5 + 10_000 : maxSilenceMs;
    this.#deadlineMs = Date.now() + this.#maxSilenceMs;
    this.#watch();
    this.#events.open();
  }

  #end(how: CloseCode, delayMs?: number, word?: CloseCode): void {
    if (this.#isOver) return;
    this.close(word);
    this.#events.closed(how, delayMs);
  }

  /** Looks often enough to notice that time has jumped, as it does over a laptop's sleep. */
  #watch(): void {
    clearTimeout(this.#timer);
    const dueMs = Math.min(this.#deadlineMs, Date.now() + LOOK_INTERVAL_MS);
    this.#timer = setTimeout(() => {
      const nowMs = Date.now();
      if (nowMs >= this.#deadlineMs) {
        return this.#end(SERVER_SILENT, undefined, SERVER_SILENT);
      }
      this.#watch();
      if (nowMs > dueMs + LOOK_INTERVAL_MS) this.probe();
    }, dueMs - Date.now());
  }
}
