import { CLOSE } from "../../protocol/close_codes.ts";
import type { EncodedFrame } from "../encoded_frame.ts";
import type { GatewaySocket, SocketEvents } from "../socket.ts";
import type { BunSocket } from "./runtime.ts";

/** All that Bun tells of a message over the limit, beside 1006; its peer is told 1009. */
const TOO_LARGE = "Received too big message";

/** A connection that Bun has opened, and that it reads, answers and closes. */
export class BunConnection implements GatewaySocket {
  readonly #start: (socket: GatewaySocket) => SocketEvents;
  #socket: BunSocket<BunConnection> | undefined;
  #events: SocketEvents | undefined;

  /** @param start Starts a session on it, once it is open. */
  constructor(start: (socket: GatewaySocket) => SocketEvents) {
    this.#start = start;
  }

  opened(socket: BunSocket<BunConnection>): void {
    this.#socket = socket;
    this.#events = this.#start(this);
  }

  message(data: unknown): void {
    this.#events?.message(data);
  }

  closed(code: number, reason: string): void {
    const isTooLarge = code === 1006 && reason === TOO_LARGE;
    const end = isTooLarge ? CLOSE.frameTooLarge : { code, reason };
    this.#events?.closed(end.code, end.reason);
  }

  get bufferedAmount(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  send(text: string): void {
    if (this.#socket?.send(text) === 0) throw new Error("Cannot send: the connection is over");
  }

  write(frames: readonly EncodedFrame[]): void {
    this.#socket?.cork(() => {
      for (const { text } of frames) this.send(text);
    });
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  terminate(): void {
    this.#socket?.terminate();
  }
}
