import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { CloseCode } from "../../protocol/close_codes.ts";
import { WaitingLine } from "../waiting_line.ts";
import { NodeSocket, type SocketHost } from "./socket.ts";
import { wireJoiner } from "./wire.ts";

/** The WebSocket connections of one listener, each over a stream of its own. */
export class Connections implements SocketHost {
  readonly maxFrameBytes: number;
  readonly joiner = wireJoiner();
  readonly #sockets = new Map<Duplex, NodeSocket>();
  readonly #closing: WaitingLine<NodeSocket>;
  readonly #onEmpty: () => void;
  // One function for all streams, which is called on the stream: ten thousand closures are memory.
  readonly #listeners: {
    readonly data: (this: Duplex, piece: Buffer) => void;
    readonly end: (this: Duplex) => void;
    readonly close: (this: Duplex) => void;
  };

  /** Takes how long a peer has to close, and what to do when the last one has. */
  constructor(maxFrameBytes: number, closeTimeoutMs: number, onEmpty: () => void) {
    this.maxFrameBytes = maxFrameBytes;
    this.#closing = new WaitingLine(closeTimeoutMs, (socket) => socket.terminate());
    this.#onEmpty = onEmpty;
    const sockets = this.#sockets;
    const forget = (stream: Duplex) => this.#forget(stream);
    this.#listeners = {
      data(piece) {
        sockets.get(this)?.receive(piece);
      },
      end() {
        sockets.get(this)?.ended();
      },
      close() {
        forget(this);
      },
    };
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** A connection over a stream whose upgrade is answered so. */
  add(stream: Duplex, answer: Buffer): NodeSocket {
    const socket = new NodeSocket(stream, answer, this);
    this.#sockets.set(stream, socket);
    // Node's own listener does nothing on a server, whose streams may be half open. With the last one
    // Node drops their table, which has grown while it read the request.
    if (stream.listenerCount("end") === 1) stream.removeAllListeners("end");
    const { data, end, close } = this.#listeners;
    stream.on("data", data).on("end", end).on("close", close).on("error", ignore);
    return socket;
  }

  /** Tells every peer to go. */
  closeAll({ code, reason }: CloseCode): void {
    for (const socket of this.#sockets.values()) socket.close(code, reason);
  }

  closing(socket: NodeSocket): void {
    this.#closing.add(socket);
  }

  #forget(stream: Duplex): void {
    const socket = this.#sockets.get(stream);
    if (socket === undefined) return;
    this.#sockets.delete(stream);
    socket.gone();
    this.#closing.delete(socket);
    if (this.#sockets.size === 0) this.#onEmpty();
  }
}

/** The stream closes after an error, and that is all there is to it. */
function ignore(): void {}
