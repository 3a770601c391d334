import { BroadcastClient, type BroadcastClientError } from "@airwave/broadcast/client";
import type { BroadcastClientOptions } from "@airwave/broadcast/client";
import type { Recovery } from "@airwave/broadcast/protocol";
import { FakeNetwork, FakeTime, settle } from "@airwave/broadcast/testing";

/** A frame that a client sent. */
export interface SentFrame {
  readonly t: string;
  readonly n: number;
  readonly c?: string;
  readonly e?: string;
  readonly x?: boolean;
  readonly i?: string;
  readonly k?: string;
  readonly d?: unknown;
}

function isSentFrame(value: unknown): value is SentFrame {
  return typeof value === "object" && value !== null && "t" in value;
}

/** A client on a fake network in fake time, and everything it said. */
export class PlayedClient implements Disposable {
  readonly network = new FakeNetwork();
  readonly time = new FakeTime();
  readonly client: BroadcastClient;
  readonly states: string[] = [];
  readonly errors: BroadcastClientError[] = [];
  readonly closes: { code: number; willReconnect: boolean }[] = [];
  readonly delaysMs: number[] = [];

  constructor(options: BroadcastClientOptions = {}) {
    this.client = new BroadcastClient({
      url: "ws://fake/_broadcast",
      webSocketFactory: this.network.webSocketFactory,
      ...options,
    });
    this.client.on("state", ({ new: state }) => this.states.push(state));
    this.client.on("error", (error) => this.errors.push(error));
    this.client.on("close", ({ code, willReconnect }) => this.closes.push({ code, willReconnect }));
    this.client.on("reconnecting", ({ delayMs }) => this.delaysMs.push(delayMs));
  }

  get socket() {
    return this.network.last;
  }

  get opened(): number {
    return this.network.sockets.length;
  }

  /** The server accepts and welcomes. */
  async welcome(id = "1"): Promise<void> {
    this.socket.open();
    this.socket.receive({ t: "welcome", id });
    await settle();
  }

  /** The server accepts and welcomes in revision 2, with the time between its pings if told. */
  async welcome2(id = "1", ping?: number): Promise<void> {
    this.socket.open();
    this.socket.receive({ t: "welcome", id, v: 2, ping });
    await settle();
  }

  /** The last frame of a type that the client sent on this connection. */
  sent(type: string): SentFrame {
    return this.allSent(type).at(-1) ?? { t: "nothing", n: -1 };
  }

  /** The frames of a type that the client sent on this connection. */
  allSent(type: string): SentFrame[] {
    return this.socket.frames.filter(isSentFrame).filter(({ t }) => t === type);
  }

  /** The server says that the channel of the last `sub` is live. */
  ok(answer: { e?: string; o?: number; r?: Recovery; m?: number } = {}): void {
    const { c = "", n } = this.sent("sub");
    const { e = "E", o = 0, r = "none", m } = answer;
    this.socket.receive({ t: "ok", c, n, p: { e, o }, r, m });
  }

  /** The server sends the event of an offset, whose data is the offset. */
  event(o: number, c = "c"): void {
    this.socket.receive({ t: "msg", c, e: "n", d: o, i: `id${o}`, o });
  }

  /** The connection is lost, and the wait that follows is over. */
  async loseAndRetry(code?: number): Promise<void> {
    this.socket.drop(code);
    await this.time.tick(10_000);
  }

  [Symbol.dispose](): void {
    this.client.disconnect();
    this.time[Symbol.dispose]();
  }
}
