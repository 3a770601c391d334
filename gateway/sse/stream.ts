import { utf8ByteLength } from "../../protocol/bytes.ts";
import { CLOSE } from "../../protocol/close_codes.ts";
import { encodeFrame } from "../../protocol/codec.ts";
import type { ClientFrame, ServerFrame, SubFrame } from "../../protocol/frames.ts";
import { REASONS } from "../../protocol/reasons.ts";
import { encodeSseMessage } from "../../protocol/sse.ts";
import type { GatewaySocket, SocketEvents } from "../socket.ts";
import type { SseFormat } from "./format.ts";
import { SsePositions } from "./positions.ts";

const PONG = encodeFrame({ t: "pong" });
const KEEP_ALIVE = ": ping\n\n";

/**
 * How long a browser waits before it comes back, in milliseconds: anywhere in between, so that those
 * who lost the same server do not come back at the same moment.
 */
const RETRY_MS = { min: 1000, max: 4000 } as const;

/** Ends of peers that do not read: what still waits for them would wait for ever. */
const STUCK: readonly number[] = [CLOSE.slowConsumer.code, CLOSE.pingTimeout.code];

/** A session, as far as its stream is concerned. */
export interface SseSession<Subject> extends SocketEvents {
  readonly subject: Subject | undefined;
}

/** What a stream is made with. */
export interface SseStreamOptions {
  /** What is asked for as soon as the client is welcome. */
  readonly asked: readonly SubFrame[];
  readonly format: SseFormat;
  /** Whether messages carry positions; a client that remembers them itself needs none. */
  readonly hasIds: boolean;
  /** Takes the text of a frame apart. */
  readonly parse: (text: string) => ServerFrame | undefined;
  /** A frame is about to be sent. */
  readonly onFrame?: (frame: ServerFrame) => void;
  /** Nothing is sent or received any more, whoever ended it, and with what close code. */
  readonly onEnd: (code: number) => void;
}

/**
 * A stream of server-sent events as the socket of a session. It asks for the channels of its address
 * as if the client had, writes the positions into each message, and answers pings in the client's
 * stead as soon as they are taken: who reads is alive.
 */
export class SseStream<Subject> implements GatewaySocket {
  /** What goes to the client. */
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: SseStreamOptions;
  readonly #positions: SsePositions | undefined;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #session: SseSession<Subject> | undefined;
  #opener: Subject | undefined;
  /** `ending` until the reader has taken the rest. */
  #state: "open" | "ending" | "ended" = "open";
  /** Text that the reader has not asked for yet. */
  #waiting = "";
  #waitingBytes = 0;
  #isWanted = false;
  #isPinged = false;

  constructor(options: SseStreamOptions) {
    this.#options = options;
    this.#positions = options.hasIds ? new SsePositions() : undefined;
    // Before the first id is written: who is cut off then must not forget what it came with.
    for (const frame of options.asked) this.#positions?.ask(frame);
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#isWanted = true;
        this.#flush();
      },
      cancel: () => this.#finish(1006, "stream cancelled"),
    }, { highWaterMark: 0 });
    // At once, so that neither proxy nor browser takes the silence before the first event for a stall.
    const { min, max } = RETRY_MS;
    this.#push(encodeSseMessage({ retryMs: min + Math.random() * (max - min) }));
  }

  /** Bytes that the reader has not asked for yet. */
  get bufferedAmount(): number {
    return this.#waitingBytes;
  }

  /** Whom the request that opened it came from; what a token makes of the client later is not it. */
  get opener(): Subject | undefined {
    return this.#opener;
  }

  /** The session that this is the socket of. */
  connect(session: SseSession<Subject>): void {
    this.#session = session;
  }

  /** The client says something beside the stream; false once the stream is over. */
  receive(frames: readonly ClientFrame[]): boolean {
    for (const frame of frames) {
      if (this.#state !== "open") return false;
      if (frame.t === "unsub") this.#positions?.drop(frame.c);
      if (frame.t === "sub" && this.#positions?.ask(frame) === false) this.#refuse(frame);
      else this.#session?.message(encodeFrame(frame));
    }
    return this.#state === "open";
  }

  send(text: string): void {
    this.write([{ text }]);
  }

  write(frames: readonly { readonly text: string }[]): void {
    let messages = "";
    for (const { text } of frames) {
      if (this.#state !== "open") throw new Error("Cannot send: the stream is over");
      messages += this.#encode(text);
    }
    this.#push(messages);
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    if (STUCK.includes(code)) return this.#abort(code, reason);
    this.#push(this.#options.format.close(code, reason));
    this.#state = "ending";
    this.#options.onEnd(code);
    if (this.#waiting === "") this.#complete();
  }

  terminate(): void {
    this.#abort(CLOSE.goingAway.code, "terminated");
  }

  #encode(text: string): string {
    const frame = this.#options.parse(text);
    if (frame === undefined) return "";
    if (frame.t === "ping") {
      this.#isPinged = true;
      return KEEP_ALIVE;
    }
    // Not before the session has come to the end of its own turn.
    if (frame.t === "welcome") queueMicrotask(() => this.#begin());
    this.#positions?.pass(frame);
    this.#options.onFrame?.(frame);
    return this.#options.format.frame(frame, text, this.#positions?.id);
  }

  #begin(): void {
    this.#opener = this.#session?.subject;
    this.receive(this.#options.asked);
  }

  #refuse({ c, n }: SubFrame): void {
    const r = "too many channels";
    this.send(encodeFrame({ t: "err", c, r, n, ...REASONS[r] }));
  }

  #push(text: string): void {
    this.#waiting += text;
    this.#waitingBytes += utf8ByteLength(text);
    this.#flush();
  }

  /** Hands over all that waits, as soon as the reader asks for more. */
  #flush(): void {
    if (!this.#isWanted || this.#waiting === "") return;
    this.#isWanted = false;
    this.#controller?.enqueue(this.#encoder.encode(this.#waiting));
    this.#waiting = "";
    this.#waitingBytes = 0;
    if (this.#state === "ending") return this.#complete();
    if (!this.#isPinged) return;
    this.#isPinged = false;
    this.#session?.message(PONG);
  }

  #complete(): void {
    this.#controller?.close();
    this.#finish(1000, "");
  }

  #abort(code: number, reason: string): void {
    if (this.#state === "ended") return;
    this.#controller?.error(new Error(`The stream was cut off: ${code} ${reason}`));
    this.#finish(code, reason);
  }

  #finish(code: number, reason: string): void {
    if (this.#state === "ended") return;
    const wasOpen = this.#state === "open";
    this.#state = "ended";
    this.#waiting = "";
    this.#waitingBytes = 0;
    if (wasOpen) this.#options.onEnd(code);
    this.#session?.closed(code, reason);
  }
}
