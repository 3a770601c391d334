import type { WebSocketLike } from "../client/socket.ts";
import type { GatewaySocket } from "../gateway/socket.ts";
import type { ClientFrame, ServerFrame } from "../protocol/frames.ts";

/** How a fake socket was closed by the code under test. */
export interface FakeClose {
  /** Close code. */
  readonly code: number | undefined;
  /** Reason. */
  readonly reason: string | undefined;
}

/**
 * The client's end of a connection to nowhere: the test plays the server.
 *
 * @example
 * ```ts
 * import { BroadcastClient } from "@airwave/broadcast/client";
 * import { FakeNetwork } from "@airwave/broadcast/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const network = new FakeNetwork();
 * using client = new BroadcastClient({
 *   url: "ws://fake/",
 *   webSocketFactory: network.webSocketFactory,
 * });
 * client.channel("news");
 * network.last.receive({ t: "welcome", id: "1" });
 * assertEquals(network.last.frames, [{ t: "sub", c: "news" }]);
 * ```
 */
export class FakeWebSocket implements WebSocketLike {
  /** Set by the client. */
  onopen: ((event: never) => unknown) | null = null;
  /** Set by the client. */
  onmessage: ((event: never) => unknown) | null = null;
  /** Set by the client. */
  onclose: ((event: never) => unknown) | null = null;
  /** Set by the client. */
  onerror: ((event: never) => unknown) | null = null;
  /** Address it was opened with. */
  readonly url: string;
  /** Frames that the client sent, oldest first. */
  readonly frames: unknown[] = [];
  /** How the client closed it, `undefined` while it did not. */
  closed: FakeClose | undefined;

  /** Made by {@linkcode FakeNetwork.webSocketFactory}. */
  constructor(url: string) {
    this.url = url;
  }

  /** The handshake went through. */
  open(): void {
    this.#fire(this.onopen, {});
  }

  /** The server sends a frame, or any text. */
  receive(message: ServerFrame | string): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    this.#fire(this.onmessage, { data });
  }

  /** The connection ends by the server or the network. */
  drop(code = 1006, reason = ""): void {
    this.#fire(this.onclose, { code, reason });
  }

  /** Called by the client. */
  send(text: string): void {
    this.frames.push(JSON.parse(text));
  }

  /** Called by the client. */
  close(code?: number, reason?: string): void {
    this.closed ??= { code, reason };
  }

  #fire(handler: ((event: never) => unknown) | null, event: object): void {
    // Handlers take `never` so that any can be set; what they are called with is made right here.
    handler?.(event as never);
  }
}

/**
 * Keeps every fake socket that a client opened.
 *
 * @example
 * ```ts
 * import { BroadcastClient } from "@airwave/broadcast/client";
 * import { FakeNetwork } from "@airwave/broadcast/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const network = new FakeNetwork();
 * using client = new BroadcastClient({
 *   url: "ws://fake/",
 *   webSocketFactory: network.webSocketFactory,
 * });
 * network.last.receive({ t: "welcome", id: "1" });
 * assertEquals([network.sockets.length, client.state], [1, "connected"]);
 * ```
 */
export class FakeNetwork {
  /** All of them, oldest first. */
  readonly sockets: FakeWebSocket[] = [];

  /** For the client's option of that name. */
  readonly webSocketFactory = (url: string): FakeWebSocket => {
    const socket = new FakeWebSocket(url);
    this.sockets.push(socket);
    return socket;
  };

  /**
   * The socket that was opened last.
   *
   * @throws {Error} If there is none.
   */
  get last(): FakeWebSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("No socket was opened");
    return socket;
  }
}

/**
 * The gateway's end of a connection to nowhere: the test plays the client and the network.
 *
 * @example
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { clientText, FakeGatewaySocket } from "@airwave/broadcast/testing";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * const socket = new FakeGatewaySocket();
 * const events = gateway.connect(socket, new Request("http://localhost/_broadcast"));
 * events.message(clientText({ t: "sub", c: "news" }));
 * await socket.until(() => socket.frames.some(({ t }) => t === "ok"));
 * ```
 */
export class FakeGatewaySocket implements GatewaySocket {
  /** Messages that the gateway sent, oldest first; each a frame or an array of frames. */
  readonly messages: string[] = [];
  /** The frames in them. */
  readonly frames: ServerFrame[] = [];
  /** How the gateway closed it, `undefined` while it did not. */
  closed: FakeClose | undefined;
  /** Whether the gateway gave up waiting for the peer. */
  terminated = false;
  /** Bytes that have not left yet; set it to play a slow peer. */
  bufferedAmount = 0;
  readonly #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  /** Called by the gateway. */
  send(text: string): void {
    if (this.closed !== undefined) throw new Error("Sent on a closed socket");
    this.messages.push(text);
    this.frames.push(...[JSON.parse(text)].flat());
    this.#look();
  }

  /** Called by the gateway. */
  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
    this.#look();
  }

  /** Called by the gateway. */
  terminate(): void {
    this.terminated = true;
    this.#look();
  }

  /** Resolves when the gateway has sent, or closed with, what the test waits for. */
  until(done: (socket: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ done: () => done(this), resolve });
      this.#look();
    });
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) {
      if (!waiting.done()) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}

/** A frame of a client as the text that the gateway receives. */
export function clientText(frame: ClientFrame): string {
  return JSON.stringify(frame);
}
