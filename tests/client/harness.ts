import { BroadcastClient, type BroadcastClientError } from "@airwave/broadcast/client";
import type { BroadcastClientOptions } from "@airwave/broadcast/client";
import { FakeNetwork, FakeTime, settle } from "@airwave/broadcast/testing";

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
