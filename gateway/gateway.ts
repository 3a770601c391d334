import { Deadlines } from "../core/deadline.ts";
import { BroadcastConfigError, BroadcastHandshakeError } from "../core/errors.ts";
import { asBroadcastError } from "../core/hooks.ts";
import { readOptions } from "../core/options.ts";
import type { ControlOrder } from "../core/orders.ts";
import { reasonOf } from "../core/reason.ts";
import { CLOSE } from "../protocol/close_codes.ts";
import type { Revision } from "../protocol/frames.ts";
import { Access } from "./access.ts";
import { Admission, pathBelow } from "./admission.ts";
import { BacklogLimit } from "./backlog.ts";
import { upgradeWebSocket } from "./deno.ts";
import { Drain, type DrainOptions } from "./drain.ts";
import { EventEncoder } from "./encoder.ts";
import { FanOut, FanOuts } from "./fan_out.ts";
import { Flusher } from "./flusher.ts";
import { Heartbeats } from "./heartbeats.ts";
import { HttpPublish } from "./http_publish.ts";
import { type BroadcastGatewayOptions, CHECKS, DEFAULTS, type GatewaySettings } from "./options.ts";
import { SOCKET_BYTES } from "./outbound_queue.ts";
import { plainAnswer } from "./plain_answer.ts";
import { PresenceFrames } from "./presence_frames.ts";
import { GatewayReporter } from "./reporter.ts";
import { Session, type SessionHost } from "./session.ts";
import type { GatewaySocket, SocketEvents } from "./socket.ts";
import { Sse } from "./sse.ts";
import type { UpgradeRequest } from "./upgrade_request.ts";

/**
 * Brings channels to browsers over WebSocket, as a handler for `Deno.serve`.
 *
 * @example A server of its own
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * await using server = Deno.serve({ port: 0, onListen() {} }, gateway.handler);
 * ```
 *
 * @example Beside an application
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster, path: "/live" });
 *
 * function handler(request: Request): Response | Promise<Response> {
 *   if (gateway.match(request)) return gateway.handler(request);
 *   return new Response("Hello");
 * }
 *
 * assertEquals((await handler(new Request("http://localhost/"))).status, 200);
 * assertEquals((await handler(new Request("http://localhost/live"))).status, 426);
 * ```
 */
export class BroadcastGateway<Subject = unknown> implements AsyncDisposable {
  readonly #settings: GatewaySettings<Subject>;
  readonly #admission: Admission;
  readonly #reporter: GatewayReporter<Subject>;
  readonly #deadlines = new Deadlines();
  readonly #sessions = new Set<Session<Subject>>();
  /** Sessions that ended and whose sockets have not closed yet. */
  readonly #closing = new Set<Session<Subject>>();
  /** How many connections hold each channel. */
  readonly #subscribers = new Map<string, number>();
  readonly #host: SessionHost<Subject>;
  readonly #sse: Sse<Subject>;
  readonly #httpPublish: HttpPublish | undefined;
  #state: "open" | "draining" | "closed" = "open";
  #drain: Drain | undefined;
  #reauthorization: ReturnType<typeof setInterval> | undefined;

