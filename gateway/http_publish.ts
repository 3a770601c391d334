import type { Broadcaster } from "../core/broadcaster.ts";
import { isBroadcastError } from "../core/errors.ts";
import type { PublishReceipt } from "../core/event.ts";
import { durationMs, integer, type OptionCheck, readOptions } from "../core/options.ts";
import { PublishKeys } from "./http_publish/keys.ts";
import {
  nameAll,
  parsePublishRequest,
  type PublishRequest,
  type WantedEvent,
} from "./http_publish/request.ts";
import { type RateLimit, rateLimitCheck, TokenBucket } from "./rate_limit.ts";
import { Refusal } from "./refusal.ts";
import { readBody } from "./request_body.ts";

/** Publishing over HTTP, for back ends in other languages. */
export interface HttpPublishOptions {
  /**
   * Keys that may publish, each at least 32 characters; several, so that one can be replaced without
   * a gap. A key also signs, see the guide to publishing over HTTP.
   */
  readonly keys: readonly string[];
  /** Largest body in bytes; 1 MiB unless told. */
  readonly maxBodyBytes?: number | undefined;
  /** Most events in one request; 1,000 unless told. */
  readonly maxEvents?: number | undefined;
  /** Requests of one key: 200 at once, 50 a second unless told. */
  readonly rate?: RateLimit | undefined;
  /** Milliseconds that a body may take to arrive; 10,000 unless told. */
  readonly bodyTimeoutMs?: number | undefined;
}

const DEFAULTS = {
  maxBodyBytes: 1024 * 1024,
  maxEvents: 1_000,
  rate: { burst: 200, perSecond: 50 },
  bodyTimeoutMs: 10_000,
} as const;

const CHECKS: { readonly [Name in keyof Required<HttpPublishOptions>]: OptionCheck } = {
  keys: (value) =>
    Array.isArray(value) && value.length > 0 &&
      value.every((key) => typeof key === "string" && /^[\x21-\x7e]{32,}$/.test(key))
      ? undefined
      : "a list of keys of at least 32 printable characters each",
  maxBodyBytes: integer(1),
  maxEvents: integer(1),
  rate: rateLimitCheck,
  bodyTimeoutMs: durationMs(1),
};

/**
 * Answers `POST {path}/publish`: one event, or an array of them, from whoever has a key. Events of one
 * request are published in their order.
 */
export class HttpPublish {
  readonly #broadcaster: Pick<Broadcaster, "publish" | "sendToUser">;
  readonly #maxBodyBytes: number;
  readonly #maxEvents: number;
  readonly #bodyTimeoutMs: number;
  readonly #keys: PublishKeys;
  readonly #buckets: readonly TokenBucket[];

  /**
   * Reads the options.
   *
   * @throws {BroadcastConfigError} On an unknown option or a bad value.
   */
  constructor(
    broadcaster: Pick<Broadcaster, "publish" | "sendToUser">,
    options: HttpPublishOptions,
  ) {
    const { keys, maxBodyBytes, maxEvents, rate, bodyTimeoutMs } = readOptions(
      "publishing over HTTP",
      options,
      CHECKS,
      DEFAULTS,
      ["keys"],
    );
    this.#broadcaster = broadcaster;
    this.#maxBodyBytes = maxBodyBytes;
    this.#maxEvents = maxEvents;
    this.#bodyTimeoutMs = bodyTimeoutMs;
    this.#keys = new PublishKeys(keys);
    this.#buckets = keys.map(() => new TokenBucket(rate));
  }

  /** Answers a request; never rejects. */
  async handle(request: Request): Promise<Response> {
    try {
      return await this.#handle(request);
    } catch (refusal) {
      if (refusal instanceof Refusal) return errorResponse(refusal);
      throw refusal;
    }
  }

  async #handle(request: Request): Promise<Response> {
    if (request.method !== "POST") {
      throw new Refusal(405, "publish.method", `Publish with POST, got ${request.method}`);
    }
    let body: Promise<Uint8Array<ArrayBuffer>> | undefined;
    const readBody = () => body ??= this.#readBody(request);
    const verdict = await this.#keys.judge(request, readBody);
    if (verdict.kind === "denied") {
      throw new Refusal(401, "publish.unauthorized", `Publishing needs ${verdict.reason}`);
    }
    if (verdict.kind === "replayed") {
      throw new Refusal(409, "publish.replayed", "This signed request was accepted before");
    }
    const { key, signature } = verdict;
    let isPublished = false;
    try {
      if (!this.#buckets[key]?.take()) {
        throw new Refusal(429, "publish.rate_limited", "Too many requests with this key");
      }
      const response = await this.#publish(parsePublishRequest(await readBody()), signature);
      isPublished = response.ok;
      return response;
    } finally {
      if (!isPublished && signature !== undefined) this.#keys.forget(signature);
    }
  }

  async #publish(
    { events, isBatch }: PublishRequest,
    signature: string | undefined,
  ): Promise<Response> {
    if (events.length > this.#maxEvents) {
      const message = `A request has at most ${this.#maxEvents} events, got ${events.length}`;
      throw new Refusal(413, "publish.too_many", message);
    }
    const named = await nameAll(events, signature);
    return answerAll(await this.#publishAll(named), isBatch);
  }

  /** Every publish is on its way before the first is awaited: drivers keep that order. */
  #publishAll(events: readonly WantedEvent[]): Promise<PromiseSettledResult<PublishReceipt>[]> {
    return Promise.allSettled(
      events.map(({ target, event, options }) =>
        "user" in target
          ? this.#broadcaster.sendToUser(target.user, event, options)
          : this.#broadcaster.publish(target.channel, event, options)
      ),
    );
  }

  async #readBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
    const max = this.#maxBodyBytes;
    const body = await readBody(request, max, this.#bodyTimeoutMs);
    if (body === "too large") {
      throw new Refusal(413, "publish.too_large", `A body is at most ${max} bytes`);
    }
    if (body === "broken") {
      throw new Refusal(400, "publish.malformed", "The body did not arrive whole");
    }
    return body;
  }
}

function answerAll(
  results: readonly PromiseSettledResult<PublishReceipt>[],
  isBatch: boolean,
): Response {
  const answers = results.map((result) =>
    result.status === "fulfilled" ? result.value : { error: describeFailure(result.reason) }
  );
  const failures = answers.flatMap((answer) => "error" in answer ? [answer.error.status] : []);
  const [only] = answers;
  if (!isBatch && only !== undefined) {
    return "error" in only ? errorResponse(only.error) : Response.json(only);
  }
  // What can be tried again decides; what was published already is not published twice by its id.
  const status = failures.length === 0 ? 200 : failures.includes(503) ? 503 : 400;
  return Response.json({ results: answers }, { status });
}

function describeFailure(error: unknown): Refusal {
  if (isBroadcastError(error) && error.status === 400) {
    return new Refusal(400, "publish.refused", error.message);
  }
  return new Refusal(503, "publish.failed", "The event could not be stored: try again");
}

function errorResponse(refusal: Refusal): Response {
  const { status } = refusal;
  const headers: Record<string, string> = { "cache-control": "no-store" };
  if (status === 401) headers["www-authenticate"] = "Bearer";
  if (status === 405) headers.allow = "POST";
  if (status === 429 || status === 503) headers["retry-after"] = "1";
  return refusal.toResponse(headers);
}
