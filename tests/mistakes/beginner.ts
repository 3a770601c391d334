import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { BroadcastClient, type BroadcastClientOptions } from "@airwave/broadcast/client";

/** What a beginner has: a broadcaster, a gateway that says what it has to say, a server, clients. */
export class Beginner implements AsyncDisposable {
  readonly broadcaster = new MemoryBroadcaster();
  readonly gateway: BroadcastGateway;
  /** The first warning or error of the gateway's log. */
  readonly logged: Promise<string>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #clients: BroadcastClient[] = [];

  constructor(options: Omit<BroadcastGatewayOptions, "broadcaster"> = {}) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.logged = promise;
    this.gateway = new BroadcastGateway({
      broadcaster: this.broadcaster,
      logger: { debug() {}, warn: resolve, error: resolve },
      ...options,
    });
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      this.gateway.handler,
    );
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  get url(): string {
    return `ws://${this.host}/_broadcast`;
  }

  client(options: BroadcastClientOptions = {}): BroadcastClient {
    const client = new BroadcastClient({ url: this.url, ...options });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.gateway.close();
    await this.broadcaster.close();
    await this.#server.shutdown();
  }
}

/** The first error that a client tells. */
export function errorOf(client: BroadcastClient): Promise<string> {
  return new Promise((resolve) => client.on("error", ({ message }) => resolve(message)));
}

/** What somebody passes whose editor checks no types. */
export function untyped(value: unknown): never {
  return value as never;
}
