import { Deadlines } from "../core/deadline.ts";
import { BroadcastError } from "../core/errors.ts";
import { ErrorReporter } from "../core/hooks.ts";
import { readOptions } from "../core/options.ts";
import { CLOSE } from "../protocol/close_codes.ts";
import { upgradeWebSocket } from "./deno.ts";
import { EventEncoder } from "./encoder.ts";
import { type BroadcastGatewayOptions, CHECKS, DEFAULTS, type GatewaySettings } from "./options.ts";
import { OriginPolicy } from "./origin.ts";
import { Flusher } from "./outbound_queue.ts";
import { Session, type SessionHost } from "./session.ts";
import type { GatewaySocket, SocketEvents } from "./socket.ts";

/** What a gateway made of a request to connect. */
export type Admission<Subject> =
  | { readonly admitted: true; readonly subject: Subject | undefined }
  | { readonly admitted: false; readonly response: Response };

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
  readonly #origins: OriginPolicy;
  readonly #reporter: ErrorReporter;
  readonly #deadlines = new Deadlines();
  readonly #sessions = new Set<Session<Subject>>();
  /** How many connections hold each channel. */
  readonly #subscribers = new Map<string, number>();
  readonly #host: SessionHost<Subject>;
  #state: "open" | "closed" = "open";

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
    this.#origins = new OriginPolicy(settings.allowedOrigins);
    this.#reporter = new ErrorReporter(
      settings.onError,
      (error) => settings.logger?.error(error.message, { code: error.code, error }),
    );
    this.#host = {
      settings,
      deadlines: this.#deadlines,
      encoder: new EventEncoder(),
      flusher: new Flusher(),
      report: (error) => this.#reporter.report(error),
      subscribed: (channel) => this.#count(channel, 1),
      unsubscribed: (channel) => this.#count(channel, -1),
      ended: (session, code, reason) => this.#onEnded(session, code, reason),
    };
  }

  /** Connections that are open now. */
  get clientCount(): number {
    return this.#sessions.size;
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
  match(request: Request): boolean {
    const { pathname } = new URL(request.url);
    return pathname === this.#settings.path || pathname.startsWith(`${this.#settings.path}/`);
  }

  /** Answers a request of `Deno.serve`; bound, so it can be handed over as it is. */
  readonly handler = async (request: Request): Promise<Response> => {
    const admission = await this.admit(request);
    if (!admission.admitted) return admission.response;
    try {
      return upgradeWebSocket(request, (socket) => this.connect(socket, admission.subject));
    } catch (cause) {
      this.#reporter.report(
        new BroadcastError("broadcast.driver", "Cannot upgrade a request to a WebSocket", {
          status: 400,
          cause,
        }),
      );
      return refusal(400, "The WebSocket handshake failed");
    }
  };

  /**
   * Decides about a request before it is upgraded: path, handshake, origin, and who is asking. For
   * glue to other listeners; `handler` does it by itself.
   */
  async admit(request: Request): Promise<Admission<Subject>> {
    if (this.#state === "closed") return refuse(503, "The gateway is closed");
    if (new URL(request.url).pathname !== this.#settings.path) return refuse(404, "Not found");
    if (request.method !== "GET" || !isWebSocketHandshake(request)) {
      return refuse(426, "Connect with a WebSocket", { upgrade: "websocket" });
    }
    if (!this.#origins.allows(request)) {
      this.#log("warn", "Refused a connection from a foreign origin", {
        origin: request.headers.get("origin"),
      });
      return refuse(403, "This origin may not connect, see allowedOrigins");
    }
    const { resolveSubject, authorizationTimeoutMs } = this.#settings;
    if (resolveSubject === undefined) return { admitted: true, subject: undefined };
    try {
      const answer = resolveSubject(request);
      const subject = await this.#deadlines.race(answer, authorizationTimeoutMs);
      return { admitted: true, subject };
    } catch (cause) {
      this.#reporter.report(
        new BroadcastError("broadcast.hook", "Cannot connect a client: resolveSubject failed", {
          status: 401,
          cause,
        }),
      );
      return refuse(401, "Who is asking could not be found out");
    }
  }

  /**
   * Starts a session on an open socket. For glue to other listeners; `handler` does it by itself.
   *
   * @returns What the glue passes the socket's events to.
   */
  connect(socket: GatewaySocket, subject: Subject | undefined): SocketEvents {
    const info = { id: crypto.randomUUID(), subject };
    const session = new Session(socket, info, this.#host);
    if (this.#state === "closed") {
      session.end(CLOSE.goingAway);
      return session;
    }
    this.#sessions.add(session);
    this.#log("debug", "Client connected", { id: info.id });
    this.#reporter.run("onConnect", () => this.#settings.onConnect?.(info));
    session.start();
    return session;
  }

  /**
   * Closes every connection with 1001, which tells clients to come back later, and refuses new ones.
   * The broadcaster stays open. Idempotent.
   */
  close(): Promise<void> {
    this.#state = "closed";
    for (const session of [...this.#sessions]) session.end(CLOSE.goingAway);
    this.#deadlines.close();
    return Promise.resolve();
  }

  /** The same as {@linkcode BroadcastGateway.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEnded(session: Session<Subject>, code: number, reason: string): void {
    // One that was refused at the door was never announced.
    if (!this.#sessions.delete(session)) return;
    const level = code === CLOSE.slowConsumer.code || code === CLOSE.frameTooLarge.code
      ? "warn"
      : "debug";
    this.#log(level, "Client disconnected", { id: session.info.id, code, reason });
    this.#reporter.run(
      "onDisconnect",
      () => this.#settings.onDisconnect?.({ ...session.info, code, reason }),
    );
  }

  #count(channel: string, change: number): void {
    const count = this.subscriberCount(channel) + change;
    if (count > 0) this.#subscribers.set(channel, count);
    else this.#subscribers.delete(channel);
  }

  #log(level: "debug" | "warn", message: string, context: Record<string, unknown>): void {
    this.#reporter.run("logger", () => this.#settings.logger?.[level](message, context));
  }
}

function isWebSocketHandshake(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

function refuse(
  status: number,
  message: string,
  headers: HeadersInit = {},
): { admitted: false; response: Response } {
  return { admitted: false, response: refusal(status, message, headers) };
}

function refusal(status: number, message: string, headers: HeadersInit = {}): Response {
  return new Response(`${message}\n`, { status, headers });
}
