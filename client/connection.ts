import { CLIENT_LEFT, type CloseCode, SERVER_SILENT } from "../protocol/close_codes.ts";
import { encodeFrame, parseServerMessage } from "../protocol/codec.ts";
import type { ClientFrame, Revision, ServerFrame } from "../protocol/frames.ts";
import type { Announcer } from "./announcer.ts";
import { type BroadcastClientError, failure } from "./errors.ts";
import type { ClientSettings, TransportName } from "./options.ts";
import { openWebSocket, type Transport } from "./transport.ts";

/** How soon a server that was asked for a sign of life must give one, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

/** How often the clock is looked at, in milliseconds. */
const LOOK_INTERVAL_MS = 10_000;

/** Number of the requests that are about the connection itself; its client counts from 1. */
const OWN_REQUEST = 0;

/** What a connection tells its client. After `closed` it says nothing more. */
export interface ConnectionEvents {
  /** The server let this client in, or took its fresh token. */
  open(): void;
  /** A frame about a channel. */
  frame(frame: ServerFrame): void;
  /** It is over; `delayMs` where the server said when to come back, `error` if it could not begin. */
  closed(how: CloseCode, delayMs?: number, error?: BroadcastClientError): void;
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
  token: string | undefined;
  readonly #settings: ClientSettings;
  readonly #name: TransportName | undefined;
  readonly #announcer: Announcer;
  readonly #events: ConnectionEvents;
  #transport: Transport | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Before the welcome nobody knows, and 2 reads that. */
  #revision: Revision = 2;
  /** How long the server may be silent. */
  #maxSilenceMs = 0;
  /** When it is given up, unless something is heard. */
  #deadlineMs = 0;
  #state: "opening" | "open" | "over" = "opening";

  constructor(
    settings: ClientSettings,
    name: TransportName | undefined,
    announcer: Announcer,
    events: ConnectionEvents,
  ) {
    this.#settings = settings;
    this.#name = name;
    this.#announcer = announcer;
    this.#events = events;
    this.#waitFor(settings.connectTimeoutMs);
  }

  /**
   * Sends a frame, without what the server's revision does not have. Tells whether it will be answered
   * by its number, `undefined` if nothing was sent.
   */
  send(text: string): boolean | undefined {
    if (this.#state !== "open") return;
    const isNumbered = this.#revision === 2;
    const { t, c, e, d }: Record<string, unknown> = isNumbered ? {} : JSON.parse(text);
    const isSent = this.#transport?.send(isNumbered ? text : JSON.stringify({ t, c, e, d }));
    return isSent ? isNumbered : undefined;
  }

  /** Asks for a sign of life, and gives up soon if there is none. Revision 1 has no such question. */
  probe(): void {
    if (this.#state !== "open" || this.#revision === 1) return;
    this.#say({ t: "unsub", c: "", n: OWN_REQUEST });
    this.#waitFor(Math.min(PROBE_TIMEOUT_MS, this.#deadlineMs - Date.now()));
  }

  /** Ends it without another word to the client. */
  close({ code, reason } = CLIENT_LEFT): void {
    this.#state = "over";
    clearTimeout(this.#timer);
    this.#transport?.close(code, reason);
  }

  #say(frame: ClientFrame): void {
    this.#transport?.send(encodeFrame(frame));
  }

  /** Opens with a fresh token, or hands it in where it is open already. */
  async open(): Promise<void> {
    const { getToken, transports, url, webSocketFactory } = this.#settings;
    let code: "token" | "connection_refused" = "token";
    try {
      const token = getToken();
      // In the same turn where none is asked for.
      if (token !== undefined) this.token = await token;
      code = "connection_refused";
      const open = this.#name === "sse"
        ? (await import("./sse.ts")).openEventStream
        : openWebSocket;
      if (this.#state === "over") return;
      if (this.#transport) return this.#enter();
      this.#transport = open(url, {
        message: (data) => this.#hear(data),
        closed: (code, reason) => this.#end({ code, reason }),
      }, webSocketFactory);
    } catch (cause) {
      // In a turn of its own: who makes a client could not listen yet.
      await undefined;
      const reason = code === "token" ? "getToken failed" : "the transport failed";
      const error = failure(code, `connect to ${url}`, reason, { cause });
      // A token, or another transport, may be there next time; a socket that cannot be made, never.
      const mayWork = code === "token" || transports.length > 1;
      this.#end({ code: mayWork ? 1006 : 1008, reason }, undefined, error);
    }
  }

  #hear(data: unknown): void {
    if (this.#state === "open") this.#deadlineMs = Date.now() + this.#maxSilenceMs;
    for (const parsed of parseServerMessage(data, this.#revision)) {
      if (this.#state === "over") return;
      if (parsed.kind === "frame") this.#announcer.change(() => this.#receive(parsed.frame));
      else if (parsed.kind === "malformed") {
        this.#announcer.tell("error", failure("protocol", "read a message", parsed.reason));
      }
    }
  }

  #receive(frame: ServerFrame): void {
    // A server that speaks before its welcome is not one whose channels we could have asked for.
    if ((frame.t === "welcome") !== (this.id === undefined)) return;
    switch (frame.t) {
      case "welcome":
        this.id = frame.id;
        this.#revision = frame.v === 2 ? 2 : 1;
        this.#maxSilenceMs = frame.ping ? frame.ping * 1.5 + 10_000 : this.#settings.maxSilenceMs;
        return this.#enter();
      case "ping":
        return this.#say({ t: "pong" });
      case "exp":
        this.open();
        return;
      case "bye":
        return this.#end({ code: CLIENT_LEFT.code, reason: frame.r }, frame.ms);
    }
    if (!("n" in frame) || frame.n !== OWN_REQUEST) this.#events.frame(frame);
    else if (frame.t === "ok") this.#onOpen();
    else this.#end({ code: frame.w === "never" ? 4000 : 4100, reason: frame.r });
  }

  /** Hands in the token; who has none, or stands before a server of revision 1, is in without. */
  #enter(): void {
    if (this.#revision === 1 || this.token === undefined) this.#onOpen();
    else this.#say({ t: "auth", n: OWN_REQUEST, k: this.token });
  }

  #onOpen(): void {
    this.#state = "open";
    this.#waitFor(this.#maxSilenceMs);
    this.#events.open();
  }

  #end(how: CloseCode, delayMs?: number, error?: BroadcastClientError): void {
    if (this.#state === "over") return;
    // Of all that can end it, the server's silence alone is this side's finding.
    this.close(how === SERVER_SILENT ? how : CLIENT_LEFT);
    this.#announcer.change(() => this.#events.closed(how, delayMs, error));
  }

  /** Gives up after a time, unless something is heard. */
  #waitFor(ms: number): void {
    this.#deadlineMs = Date.now() + ms;
    this.#watch();
  }

  /** Looks often enough to notice that time has jumped: ahead over a laptop's sleep, or set back. */
  #watch(): void {
    clearTimeout(this.#timer);
    const dueMs = Math.min(this.#deadlineMs, Date.now() + LOOK_INTERVAL_MS);
    this.#timer = setTimeout(() => {
      const nowMs = Date.now();
      if (nowMs >= this.#deadlineMs) return this.#end(SERVER_SILENT);
      this.#watch();
      if (Math.abs(nowMs - dueMs) > LOOK_INTERVAL_MS) this.probe();
    }, dueMs - Date.now());
  }
}
