import type { Buffer } from "node:buffer";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type Deferred, deferred } from "../../core/deferred.ts";
import { BroadcastConfigError } from "../../core/errors.ts";
import { describe, readOptions } from "../../core/options.ts";
import { CLOSE } from "../../protocol/close_codes.ts";
import type { BroadcastGateway } from "../gateway.ts";
import { CLOSE_CHECKS, CLOSE_DEFAULTS } from "../listen_options.ts";
import { Connections } from "./connections.ts";
import { badHandshake, handshake } from "./handshake.ts";
import { badRequest, readUpgrade, respond, respondBare, toRequest } from "./http.ts";

/** Options of {@linkcode attach}. */
export interface AttachOptions {
  /**
   * Milliseconds that a peer has to answer a close frame before its connection is destroyed; 5,000
   * unless told.
   */
  readonly closeTimeoutMs?: number | undefined;
}

/**
 * Brings a gateway to a server that is there already, such as one of Express. Requests for other
 * paths than the gateway's are left to the server's other listeners.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { attach } from "@airwave/broadcast/node";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * const server = createServer((_, response) => response.end("Hello"));
 * await using attachment = attach(gateway, server);
 * ```
 *
 * @returns What takes it off again and closes its connections; the server stays.
 * @throws {BroadcastConfigError} On an unknown option or a bad value.
 */
export function attach<Subject>(
  gateway: BroadcastGateway<Subject>,
  server: Server,
  options: AttachOptions = {},
): Attachment {
  const settings = readOptions("an attachment", options, CLOSE_CHECKS, CLOSE_DEFAULTS);
  if (!(typeof gateway === "object" && typeof gateway?.connect === "function")) {
    throw new BroadcastConfigError(
      `Cannot attach: the gateway must be a BroadcastGateway, got ${describe(gateway)}`,
    );
  }
  return new GatewayAttachment(gateway, server, settings.closeTimeoutMs);
}

/** The paths of the gateways on a server: two on one path would answer the same handshake twice. */
const taken = new WeakMap<Server, Set<string>>();

function isWithin(path: string, other: string): boolean {
  return path === other || path.startsWith(other === "/" ? other : `${other}/`);
}

/** A gateway on a server. */
export interface Attachment extends AsyncDisposable {
  /**
   * Answers what is asked of the gateway over plain HTTP: server-sent events, their uplinks, and
   * publishing. For the server's own listener to call on the gateway's path.
   */
  readonly handler: RequestListener;
  /**
   * Takes no more connections and closes those there are with 1001; resolves when they are closed.
   * One whose peer does not answer is destroyed after `closeTimeoutMs`. Idempotent.
   */
  close(): Promise<void>;
}

class GatewayAttachment<Subject> implements Attachment {
  readonly #gateway: BroadcastGateway<Subject>;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #responses = new Set<ServerResponse>();
  #closing: Deferred<void> | undefined;

  constructor(gateway: BroadcastGateway<Subject>, server: Server, closeTimeoutMs: number) {
    this.#gateway = gateway;
    this.#server = server;
    const paths = taken.get(server) ?? new Set();
    const { path } = gateway;
    const other = [...paths].find((other) => isWithin(other, path) || isWithin(path, other));
    if (other !== undefined) {
      throw new BroadcastConfigError(
        `Cannot attach a gateway at ${path}: this server has one at ${other}, give one another path`,
        { context: { path, other } },
      );
    }
    taken.set(server, paths.add(path));
    this.#connections = new Connections(
      gateway.maxFrameBytes,
      closeTimeoutMs,
      () => this.#closing?.resolve(),
    );
    server.on("upgrade", this.#onUpgrade);
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    this.#closing = deferred();
    this.#server.off("upgrade", this.#onUpgrade);
    taken.get(this.#server)?.delete(this.#gateway.path);
    this.#connections.closeAll(CLOSE.goingAway);
    // A stream of events has no end of its own.
    for (const response of this.#responses) response.end();
    if (this.#connections.size === 0) this.#closing.resolve();
    return this.#closing.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly handler = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = toRequest(message);
    this.#responses.add(response);
    response.once("close", () => this.#responses.delete(response));
    try {
      const answer = request ? await this.#gateway.handler(request) : badRequest();
      // Nobody tells a second time of a client that has left while its answer was waited for.
      if (this.#responses.has(response)) await respond(response, answer);
      else await answer.body?.cancel();
      if (request?.body?.locked === false) await request.body.cancel();
    } catch {
      // A handler of the gateway answers whatever happens; this ends what it could not foresee.
      response.destroy();
    }
  };

  readonly #onUpgrade = (message: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const request = readUpgrade(message);
    const isAlone = this.#server.listenerCount("upgrade") === 1;
    if (!isAlone && (request === undefined || !this.#gateway.match(request))) return;
    const refusal = request === undefined ? badRequest() : this.#gateway.refusal(request);
    const answer = refusal === undefined ? handshake(message.headers) : undefined;
    if (request === undefined || answer === undefined) {
      respondBare(stream, refusal ?? badHandshake());
      return;
    }
    message.socket.setNoDelay();
    message.socket.setTimeout(0);
    const socket = this.#connections.add(stream, answer);
    socket.open(this.#gateway.connect(socket, request));
    if (head.length > 0) socket.receive(head);
  };
}
