import type { Deadlines } from "../core/deadline.ts";
import { deferred } from "../core/deferred.ts";
import { CLOSE, closeVerdict } from "../protocol/close_codes.ts";
import { parseServerMessage } from "../protocol/codec.ts";
import type { RetryVerdict, ServerFrame, SubFrame, WirePosition } from "../protocol/frames.ts";
import { CHANNEL_NAME_RULE, isChannelName } from "../protocol/names.ts";
import { parseStreamId } from "../protocol/sse.ts";
import { pathBelow } from "./admission.ts";
import { corsHeaders, preflight } from "./cors.ts";
import type { GatewaySettings } from "./options.ts";
import { Refusal } from "./refusal.ts";
import type { GatewaySocket } from "./socket.ts";
import { EVENTS_FORMAT, framesFormat } from "./sse/format.ts";
import { type SseSession, SseStream, type SseStreamOptions } from "./sse/stream.ts";
import { SseUplink } from "./sse/uplink.ts";

const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  // Neither kept, nor changed on the way: a proxy that compresses waits until it has enough.
  "cache-control": "no-store, no-transform",
  // What nginx and those who learnt from it take for "do not buffer".
  "x-accel-buffering": "no",
} as const;

/** Resuming from here is always `lost`: no epoch is empty. */
const NOWHERE: WirePosition = { e: "", o: 0 };

/** What server-sent events need of their gateway. */
export interface SseHost<Subject> {
  readonly settings: GatewaySettings<Subject>;
  readonly deadlines: Deadlines;
  /** The answer to a request that may not connect, whatever it asks for. */
  refusal(request: Request): Response | undefined;
  /** Starts a session of revision 2 on a stream. */
  connect(socket: GatewaySocket, request: Request): SseSession<Subject>;
}

/** Answers what lies at `{path}/sse`: streams, and the uplinks of their clients. */
export class Sse<Subject> {
  readonly #host: SseHost<Subject>;
  readonly #path: string;
  readonly #uplink: SseUplink<Subject>;
  #parsed: { readonly text: string; readonly frame: ServerFrame | undefined } | undefined;

  constructor(host: SseHost<Subject>) {
    const { settings, deadlines } = host;
    this.#host = host;
    this.#path = pathBelow(settings.path, "sse");
    this.#uplink = new SseUplink(settings, deadlines);
  }

  /** Answers a request, or says nothing to one that is not for a path of its own. */
  handle(request: Request, url: URL): Response | Promise<Response> | undefined {
    if (url.pathname !== this.#path && !url.pathname.startsWith(`${this.#path}/`)) return;
    const refused = this.#host.refusal(request);
    if (refused !== undefined) return refused;
    if (request.method === "OPTIONS") return preflight(request);
    const answer = url.pathname === this.#path
      ? this.#stream(request, url.searchParams)
      : this.#speak(request, url.pathname.slice(this.#path.length + 1));
    return answer instanceof Promise
      ? answer.then((answer) => withCors(answer, request))
      : withCors(answer, request);
  }

  #speak(request: Request, secret: string): Response | Promise<Response> {
    return request.method === "POST" ? this.#uplink.handle(request, secret) : wrongMethod("POST");
  }