  /**
   * Makes a gateway; it listens nowhere by itself.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(options: BroadcastGatewayOptions<Subject>) {
    const settings: GatewaySettings<Subject> = readOptions(
      "a BroadcastGateway",
      options,
      CHECKS,
      DEFAULTS,
      ["broadcaster"],
    );
    this.#settings = settings;
    this.#httpPublish = settings.httpPublish &&
      new HttpPublish(settings.broadcaster, settings.httpPublish);
    this.#reporter = new GatewayReporter(settings);
    this.#admission = new Admission({
      settings,
      outOfService: () => this.#outOfService(),
      foreign: (origin) => this.#reporter.foreign(origin),
    });
    const encoder = new EventEncoder();
    const flusher = new Flusher();
    const maxHeldBytes = Math.min(SOCKET_BYTES, settings.maxQueuedBytes);
    this.#host = {
      settings,
      deadlines: this.#deadlines,
      encoder,
      flusher,
      fanOuts: new FanOuts(() => new FanOut(encoder, flusher, maxHeldBytes)),
      heartbeats: new Heartbeats(settings.pingIntervalMs, settings.pongTimeoutMs),
      backlogLimit: new BacklogLimit(settings.maxBacklogBytes),
      access: new Access(
        settings.broadcaster,
        this.#deadlines,
        settings.authorizationTimeoutMs,
        (order) => this.#obey(order),
      ),
      presenceFrames: new PresenceFrames(),
      reporter: this.#reporter,
      subscribed: (channel) => this.#count(channel, 1),
      unsubscribed: (channel) => this.#count(channel, -1),
      ended: (session, end) => {
        this.#sessions.delete(session);
        this.#closing.add(session);
        this.#reporter.disconnected(session, end);
      },
      gone: (session) => {
        this.#closing.delete(session);
        this.#endDrainIfEmpty();
      },
    };
    this.#sse = new Sse({
      settings,
      deadlines: this.#deadlines,
      refusal: (request) => this.#admission.streamRefusal(request),
      connect: (stream, request) => this.#connect(stream, request, 2),
    });
  }

  /** Connections that are open now. */
  get clientCount(): number {
    return this.#sessions.size;
  }

  /** Its path on its server. */
  get path(): string {
    return this.#settings.path;
  }

  /** Largest message taken from a client, in UTF-8 bytes; for the parser of a listener. */
  get maxFrameBytes(): number {
    return this.#settings.maxFrameBytes;
  }

  /** Channels that at least one connection holds now. */
  get channelCount(): number {
    return this.#subscribers.size;
  }

  /** Connections that hold a channel now. */
  subscriberCount(channel: string): number {
    return this.#subscribers.get(channel) ?? 0;
  }

  /** Whether a request is for this gateway: its path, or one below it. */
  match(request: Pick<UpgradeRequest, "url">): boolean {
    return this.#admission.match(request);
  }

  /**
   * Answers a request of `Deno.serve`; bound, so it can be handed over as it is.
   *
   * Call it in the same turn that the request came in, before anything is awaited: if the client
   * leaves before the upgrade, Deno 2.9 never closes its socket.
   */
  readonly handler = (request: Request): Response | Promise<Response> => {
    const url = new URL(request.url);
    return this.#publish(request, url) ?? this.#sse.handle(request, url) ??
      this.#upgrade(request);
  };

  #publish(request: Request, url: URL): Response | Promise<Response> | undefined {
    if (this.#httpPublish === undefined || url.pathname !== pathBelow(this.path, "publish")) return;
    return this.#state === "open"
      ? this.#httpPublish.handle(request)
      : plainAnswer(503, "The gateway is closed");
  }

