import { connect, createServer, type Server, type Socket } from "node:net";
import { listenOnLoopback } from "./listen_on_loopback.ts";

/** A way between a client and a server that a test can cut, or make swallow what passes. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #upstreamPort: number;
  readonly #pairs = new Set<readonly [client: Socket, upstream: Socket]>();
  #state: "passing" | "swallowing" = "passing";
  #brokenCount = 0;

  private constructor(server: Server, port: number, upstreamPort: number) {
    this.#server = server;
    this.port = port;
    this.#upstreamPort = upstreamPort;
    server.on("connection", (client) => this.#join(client));
  }

  /** Listens on a free port of loopback for what goes to another. */
  static async listen(upstreamPort: number): Promise<TcpProxy> {
    const server = createServer();
    return new TcpProxy(server, await listenOnLoopback(server), upstreamPort);
  }

  /** Connections that pass through it now. */
  get connectionCount(): number {
    return this.#pairs.size;
  }

  /** Connections that lost bytes, of all that there were. */
  get brokenCount(): number {
    return this.#brokenCount;
  }

  /** Resets every connection on both sides. New ones pass. */
  cut(): void {
    for (const pair of this.#pairs) {
      for (const socket of pair) socket.resetAndDestroy();
    }
  }

  /**
   * From here on every byte, of new connections too, disappears in both directions, and nobody is
   * told: what a firewall does that has forgotten a connection.
   */
  swallow(): void {
    this.#state = "swallowing";
  }

  /** New connections pass again. Those that lost bytes stay dead and silent. */
  heal(): void {
    this.#state = "passing";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#pairs].flat().filter(({ destroyed }) => !destroyed).map((socket) =>
      new Promise((resolve) => socket.on("close", resolve).destroy())
    );
    await new Promise((resolve) => this.#server.close(resolve));
    await Promise.all(closed);
  }

  #join(client: Socket): void {
    const upstream = connect(this.#upstreamPort, "127.0.0.1");
    const pair = [client, upstream] as const;
    this.#pairs.add(pair);
    let isWhole = true;
    const pass = (from: Socket, to: Socket) => {
      from.on("data", (bytes) => {
        if (isWhole && this.#state === "swallowing") {
          isWhole = false;
          this.#brokenCount++;
        }
        if (isWhole && !to.write(bytes)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("end", () => isWhole && to.end());
      // "close" follows and ends the other side.
      from.on("error", () => {});
      from.on("close", (failed) => {
        if (failed && isWhole) to.resetAndDestroy();
        if (from.destroyed && to.destroyed) this.#pairs.delete(pair);
      });
      from.setNoDelay(true);
    };
    pass(client, upstream);
    pass(upstream, client);
  }
}
