import { CHANNEL_NAME_RULE, isChannelName, isReservedChannel } from "../protocol/names.ts";
import { Deadlines } from "./deadline.ts";
import { BroadcastConfigError, BroadcastUnauthorizedError } from "./errors.ts";
import { describe } from "./options.ts";
import { ChannelPattern } from "./pattern.ts";
import { isPresenceInfo, type PresenceInfo } from "./presence_info.ts";
import { reasonOf } from "./reason.ts";

/** What an authorizer is asked. */
export interface ChannelAuthorizationRequest<Subject = unknown> {
  /** The channel somebody wants to subscribe to or publish on. */
  readonly channel: string;
  /** Who: what `resolveSubject` made of the request; `undefined` for nobody known. */
  readonly subject: Subject | undefined;
  /** What each `*` of the pattern stands for in this channel, in order. May be empty text. */
  readonly params: readonly string[];
}

/** What an authorizer decided. Only `authorized: true` allows. */
export interface ChannelAuthorizationResult {
  /** `true` allows; anything else denies. */
  readonly authorized: boolean;
  /** How the subscriber appears on a `presence-` channel. */
  readonly presence?: PresenceInfo | undefined;
  /** Until when it holds, in milliseconds since 1970; the gateway then asks the rule again. */
  readonly expiresAt?: number | undefined;
  /** Why it denies, for the log of the gateway; no client is told. */
  readonly reason?: string | undefined;
}

/**
 * Decides who may subscribe to the channels of a pattern. `true` or a result with
 * `authorized: true` allows; any other value, a throw, a rejection and a time-out deny.
 */
export type ChannelAuthorizer<Subject = unknown> = (
  request: ChannelAuthorizationRequest<Subject>,
) => boolean | ChannelAuthorizationResult | Promise<boolean | ChannelAuthorizationResult>;

/** What happens on a channel that no rule matches and that is neither private nor presence. */
export type DefaultAccess = "allow" | "deny";

const NO_RULE = "no rule matches it, set one with broadcaster.authorize()";

interface Rule<Subject> {
  readonly pattern: ChannelPattern;
  readonly authorizer: ChannelAuthorizer<Subject>;
}

/** The authorization rules of one broadcaster. */
export class Authorization<Subject> {
  readonly #defaultAccess: DefaultAccess;
  readonly #timeoutMs: number;
  readonly #deadlines = new Deadlines();
  /** By precedence: the first that matches decides. */
  readonly #rules: Rule<Subject>[] = [];

  constructor(defaultAccess: DefaultAccess, timeoutMs: number) {
    this.#defaultAccess = defaultAccess;
    this.#timeoutMs = timeoutMs;
  }

  add(text: string, authorizer: ChannelAuthorizer<Subject>): void {
    if (typeof authorizer !== "function") {
      throw new BroadcastConfigError(`Cannot authorize "${text}": the rule must be a function`);
    }
    const pattern = new ChannelPattern(text);
    if (this.#rules.some((rule) => rule.pattern.text === text)) {
      throw new BroadcastConfigError(
        `Cannot authorize "${text}": the pattern has a rule already, and only one can decide`,
        { context: { pattern: text } },
      );
    }
    this.#rules.push({ pattern, authorizer });
    this.#rules.sort((a, b) => a.pattern.compare(b.pattern));
  }

  /** Never resolves with anything but a decision; rejects where the rule itself failed. */
  async decide(
    channel: string,
    subject: Subject | undefined,
  ): Promise<ChannelAuthorizationResult> {
    if (!isChannelName(channel)) {
      throw new BroadcastUnauthorizedError(
        "broadcast.unauthorized",
        `Cannot authorize a channel: ${CHANNEL_NAME_RULE}`,
        { status: 400 },
      );
    }
    for (const { pattern, authorizer } of this.#rules) {
      const params = pattern.match(channel);
      if (params !== undefined) return await this.#ask(authorizer, { channel, subject, params });
    }
    const allowed = !isReservedChannel(channel) && this.#defaultAccess === "allow";
    return allowed ? { authorized: true } : denied(NO_RULE);
  }

  /** Ends the waiting for answers that are still out: they deny. */
  close(): void {
    this.#deadlines.close();
  }

  async #ask(
    authorizer: ChannelAuthorizer<Subject>,
    request: ChannelAuthorizationRequest<Subject>,
  ): Promise<ChannelAuthorizationResult> {
    const { channel } = request;
    let answer: unknown;
    try {
      answer = await this.#deadlines.race(authorizer(request), this.#timeoutMs);
    } catch (cause) {
      throw new BroadcastUnauthorizedError(
        "broadcast.authorization_failed",
        `Cannot authorize channel "${channel}": its authorizer failed: ${reasonOf(cause)}`,
        { context: { channel }, cause },
      );
    }
    return readDecision(answer);
  }
}

/** Takes an authorizer's answer apart as if a stranger had sent it: only a clear yes is one. */
function readDecision(answer: unknown): ChannelAuthorizationResult {
  if (typeof answer === "boolean") return { authorized: answer };
  if (typeof answer !== "object" || answer === null) {
    return denied(`its rule answered ${describe(answer)}, and only true allows`);
  }
  const { authorized, reason, expiresAt, presence }: {
    readonly [Name in keyof ChannelAuthorizationResult]?: unknown;
  } = answer;
  if (authorized === false) return denied(typeof reason === "string" ? reason : undefined);
  if (authorized !== true) {
    return denied(`its rule answered {authorized: ${describe(authorized)}}, and only true allows`);
  }
  // An expiry that cannot be read must not mean "never".
  if (expiresAt !== undefined && !(typeof expiresAt === "number" && expiresAt > Date.now())) {
    const rule = "must be a time to come, in milliseconds since 1970";
    return denied(`the expiresAt of its rule ${rule}, got ${describe(expiresAt)}`);
  }
  if (presence !== undefined && !isPresenceInfo(presence)) {
    return denied("the presence of its rule must be an object with the user's id, which is text");
  }
  return { authorized: true, presence, expiresAt };
}

function denied(reason: string | undefined): ChannelAuthorizationResult {
  return reason === undefined ? { authorized: false } : { authorized: false, reason };
}
