import { deadline } from "@std/async";
import {
  BroadcastClient,
  type BroadcastClientError,
  type BroadcastClientOptions,
} from "@airwave/broadcast/client";

/** Also a busy machine has answered by then. */
const TIMEOUT_MS = 30_000;

/** An application, as the recipes make it. */
export interface App {
  fetch(request: Request): Response | Promise<Response>;
  close(): Promise<void>;
}

/** Serves an application on a free port of loopback; `await using` ends both. */
export class Running implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #app: App;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(app: App) {
    this.#app = app;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
    this.port = this.#server.addr.port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.close();
    await this.#server.shutdown();
  }
}

/** Somebody who listens to a channel over a real socket; `await using` closes it. */
export class Guest implements AsyncDisposable {
  readonly client: BroadcastClient;
  readonly #sockets: Promise<unknown>[] = [];

  /** Comes to a gateway, with these headers if told. */
  constructor(
    url: string,
    headers: Readonly<Record<string, string>> = {},
    options: BroadcastClientOptions = {},
  ) {
    this.client = new BroadcastClient({
      url: new URL("/_broadcast", url),
      webSocketFactory: (url) => {
        const socket = new WebSocket(url, { headers });
        this.#sockets.push(
          new Promise((resolve) => socket.addEventListener("close", resolve, { once: true })),
        );
        return socket;
      },
      ...options,
    });
  }

  /** Holds a channel, waits until it is live, does something, and gives the data of what comes. */
  async hear(channel: string, act: () => Promise<unknown>): Promise<unknown> {
    const held = this.client.channel(channel);
    const heard = new Promise((resolve) => held.on("*", (_event, data) => resolve(data)));
    await deadline(held.ready, TIMEOUT_MS);
    await act();
    return await deadline(heard, TIMEOUT_MS);
  }

  /** Holds a channel and gives the reason of the refusal. */
  async isRefused(channel: string): Promise<string | undefined> {
    const { reason } = await this.error(() => this.client.channel(channel));
    return reason;
  }

  /** What the client is told to be wrong, once something was done. */
  async error(act: () => unknown): Promise<BroadcastClientError> {
    const error = new Promise<BroadcastClientError>((resolve) => this.client.on("error", resolve));
    act();
    return await deadline(error, TIMEOUT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect();
    await Promise.all(this.#sockets);
  }
}

/** Pays the order that everybody listens to. */
export async function pay(url: string): Promise<void> {
  const { status, body } = await fetch(`${url}/orders/7/pay`, { method: "POST" });
  await body?.cancel();
  if (status !== 204) throw new Error(`Cannot pay: ${status}`);
}
