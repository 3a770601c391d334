import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { CloseCode } from "../../protocol/close_codes.ts";
import { EncodedFrame, type Joiner } from "../encoded_frame.ts";
import type { GatewaySocket, SocketEvents } from "../socket.ts";
import { FrameParser, type FrameReader } from "./frame_parser.ts";
import { encodeClose, encodePong, wireOf } from "./wire.ts";

/** Behind this much that a peer has not read its pings are not answered: it only asks. */
const MAX_PONG_BACKLOG_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** How a connection ends that was cut. */
const CUT: CloseCode = { code: 1006, reason: "" };

/** What a socket needs of its listener. */
export interface SocketHost {
  /** Most bytes of a message. */
  readonly maxFrameBytes: number;
  readonly joiner: Joiner<Uint8Array>;
  /** From here on the connection has a time to be over in; told once. */
  closing(socket: NodeSocket): void;
}

/** The server's end of a WebSocket connection, over the stream of its upgrade. */
export class NodeSocket implements GatewaySocket, FrameReader {
  readonly #stream: Duplex;
  readonly #host: SocketHost;
  readonly #parser: FrameParser;
  /** The answer to the handshake, until it was sent: what comes first leaves in the same write. */
  #answer: Buffer | undefined;
  #events: SocketEvents | undefined;
  /** `closing` from the moment that nothing may be sent any more. */
  #state: "open" | "closing" = "open";
  /** What the peer said when it closed. */
  #said: CloseCode | undefined;

  constructor(stream: Duplex, answer: Buffer, host: SocketHost) {
    this.#stream = stream;
    this.#answer = answer;
    this.#host = host;
    this.#parser = new FrameParser(this, host.maxFrameBytes);
  }

  /** Names who hears of it from here on. */
  open(events: SocketEvents): void {
    this.#events = events;
    if (this.#answer !== undefined) this.#write(NOTHING);
  }

  get bufferedAmount(): number {
    return this.#stream.writableLength;
  }

  send(text: string): void {
    this.write([new EncodedFrame(text)]);
  }

  write(frames: readonly EncodedFrame[]): void {
    const [first] = frames;
    if (this.#state !== "open" || first === undefined) return;
    this.#write(frames.length === 1 ? wireOf(first) : this.#host.joiner.join(frames));
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#write(encodeClose(code, reason));
    this.#leave();
  }

  terminate(): void {
    this.#stream.destroy();
  }

  /** The stream has brought something. */
  receive(piece: Buffer): void {
    this.#parser.push(piece);
  }

  /** The stream brings nothing more. */
  ended(): void {
    this.#leave();
    this.#stream.end();
  }

  /** The stream is closed. */
  gone(): void {
    const { code, reason } = this.#said ?? CUT;
    this.#events?.closed(code, reason);
  }

  text(text: string): void {
    this.#events?.message(text);
  }

  binary(data: Uint8Array): void {
    this.#events?.message(data);
  }

  ping(payload: Uint8Array): void {
    if (this.#state !== "open" || this.bufferedAmount > MAX_PONG_BACKLOG_BYTES) return;
    this.#write(encodePong(payload));
  }

  closed(close: CloseCode): void {
    this.#said = close;
    // Where it was the peer that began, it hears its own word back.
    this.close(close.code, "");
    // Both have said it, and the server is the one to end the connection.
    this.#stream.end(() => this.terminate());
  }

  broke({ code, reason }: CloseCode): void {
    this.close(code, "");
    this.#events?.closed(code, reason);
  }

  #write(bytes: Uint8Array): void {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#stream.write(answer === undefined ? bytes : Buffer.concat([answer, bytes]));
  }

  #leave(): void {
    if (this.#state === "closing") return;
    this.#state = "closing";
    this.#host.closing(this);
  }
}
