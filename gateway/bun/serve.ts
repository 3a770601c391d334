import { type OptionCheck, readOptions, type Resolved } from "../../core/options.ts";
import { CLOSE } from "../../protocol/close_codes.ts";
import { Closable } from "../closable.ts";
import type { BroadcastGateway } from "../gateway.ts";
import { listenError } from "../listen_error.ts";
import { CLOSE_CHECKS, CLOSE_DEFAULTS, LISTEN_CHECKS, LISTEN_DEFAULTS } from "../listen_options.ts";
import { plainAnswer } from "../plain_answer.ts";
import { BunConnection } from "./connection.ts";
import type { Bun as Runtime, BunServer } from "./runtime.ts";

declare const Bun: Runtime | undefined;

/** Options of {@linkcode serve}. All are optional. */
export interface ServeOptions {
  /** Port to listen on, 8000 unless told; 0 takes any that is free. */
  readonly port?: number | undefined;
  /** Address to listen on; every one of IPv4, `0.0.0.0`, unless told. */
  readonly hostname?: string | undefined;
  /** Closes the server when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Answers requests for other paths than the gateway's; they get a 404 unless told. */
  readonly fallback?: ((request: Request) => Response | Promise<Response>) | undefined;
  /**
   * Milliseconds that answers under way may take when the server closes, before they are cut off;
   * 5,000 unless told.
   */
  readonly closeTimeoutMs?: number | undefined;
}

const DEFAULTS = { ...LISTEN_DEFAULTS, ...CLOSE_DEFAULTS } as const;

const CHECKS: { readonly [Name in keyof Required<ServeOptions>]: OptionCheck } = {
  ...LISTEN_CHECKS,
  ...CLOSE_CHECKS,
};

/** A server that listens. */
export interface GatewayServer extends AsyncDisposable {
  /** The port it listens on. */
  readonly port: number;
  /**
   * Takes no more connections, closes those there are with 1001 and ends streams; resolves when the
   * last answer is over. One that takes longer than `closeTimeoutMs` is cut off. Idempotent.
   */
  close(): Promise<void>;
}

/**
 * Listens for a gateway's clients with `Bun.serve`.
 *
 * @example
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { serve } from "@airwave/broadcast/bun";
 *
 * function start() {
 *   const gateway = new BroadcastGateway({ broadcaster: new MemoryBroadcaster() });
 *   return serve(gateway, { port: 8000, fallback: () => new Response("Hello") });
 * }
 * ```
 *
 * @throws {BroadcastConfigError} On an unknown option or a bad value, and where it cannot listen; what
 * `Bun.serve` said is the cause.
 * @throws {TypeError} On another runtime than Bun.
 */
export function serve<Subject>(
  gateway: BroadcastGateway<Subject>,
  options: ServeOptions = {},
): GatewayServer {
  const settings = readOptions("a server", options, CHECKS, DEFAULTS);
  if (typeof Bun === "undefined") {
    throw new TypeError(
      "Cannot serve here: this listener is for Bun, use serve of @airwave/broadcast/node or " +
        "gateway.handler on Deno",
    );
  }
  settings.signal?.throwIfAborted();
  try {
    return new HttpServer(Bun, gateway, settings);
  } catch (cause) {
    throw listenError(settings.hostname, settings.port, cause);
  }
}

type Settings = Resolved<ServeOptions, typeof DEFAULTS>;

class HttpServer<Subject> extends Closable implements GatewayServer {
  readonly port: number;
  readonly #gateway: BroadcastGateway<Subject>;
  readonly #settings: Settings;
  readonly #server: BunServer<BunConnection>;
  readonly #connections = new Set<BunConnection>();
  /** What reads the answers that are not over. */
  readonly #answers = new Set<ReadableStreamDefaultReader<Uint8Array>>();

  constructor(bun: Runtime, gateway: BroadcastGateway<Subject>, settings: Settings) {
    super();
    this.#gateway = gateway;
    this.#settings = settings;
    const { port, hostname, signal } = settings;
    this.#server = bun.serve<BunConnection>({
      port,
      hostname,
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        maxPayloadLength: gateway.maxFrameBytes,
        // The gateway has its own: it counts what waits, and asks who is silent.
        backpressureLimit: 0,
        idleTimeout: 0,
        sendPings: false,
        perMessageDeflate: false,
        open: (socket) => {
          this.#connections.add(socket.data);
          socket.data.opened(socket);
        },
        message: ({ data: connection }, data) => connection.message(data),
        close: ({ data: connection }, code, reason) => {
          this.#connections.delete(connection);
          connection.closed(code, reason);
        },
      },
    });
    this.port = this.#server.port;
    this.closeOn(signal);
  }

  protected override async end(): Promise<void> {
    const stopped = this.#server.stop();
    for (const connection of [...this.#connections]) {
      connection.close(CLOSE.goingAway.code, CLOSE.goingAway.reason);
    }
    // A stream of events has no end of its own.
    for (const reader of this.#answers) reader.cancel();
    const deadline = setTimeout(() => this.#server.stop(true), this.#settings.closeTimeoutMs);
    await stopped;
    clearTimeout(deadline);
  }

  #answer(
    request: Request,
    server: BunServer<BunConnection>,
  ): Response | undefined | Promise<Response | undefined> {
    // A connection that was kept may ask again.
    if (this.isClosing) return plainAnswer(503, "The server is closing");
    const { fallback } = this.#settings;
    if (fallback !== undefined && !this.#gateway.match(request)) return fallback(request);
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
      return this.#gateway.refusal(request) ?? this.#upgrade(request, server);
    }
    // Bun ends answers that say nothing for 10 seconds, and a stream of events may.
    server.timeout(request, 0);
    return this.#handle(request, server);
  }

  #upgrade(request: Request, server: BunServer<BunConnection>): Response | undefined {
    const data = new BunConnection((socket) => this.#gateway.connect(socket, request));
    if (server.upgrade(request, { data })) return;
    return plainAnswer(400, "The WebSocket handshake failed");
  }

  async #handle(request: Request, server: BunServer<BunConnection>): Promise<Response> {
    const answer = await this.#gateway.handler(request);
    if (answer.body === null) return answer;
    const reader = answer.body.getReader();
    this.#answers.add(reader);
    const body: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        reader.closed.catch((error) => {
          controller.error(error);
          // Cut off for not being read, and then Bun would wait for ever until it is.
          server.timeout(request, 1);
        }).finally(() => this.#answers.delete(reader));
      },
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    };
    return new Response(new ReadableStream(body, { highWaterMark: 0 }), answer);
  }
}
