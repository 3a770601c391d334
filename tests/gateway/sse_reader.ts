import {
  type AnyBroadcastError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import type { ClientFrame, ServerFrame } from "@airwave/broadcast/protocol";
import { createParser, type EventSourceMessage } from "eventsource-parser";

/** Who answers requests: a gateway's handler, or `fetch` to a server. */
export type Answer = (request: Request) => Response | Promise<Response>;

/** Where the gateway of these tests is. */
export const SSE_URL = "http://app.example/_broadcast/sse";

/** How a test opens a stream. */
export interface StreamRequest {
  readonly url?: string;
  readonly channels?: readonly string[];
  readonly lastEventId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A stream as a client reads it, taken apart by a parser that is not ours. */
export class SseReader {
  readonly response: Response;
  /** Every message so far. */
  readonly messages: EventSourceMessage[] = [];
  /** Comments so far. */
  readonly comments: string[] = [];
  /** The wait before a reconnect that the server asked for last. */
  retryMs: number | undefined;
  readonly #answer: Answer;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: (message) => this.messages.push(message),
    onComment: (comment) => this.comments.push(comment),
    onRetry: (ms) => this.retryMs = ms,
    onError: (error) => {
      throw error;
    },
  });

  private constructor(answer: Answer, request: StreamRequest, response: Response) {
    this.#answer = answer;
    this.#url = (request.url ?? SSE_URL).replace(/\?.*/, "");
    this.#headers = request.headers ?? {};
    this.response = response;
    this.#reader = (response.body ?? new ReadableStream()).getReader();
  }

  /** Opens a stream; reads nothing yet. */
  static async open(answer: Answer, request: StreamRequest = {}): Promise<SseReader> {
    const { url = SSE_URL, channels = [], lastEventId, headers } = request;
    const query = channels.map((c) => `c=${encodeURIComponent(c)}`).join("&");
    const all = new Headers(headers);
    if (lastEventId !== undefined) all.set("last-event-id", lastEventId);
    const address = `${url}${url.includes("?") ? "&" : "?"}${query}`;
    return new SseReader(answer, request, await answer(new Request(address, { headers: all })));
  }

  /** Frames so far. */
  get frames(): ServerFrame[] {
    return this.messages.flatMap(({ event, data }) =>
      event === undefined ? [JSON.parse(data)] : []
    );
  }

  /** Events of a channel so far. */
  data(channel: string): unknown[] {
    return this.frames.flatMap((frame) =>
      frame.t === "msg" && frame.c === channel ? [frame.d] : []
    );
  }

  /** What became of the resume of each channel so far. */
  get recoveries(): unknown[] {
    return this.frames.flatMap((frame) => frame.t === "ok" && frame.r ? [frame.r] : []);
  }

  /** What a browser sends as `Last-Event-ID`. */
  get lastEventId(): string | undefined {
    return this.messages.findLast(({ id }) => id !== undefined)?.id;
  }

  /** Reads until it has what the test waits for, or the stream is over. */
  async until(done: (reader: this) => boolean): Promise<this> {
    while (!done(this)) {
      const { value, done: isOver } = await this.#reader.read();
      if (isOver) throw new Error(`The stream is over: ${JSON.stringify(this.messages)}`);
      this.#parser.feed(this.#decoder.decode(value, { stream: true }));
    }
    return this;
  }

  /** Reads until every one of these channels is answered. */
  live(...channels: readonly string[]): Promise<this> {
    return this.until(({ frames }) =>
      channels.every((channel) => frames.some((frame) => frame.t === "ok" && frame.c === channel))
    );
  }

  /** Reads to the end. */
  async end(): Promise<this> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
      this.#parser.feed(this.#decoder.decode(read.value, { stream: true }));
    }
    return this;
  }

  /** The secret of the uplink, from the first frame. */
  async secret(): Promise<string> {
    await this.until(({ frames }) => frames.length > 0);
    const [first] = this.frames;
    if (first?.t !== "welcome" || first.up === undefined) throw new Error("No welcome came first");
    return first.up;
  }

  /** Speaks by the uplink, as the same page would. */
  async say(frames: ClientFrame | readonly ClientFrame[]): Promise<Response> {
    return await this.#answer(
      new Request(`${this.#url}/${await this.secret()}`, {
        method: "POST",
        headers: { "airwave-uplink": "1", ...this.#headers },
        body: JSON.stringify(frames),
      }),
    );
  }

  /** The client goes away. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** A gateway whose handler is called without a server in between. */
export class Streams implements AsyncDisposable {
  readonly broadcaster = new MemoryBroadcaster<unknown>();
  readonly errors: AnyBroadcastError[] = [];
  readonly disconnections: DisconnectionInfo[] = [];
  readonly gateway: BroadcastGateway;

  constructor(options: Partial<BroadcastGatewayOptions> = {}) {
    this.gateway = new BroadcastGateway({
      broadcaster: this.broadcaster,
      onError: (error) => this.errors.push(error),
      onDisconnect: (info) => this.disconnections.push(info),
      ...options,
    });
  }

  open(request: StreamRequest = {}): Promise<SseReader> {
    return SseReader.open(this.gateway.handler, request);
  }

  publish(channel: string, data: unknown): Promise<unknown> {
    return this.broadcaster.publish(channel, { event: "e", data });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
  }
}
