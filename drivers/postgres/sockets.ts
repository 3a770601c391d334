import { connect, type Socket } from "node:net";

/** Where a server is, as postgres.js has read it from the options and the environment. */
export interface Address {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false | undefined;
}

/**
 * The connections of one client, so that they can be ended at once: on its own, postgres.js waits for
 * the peer, and a peer that is frozen or cut off never answers. Once closed it opens no more.
 */
export class Sockets {
  readonly #open = new Set<Socket>();
  #attempts = 0;
  #state: "open" | "closed" = "open";

  /** Opens a connection, to the next host where there are several. */
  connect({ host, port, path }: Address): Socket {
    if (this.#state === "closed") throw new Error("The connections to PostgreSQL are closed");
    const next = this.#attempts++ % host.length;
    const address = { host: host[next] ?? "localhost", port: port[next] ?? 5432 };
    const socket = path ? connect(path) : connect({ ...address, noDelay: true });
    // Not by listening to its end: postgres.js takes all listeners away when it encrypts.
    for (const other of this.#open) if (other.destroyed) this.#open.delete(other);
    this.#open.add(socket);
    // Without an error, a server that hangs up on a greeting would be greeted again without end.
    socket.once("end", () => socket.destroy(new Error("PostgreSQL ended the connection")));
    // TLS checks the certificate against it.
    return Object.assign(socket, address);
  }

  /** Ends all of them; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#state = "closed";
    const open = [...this.#open].filter(({ destroyed }) => !destroyed);
    await Promise.all(open.map((socket) =>
      new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      })
    ));
  }
}
