import { createServer, type RequestListener, type Server } from "node:http";
import { callback, integer, type OptionCheck, readOptions } from "../../core/options.ts";
import type { BroadcastGateway } from "../gateway.ts";
import {
  attach,
  ATTACH_CHECKS,
  ATTACH_DEFAULTS,
  type Attachment,
  type AttachOptions,
} from "./attachment.ts";
import { badRequest, respond, toRequest } from "./http.ts";

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

const DEFAULTS = { ...ATTACH_DEFAULTS, port: 8000, hostname: "0.0.0.0" } as const;

const CHECKS: { readonly [Name in keyof Required<ServeOptions>]: OptionCheck } = {
  ...ATTACH_CHECKS,
  port: integer(0, 65_535),
  hostname: (value) => typeof value === "string" && value !== "" ? undefined : "a host name",
  signal: (value) => value instanceof AbortSignal ? undefined : "an AbortSignal",
  fallback: callback,
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
 * @throws {BroadcastConfigError} On an unknown option or a bad value.
 * @throws {Error} If it cannot listen, as `node:http` says it.
 */
export async function serve<Subject>(
  gateway: BroadcastGateway<Subject>,
  options: ServeOptions = {},
): Promise<GatewayServer> {
  const settings = readOptions("a server", options, CHECKS, DEFAULTS);
  const { port, hostname, signal, fallback, closeTimeoutMs } = settings;
  signal?.throwIfAborted();
  const http = createServer((message, response) => {
    const request = toRequest(message);
    if (fallback !== undefined && (request === undefined || !gateway.match(request))) {
      fallback(message, response);
    } else {
      const refusal = request === undefined ? undefined : gateway.refusal(request);
      respond(response, refusal ?? badRequest());
    }
  });
  await listen(http, port, hostname);
  const server = new HttpServer(http, attach(gateway, http, { closeTimeoutMs }), closeTimeoutMs);
  server.closeOn(signal);
  return server;
}

class HttpServer implements GatewayServer {
  readonly port: number;
  readonly #http: Server;
  readonly #attachment: Attachment;
  readonly #closeTimeoutMs: number;
  #signal: AbortSignal | undefined;
  #closing: Promise<void> | undefined;

  constructor(http: Server, attachment: Attachment, closeTimeoutMs: number) {
    const address = http.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.#http = http;
    this.#attachment = attachment;
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  closeOn(signal: AbortSignal | undefined): void {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.close();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #onAbort = (): void => void this.close();

  async #close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    // What asks for a page may take as long as a peer that has to answer a close frame.
    const deadline = setTimeout(() => this.#http.closeAllConnections(), this.#closeTimeoutMs);
    await this.#attachment.close();
    this.#http.closeIdleConnections();
    await closed;
    clearTimeout(deadline);
  }
}

function listen(http: Server, port: number, hostname: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", reject);
    http.listen(port, hostname, () => {
      http.off("error", reject);
      resolve();
    });
  });
}
