/** What is used of Bun, so that neither Deno nor npm's build needs types of it. */
export interface Bun {
  serve<Data>(options: BunServeOptions<Data>): BunServer<Data>;
}

/** Options of `Bun.serve`. */
export interface BunServeOptions<Data> {
  readonly port: number;
  readonly hostname: string;
  fetch(
    request: Request,
    server: BunServer<Data>,
  ): Response | undefined | Promise<Response | undefined>;
  readonly websocket: {
    /** Largest message, in bytes; a larger one ends its connection with 1009. */
    readonly maxPayloadLength: number;
    /** Bytes that wait for a peer; 0 for no limit. */
    readonly backpressureLimit: number;
    /** Seconds without a message; 0 for no limit. */
    readonly idleTimeout: number;
    readonly sendPings: boolean;
    readonly perMessageDeflate: boolean;
    open(socket: BunSocket<Data>): void;
    message(socket: BunSocket<Data>, data: string | Uint8Array): void;
    close(socket: BunSocket<Data>, code: number, reason: string): void;
  };
}

/** A server that listens. */
export interface BunServer<Data> {
  readonly port: number;
  /** Makes a WebSocket of a request; false for one that is no handshake. */
  upgrade(request: Request, options: { readonly data: Data }): boolean;
  /** Sets after how many seconds in silence an answer ends; 0 for never. */
  timeout(request: Request, seconds: number): void;
  /** Listens no more; resolves when every answer is over, and cuts them off if told so. */
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** A WebSocket of the server's side. */
export interface BunSocket<Data> {
  readonly data: Data;
  getBufferedAmount(): number;
  /** @returns Bytes that were sent, -1 if they wait for the peer, 0 if they were dropped. */
  send(text: string): number;
  /** Brings all that is sent meanwhile into one write. */
  cork(run: () => void): void;
  /** Tells of its close before it returns; a peer that does not answer is cut off by the runtime. */
  close(code: number, reason: string): void;
  terminate(): void;
}
