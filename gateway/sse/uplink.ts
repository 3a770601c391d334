import type { Deadlines } from "../../core/deadline.ts";
import { parseClientMessage } from "../../protocol/codec.ts";
import type { ClientFrame } from "../../protocol/frames.ts";
import type { GatewaySettings } from "../options.ts";
import { Refusal } from "../refusal.ts";
import { readBody } from "../request_body.ts";
import type { SseStream } from "./stream.ts";

/**
 * A header that no page can send to another origin unless that origin's server says so, whatever the
 * browser thinks of the rest of the request.
 */
const UPLINK_HEADER = "airwave-uplink";

/** A stream whose client may speak. */
interface OpenStream<Subject> {
  readonly stream: SseStream<Subject>;
  /** What the stream's own request proved its subject with. */
  readonly credentials: string;
}

/** Takes what clients of streams have to say: `POST {path}/sse/{secret}`. */
export class SseUplink<Subject> {
  readonly #settings: GatewaySettings<Subject>;
  readonly #deadlines: Deadlines;
  /** By secret: whoever knows it and is the stream's subject speaks for it. */
  readonly #streams = new Map<string, OpenStream<Subject>>();

  constructor(settings: GatewaySettings<Subject>, deadlines: Deadlines) {
    this.#settings = settings;
    this.#deadlines = deadlines;
  }

  /** Opens an uplink to the stream of a request, until `remove`. */
  add(secret: string, stream: SseStream<Subject>, request: Request): void {
    this.#streams.set(secret, { stream, credentials: credentialsOf(request) });
  }

  /** Ends the uplink of a stream that is over. */
  remove(secret: string): void {
    this.#streams.delete(secret);
  }

  /** Answers a request whose origin was checked; never rejects. The frames' answers go on the stream. */
  async handle(request: Request, secret: string): Promise<Response> {
    const refusal = await this.#take(request, secret);
    return refusal === undefined ? new Response(null, { status: 204 }) : refusal.toResponse();
  }

  async #take(request: Request, secret: string): Promise<Refusal | undefined> {
    if (!request.headers.has(UPLINK_HEADER)) {
      return new Refusal(403, "uplink.header", `An uplink needs the header ${UPLINK_HEADER}`);
    }
    const open = this.#streams.get(secret);
    if (open === undefined) return GONE;
    const { maxFrameBytes, authorizationTimeoutMs } = this.#settings;
    const body = await readBody(request, maxFrameBytes, authorizationTimeoutMs);
    if (body === "too large") {
      return new Refusal(413, "uplink.too_large", `A body is at most ${maxFrameBytes} bytes`);
    }
    const frames = body === "broken" ? undefined : parseFrames(body);
    if (frames === undefined) {
      return new Refusal(400, "uplink.malformed", "The body must be a frame or an array of frames");
    }
    if (!await this.#isOpener(request, open)) {
      return new Refusal(403, "uplink.subject", "The stream belongs to another subject");
    }
    return open.stream.receive(frames) ? undefined : GONE;
  }

  /** Asks anew who that is: the stream may be hours old, and its user gone since. */
  async #isOpener(
    request: Request,
    { stream, credentials }: OpenStream<Subject>,
  ): Promise<boolean> {
    const { resolveSubject, identify, authorizationTimeoutMs } = this.#settings;
    if (resolveSubject === undefined) return true;
    try {
      const subject = await this.#deadlines.race(resolveSubject(request), authorizationTimeoutMs);
      const { opener } = stream;
      if (Object.is(subject, opener)) return true;
      if (subject === undefined || opener === undefined) return false;
      const user = identify?.(subject);
      if (user !== undefined) return user === identify?.(opener);
      // Objects that are made anew for each request do not say whether they mean the same; what they
      // were made from does.
      return typeof subject === "object" && typeof opener === "object" &&
        credentialsOf(request) === credentials;
    } catch {
      return false;
    }
  }
}

const GONE = new Refusal(404, "uplink.gone", "There is no such stream, or not any more");

/** What a request proves its subject with. */
function credentialsOf({ headers }: Request): string {
  return JSON.stringify([headers.get("cookie"), headers.get("authorization")]);
}

/** A malformed frame among others refuses all of them; unknown ones are left out. */
function parseFrames(body: Uint8Array): readonly ClientFrame[] | undefined {
  const parsed = parseClientMessage(new TextDecoder().decode(body), 2);
  if (parsed.some(({ kind }) => kind === "malformed")) return undefined;
  return parsed.flatMap((one) => one.kind === "frame" ? [one.frame] : []);
}
