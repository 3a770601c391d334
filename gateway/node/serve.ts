import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type OptionCheck, readOptions } from "../../core/options.ts";
import { Closable } from "../closable.ts";
import type { BroadcastGateway } from "../gateway.ts";
import { listenError } from "../listen_error.ts";
import { CLOSE_CHECKS, CLOSE_DEFAULTS, LISTEN_CHECKS, LISTEN_DEFAULTS } from "../listen_options.ts";
import { attach, type Attachment, type AttachOptions } from "./attachment.ts";

/** Options of {@linkcode serve}. All are optional. */
export interface ServeOptions extends AttachOptions {
  /** Port to listen on, 8000 unless told; 0 takes any that is free. */
  readonly port?: number | undefined;
  /** Address to listen on; every one of IPv4, `0.0.0.0`, unless told. */
  readonly hostname?: string | undefined;
  /** Closes the server when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Answers requests for other paths than the gateway's; they get a 404 unless told. */
  readonly fallback?: RequestListener | undefined;
}

const DEFAULTS = { ...CLOSE_DEFAULTS, ...LISTEN_DEFAULTS } as const;

const CHECKS: { readonly [Name in keyof Required<ServeOptions>]: OptionCheck } = {
  ...CLOSE_CHECKS,
  ...LISTEN_CHECKS,
};

/** A server that listens. */
export interface GatewayServer extends Attachment {
  /** The port it listens on. */
  readonly port: number;
}

/**
 * Listens for a gateway's clients with `node:http`.
 *
 * @example
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { serve } from "@airwave/broadcast/node";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * await using server = await serve(gateway, {
 *   port: 0,
 *   hostname: "127.0.0.1",
 *   fallback: (_, response) => response.end("Hello"),
 * });
 * const answer = await fetch(`http://127.0.0.1:${server.port}/`);
 * assertEquals(await answer.text(), "Hello");
 * ```
 *
 * @returns The server, once it listens. Its `close()` stops listening, closes every connection with
 * 1001 and resolves when all of them are gone.
 * @throws {BroadcastConfigError} On an unknown option or a bad value, and where it cannot listen; what
 * `node:http` said is the cause.
 */
export async function serve<Subject>(
  gateway: BroadcastGateway<Subject>,
  options: ServeOptions = {},
): Promise<GatewayServer> {
  const settings = readOptions("a server", options, CHECKS, DEFAULTS);
  const { port, hostname, signal, fallback, closeTimeoutMs } = settings;
  signal?.throwIfAborted();
  const http = createServer();
  const attachment = attach(gateway, http, { closeTimeoutMs });
  const server = new HttpServer(http, attachment, closeTimeoutMs);
  http.on("request", (message, response) => {
    server.began(response);
    if (fallback === undefined || isForGateway(gateway, message)) {
      attachment.handler(message, response);
    } else {
      fallback(message, response);
    }
  });
  server.port = await listen(http, port, hostname);
  server.closeOn(signal);
  return server;
}

class HttpServer extends Closable implements GatewayServer {
  port = 0;
  readonly handler: RequestListener;
  readonly #http: Server;
  readonly #attachment: Attachment;
  readonly #closeTimeoutMs: number;
  /** Answers that are not over. */
  readonly #answers = new Set<ServerResponse>();

  constructor(http: Server, attachment: Attachment, closeTimeoutMs: number) {
    super();
    this.handler = attachment.handler;
    this.#http = http;
    this.#attachment = attachment;
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  /** A request came. */
  began(response: ServerResponse): void {
    this.#answers.add(response);
    response.once("close", () => {
      this.#answers.delete(response);
      if (this.isClosing) this.#closeIfIdle();
    });
  }

  protected override async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    // What asks for a page may take as long as a peer that has to answer a close frame.
    const deadline = setTimeout(() => this.#http.closeAllConnections(), this.#closeTimeoutMs);
    await this.#attachment.close();
    this.#closeIfIdle();
    await closed;
    clearTimeout(deadline);
  }

  /** Connections between two requests would stay: which ones those are not every runtime knows. */
  #closeIfIdle(): void {
    if (this.#answers.size === 0) this.#http.closeAllConnections();
  }
}

/** Resolves with the port that it listens on. */
function listen(http: Server, port: number, hostname: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(listenError(hostname, port, cause));
    http.once("error", fail);
    http.listen(port, hostname, () => {
      http.off("error", fail);
      const address = http.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/** By its address alone: what the application is asked for is its own to read. */
function isForGateway<Subject>(
  gateway: BroadcastGateway<Subject>,
  { url = "/" }: IncomingMessage,
): boolean {
  const address = url.startsWith("/") ? `http://localhost${url}` : url;
  return URL.canParse(address) && gateway.match(new Request(address));
}
