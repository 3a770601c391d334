import { BroadcastClient } from "@airwave/broadcast/client";
import { DeadSocket, FlakySocket } from "./flaky_socket.ts";

/** On average this long between two resets of a client, and away for up to so long. */
const BETWEEN_RESETS_MS = 10_000;
const LONGEST_ABSENCE_MS = 2_000;

/** An event as a client saw it. */
export interface Seen {
  readonly id: string;
  readonly offset: number | undefined;
}

/** A client on a bad network, and everything that it was told. */
export class RestlessClient {
  /** Events by channel, in the order in which they were handed over. */
  readonly seen = new Map<string, Seen[]>();
  /** From the welcome to the last missed event, for each channel that came back. */
  readonly replaysMs: number[] = [];
  readonly ready: Promise<unknown>;
  lost = 0;
  resets = 0;
  readonly #client: BroadcastClient;
  #socket: FlakySocket | undefined;
  #awayUntilMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `pick` says where to connect; it is asked for each attempt, as a balancer would be. */
  constructor(pick: () => string, channels: readonly string[]) {
    this.#client = new BroadcastClient({
      url: pick(),
      reconnectMaxDelayMs: 2_000,
      webSocketFactory: () => {
        const awayMs = this.#awayUntilMs - Date.now();
        if (awayMs > 0) return new DeadSocket(awayMs);
        const url = new URL(pick());
        url.searchParams.set("v", "2");
        return this.#socket = new FlakySocket(url.href);
      },
    });
    let welcomedAtMs = 0;
    this.#client.on("open", () => welcomedAtMs = performance.now());
    this.ready = Promise.all(channels.map((name) => {
      const channel = this.#client.channel(name);
      const seen: Seen[] = [];
      let missed = 0;
      this.seen.set(name, seen);
      channel.onLost(() => this.lost++);
      channel.onRecovered((info) => missed = info.missed);
      channel.on("*", (_event, _data, { id, offset }) => {
        seen.push({ id, offset });
        if (missed > 0 && --missed === 0) this.replaysMs.push(performance.now() - welcomedAtMs);
      });
      return channel.ready;
    }));
  }

  /** Begins to lose its connection again and again. */
  beginResets(): void {
    const afterMs = BETWEEN_RESETS_MS * (0.5 + Math.random());
    this.#timer = setTimeout(() => {
      this.resets++;
      this.#awayUntilMs = Date.now() + LONGEST_ABSENCE_MS * Math.random();
      this.#socket?.reset();
      this.beginResets();
    }, afterMs);
  }

  endResets(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.endResets();
    this.#client.disconnect();
  }
}