  #upgrade(request: Request): Response {
    const refused = this.refusal(request);
    if (refused !== undefined) return refused;
    const revision = revisionOf(request.url);
    // Deno closes the request with the upgrade; a copy can still be asked for cookies afterwards.
    const kept = this.#settings.resolveSubject === undefined
      ? request
      : new Request(request.url, { headers: request.headers });
    try {
      return upgradeWebSocket(request, (socket) => this.#connect(socket, kept, revision));
    } catch (cause) {
      this.#reporter.report(
        new BroadcastHandshakeError(
          `Cannot upgrade a request to a WebSocket: ${reasonOf(cause)}`,
          { cause },
        ),
      );
      return plainAnswer(400, "The WebSocket handshake failed");
    }
  }

  /**
   * The answer to a request that must not be upgraded, for its path, its handshake or its origin;
   * `undefined` for one that may. For glue to other listeners; `handler` asks by itself.
   */
  refusal(request: UpgradeRequest): Response | undefined {
    return this.#admission.refusal(request);
  }

  #outOfService(): Response | undefined {
    if (this.#state === "closed") return plainAnswer(503, "The gateway is closed");
    if (this.#drain === undefined) return;
    const headers = { "retry-after": String(this.#drain.retryAfterSeconds) };
    return plainAnswer(503, "The gateway is draining", headers);
  }

  /**
   * Starts a session on an open socket; it is welcomed when `resolveSubject` has answered. For glue
   * to other listeners; `handler` does it by itself.
   *
   * @returns What the glue passes the socket's events to.
   */
  connect(socket: GatewaySocket, request: UpgradeRequest): SocketEvents {
    return this.#connect(socket, request, revisionOf(request.url));
  }

  #connect(
    socket: GatewaySocket,
    request: UpgradeRequest,
    revision: Revision,
  ): Session<Subject> {
    const session = new Session(socket, revision, this.#host);
    if (this.#state !== "open") {
      if (this.#state === "draining") session.drain(0);
      else session.end(CLOSE.goingAway);
      return session;
    }
    this.#sessions.add(session);
    try {
      this.#host.access.open();
    } catch (cause) {
      this.#reporter.report(asBroadcastError(cause, "Cannot connect a client"));
      session.end(CLOSE.goingAway);
      return session;
    }
    this.#scheduleReauthorization();
    session.start(request);
    return session;
  }

  /**
   * Takes the gateway out of service: new connections are answered 503 with `Retry-After`, and every
   * connection is told when to come back, each at another time, and closed with a code that says so:
   * 4200, or 1001 for a client of revision 1. What is on its way to a client, and its publishes that
   * are under way, come first.
   *
   * Resolves when all sockets are closed. At the deadline those that are stuck are cut off; on
   * `Deno.serve`, which cannot do that, they end with their server: abort its signal afterwards. A
   * second call waits for the first one's end. The gateway is closed then.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   *
   * @example
   * ```ts
   * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
   *
   * const broadcaster = new MemoryBroadcaster();
   * const gateway = new BroadcastGateway({ broadcaster });
   * const stop = new AbortController();
   * const server = Deno.serve({ port: 0, signal: stop.signal, onListen() {} }, gateway.handler);
   *
   * await gateway.drain({ deadlineMs: 5_000 });
   * stop.abort();
   * await server.finished;
   * await broadcaster.close();
   * ```
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    if (this.#drain === undefined) {
      this.#drain = new Drain(options, () => [...this.#sessions, ...this.#closing]);
      if (this.#state === "open") this.#state = "draining";
      this.#drain.sendAway([...this.#sessions]);
      this.#endDrainIfEmpty();
    }
    await this.#drain.over;
    await this.close();
  }

  /**
   * Closes every connection with 1001, which tells clients to come back later, and refuses new ones.
   * The broadcaster stays open. Idempotent.
   */
  close(): Promise<void> {
    this.#state = "closed";
    for (const session of [...this.#sessions]) session.end(CLOSE.goingAway);
    this.#deadlines.close();
    this.#host.access.close();
    clearInterval(this.#reauthorization);
    this.#host.flusher.close();
    this.#drain?.end();
    return Promise.resolve();
  }

  /** The same as {@linkcode BroadcastGateway.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does as the application told all nodes. What cannot be done is told, not taken for done. */
  #obey(order: ControlOrder): void {
    if ("user" in order && this.#settings.identify === undefined) {
      this.#reporter.report(
        new BroadcastConfigError(
          `Cannot ${order.type} user ${order.user}: without the option "identify" nobody knows whose ` +
            `connections those of this gateway are`,
          { context: { order } },
        ),
      );
    }
    for (const session of [...this.#sessions]) session.obey(order);
  }

  #scheduleReauthorization(): void {
    const { reauthorizeIntervalMs } = this.#settings;
    if (reauthorizeIntervalMs === undefined) return;
    this.#reauthorization ??= setInterval(() => {
      for (const session of this.#sessions) session.reauthorize();
    }, reauthorizeIntervalMs);
  }

  #endDrainIfEmpty(): void {
    if (this.#sessions.size + this.#closing.size === 0) this.#drain?.end();
  }

  #count(channel: string, change: number): void {
    const count = this.subscriberCount(channel) + change;
    if (count > 0) this.#subscribers.set(channel, count);
    else this.#subscribers.delete(channel);
  }
}

/** Read as it stands: taking an address apart costs more than the rest of a welcome. */
const ASKED_REVISION = /[?&]v=(\d+)/;

/** What a client asks for with `?v=`, or the highest that is known here. */
function revisionOf(url: string): Revision {
  return Number(ASKED_REVISION.exec(url)?.[1]) >= 2 ? 2 : 1;
}