  #stream(request: Request, params: URLSearchParams): Response | Promise<Response> {
    if (request.method !== "GET") return wrongMethod("GET");
    const asked = readChannels(params, request.headers.get("last-event-id"));
    if (params.get("as") === "events") return this.#events(request, asked, params.getAll("c"));
    const secret = mintSecret();
    const stream = this.#createStream({
      asked,
      format: framesFormat(secret),
      hasIds: params.get("ids") !== "no",
      onEnd: () => this.#uplink.remove(secret),
    });
    this.#uplink.add(secret, stream, request);
    stream.connect(this.#host.connect(stream, request));
    return new Response(stream.body, { headers: STREAM_HEADERS });
  }

  /**
   * A stream of one channel's events by their own names. Nothing on it could tell the gateway's own
   * word from an event that somebody published under the same name, so what there is to say is said
   * by the status of the answer.
   */
  #events(
    request: Request,
    known: readonly SubFrame[],
    channels: readonly string[],
  ): Response | Promise<Response> {
    const [c, ...others] = channels;
    if (c === undefined || others.length > 0) {
      return refuse(400, "sse.channels", "as=events takes exactly one channel");
    }
    if (!isChannelName(c)) return refuse(400, "sse.channel", CHANNEL_NAME_RULE);
    // An id that knows nothing of the channel is another stream's.
    const asked = [known.find((sub) => sub.c === c) ?? { t: "sub" as const, c, p: NOWHERE }];
    const { promise, resolve } = deferred<Response>();
    const stream = this.#createStream({
      asked,
      format: EVENTS_FORMAT,
      hasIds: true,
      onFrame: (frame) => {
        const refusal = refusalOf(frame);
        if (refusal !== undefined) {
          resolve(refusal);
          // In a turn of its own: the session is still busy with what ended it.
          queueMicrotask(() => stream.terminate());
        } else if (frame.t === "gone") {
          // The browser comes back, and is told by the status whether it may.
          queueMicrotask(() => stream.close(CLOSE.goingAway.code, frame.r));
        } else if (frame.t === "ok") {
          resolve(new Response(stream.body, { headers: STREAM_HEADERS }));
        }
      },
      onEnd: (code) =>
        resolve(refuse(statusOf(closeVerdict(code)), "sse.ended", `Closed: ${code}`)),
    });
    stream.connect(this.#host.connect(stream, request));
    return promise;
  }

  #createStream(options: Omit<SseStreamOptions, "parse">): SseStream<Subject> {
    return new SseStream({ ...options, parse: (text) => this.#parse(text) });
  }

  /** An event is taken apart once: its streams are given the same text in a row. */
  #parse(text: string): ServerFrame | undefined {
    if (this.#parsed?.text !== text) {
      const [parsed] = parseServerMessage(text, 2);
      this.#parsed = { text, frame: parsed?.kind === "frame" ? parsed.frame : undefined };
    }
    return this.#parsed.frame;
  }
}

/**
 * The channels of a request. Where it comes back with the id of its last message, that knows better
 * than the address: a client may have subscribed and unsubscribed since.
 */
function readChannels(params: URLSearchParams, lastEventId: string | null): SubFrame[] {
  const inAddress = new Map(params.getAll("c").map((c) => [c, undefined]));
  if (!lastEventId) return [...inAddress.keys()].map((c) => ({ t: "sub", c }));
  const known = parseStreamId(lastEventId) ??
    // Not an id of ours: nobody knows where this client stands, and it must hear that.
    new Map([...inAddress.keys()].map((c) => [c, "unknown" as const]));
  return Array.from(known, ([c, position]): SubFrame => {
    const p = position === "unknown" ? NOWHERE : position;
    return p === undefined ? { t: "sub", c } : { t: "sub", c, p };
  });
}

/** What a browser must hear by status: it may not, not now, or not without a hole. */
function refusalOf(frame: ServerFrame): Response | undefined {
  if (frame.t === "err") return refuse(statusOf(frame.w), `sse.${frame.k}`, frame.r);
  if (frame.t !== "ok" || frame.r !== "lost") return undefined;
  return refuse(410, "sse.position_lost", "Events may be missing: reload the state, connect anew");
}

function statusOf(verdict: RetryVerdict | undefined): number {
  return verdict === "never" ? 403 : 503;
}

/** 160 random bits: known to whoever reads the stream, and to nobody else. */
function mintSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refuse(status: number, code: string, message: string): Response {
  return new Refusal(status, code, message).toResponse({ "cache-control": "no-store" });
}

function wrongMethod(allowed: string): Response {
  const refusal = new Refusal(405, "sse.method", `The method here is ${allowed}`);
  return refusal.toResponse({ allow: allowed });
}

function withCors(response: Response, request: Request): Response {
  for (const [name, value] of Object.entries(corsHeaders(request))) {
    response.headers.set(name, value);
  }
  return response;
}
