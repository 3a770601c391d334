import { BroadcastConfigError, BroadcastHookError } from "../core/errors.ts";
import { asBroadcastError } from "../core/hooks.ts";
import { describe } from "../core/options.ts";
import { reasonOf } from "../core/reason.ts";
import { CLOSE, type CloseCode } from "../protocol/close_codes.ts";
import type { AuthFrame, ServerFrame } from "../protocol/frames.ts";
import { isUserId, USER_ID_RULE } from "../protocol/names.ts";
import type { ErrReason } from "../protocol/reasons.ts";
import type { ClientHost } from "./client_host.ts";
import { LongTimer } from "./long_timer.ts";
import { TokenBucket } from "./rate_limit.ts";
import { asRequest, type UpgradeRequest } from "./upgrade_request.ts";

/** How long before a subject expires its client is told, at most; at least half of what is left. */
const NOTICE_MS = 30_000;

/** How often one connection may bring a token: a client needs one now and then, a guesser many. */
const TOKEN_RATE = { burst: 10, perSecond: 1 };

/** What an identity tells its session. */
export interface IdentityOwner {
  readonly revision: number;
  readonly isEnded: boolean;
  send(frame: ServerFrame): void;
  refuse(request: { readonly c: string; readonly n: number }, reason: ErrReason): void;
  end(close: CloseCode): void;
  /** The request has said what it can: the client is heard from here on. */
  welcome(): void;
  /** It is known who this is; or it is known anew, and every decision has to be asked again. */
  identified(isFirst: boolean): void;
}

/**
 * Who is behind a connection, over time: from the request, or from tokens where the application asks
 * for them, until that expires.
 */
export class Identity<Subject> {
  readonly #host: ClientHost<Subject>;
  readonly #owner: IdentityOwner;
  /** Both made when they are needed: most identities come with the request and stay. */
  #tokens: TokenBucket | undefined;
  #timer: LongTimer | undefined;
  #subject: Subject | undefined;
  #user: string | undefined;
  /** `waiting` for the first token: nothing else of the client is heard. */
  #state: "waiting" | "known" = "waiting";
  #isAsking = false;

  constructor(host: ClientHost<Subject>, owner: IdentityOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  get subject(): Subject | undefined {
    return this.#subject;
  }

  get user(): string | undefined {
    return this.#user;
  }

  get isKnown(): boolean {
    return this.#state === "known";
  }

  /** Asks whose request that was, and begins with the answer; at once where there is nobody to ask. */
  start(request: UpgradeRequest): void {
    const { resolveSubject, authorizationTimeoutMs } = this.#host.settings;
    if (resolveSubject === undefined) return this.#begin(undefined);
    try {
      const answer = resolveSubject(asRequest(request));
      if (!(answer instanceof Promise)) return this.#begin(answer);
      this.#host.deadlines.race(answer, authorizationTimeoutMs)
        .then((subject) => this.#begin(subject), (cause) => this.#fail(cause));
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Takes a fresh token. It may not make somebody else of the client: channels are hers. */
  async renew({ n, k: token }: AuthFrame): Promise<void> {
    const request = { c: "", n };
    const { resolveToken, authorizationTimeoutMs } = this.#host.settings;
    this.#tokens ??= new TokenBucket(TOKEN_RATE);
    if (resolveToken === undefined) {
      if (this.#tokens.take()) {
        this.#host.reporter.refused("a token", 'the option "resolveToken" is not set');
      }
      return this.#owner.refuse(request, "token refused");
    }
    if (this.#isAsking || !this.#tokens.take()) return this.#owner.refuse(request, "rate limited");
    this.#isAsking = true;
    try {
      const answer = resolveToken(token);
      const subject = await this.#host.deadlines.race(answer, authorizationTimeoutMs);
      if (this.#owner.isEnded) return;
      const user = this.#identify(subject);
      const isRefused = subject === undefined || !(expiryOf(subject) > Date.now()) ||
        (this.isKnown && user !== this.#user);
      if (isRefused) return this.#owner.refuse(request, "token refused");
      this.#accept(subject, user, () => this.#owner.send({ t: "ok", c: "", n }));
    } catch (error) {
      if (this.#owner.isEnded) return;
      this.#host.reporter.report(asBroadcastError(error, "Cannot take a client's token"));
      this.#owner.refuse(request, "authorization failed");
    } finally {
      this.#isAsking = false;
    }
  }

  stop(): void {
    this.#timer?.clear();
  }

  /** Where the request said nothing and tokens are asked for, it waits for one. */
  #begin(subject: Subject | undefined): void {
    if (this.#owner.isEnded) return;
    const { resolveToken, authTimeoutMs } = this.#host.settings;
    if (subject === undefined && resolveToken !== undefined) {
      this.#wait(authTimeoutMs, () => this.#owner.end(CLOSE.unauthenticated));
    } else {
      try {
        this.#accept(subject, this.#identify(subject));
      } catch (error) {
        this.#host.reporter.report(asBroadcastError(error, "Cannot identify a client"));
        this.#owner.end(CLOSE.subjectUnknown);
      }
    }
    if (!this.#owner.isEnded) this.#owner.welcome();
  }

  /** Nobody waits for the answer of one that has left, or that was closed with the gateway. */
  #fail(cause: unknown): void {
    if (this.#owner.isEnded) return;
    this.#host.reporter.report(
      new BroadcastHookError(
        `Cannot connect a client: resolveSubject failed: ${reasonOf(cause)}`,
        { cause },
      ),
    );
    this.#owner.end(CLOSE.subjectUnknown);
  }

  #accept(subject: Subject | undefined, user: string | undefined, answer = () => {}): void {
    const isFirst = !this.isKnown;
    this.#subject = subject;
    this.#user = user;
    this.#state = "known";
    this.#timer?.clear();
    const expiresAtMs = expiryOf(subject);
    if (!(expiresAtMs > Date.now())) return this.#owner.end(CLOSE.subjectExpired);
    if (expiresAtMs < Infinity) this.#expireAt(expiresAtMs);
    answer();
    this.#owner.identified(isFirst);
  }

  #expireAt(expiresAtMs: number): void {
    const remainingMs = expiresAtMs - Date.now();
    const end = () => this.#owner.end(CLOSE.subjectExpired);
    if (this.#owner.revision === 1) return this.#wait(remainingMs, end);
    const noticeMs = Math.min(NOTICE_MS, remainingMs / 2);
    this.#wait(remainingMs - noticeMs, () => {
      // By the clock: what slept wakes up behind its time.
      this.#wait(Math.max(0, expiresAtMs - Date.now()), end);
      this.#owner.send({ t: "exp", s: Math.floor(noticeMs / 1000) });
    });
  }

  #wait(ms: number, call: () => void): void {
    this.#timer ??= new LongTimer();
    this.#timer.set(ms, call);
  }

  #identify(subject: Subject | undefined): string | undefined {
    const user = subject === undefined ? undefined : this.#host.settings.identify?.(subject);
    if (user === undefined || isUserId(user)) return user;
    throw new BroadcastConfigError(
      `Cannot identify a client: ${USER_ID_RULE}, got ${describe(user)}`,
    );
  }
}

/** When a subject expires, in milliseconds since 1970; what cannot be read has expired. */
function expiryOf(subject: unknown): number {
  if (typeof subject !== "object" || subject === null || !("expiresAt" in subject)) return Infinity;
  const { expiresAt } = subject;
  if (expiresAt === undefined) return Infinity;
  return typeof expiresAt === "number" ? expiresAt : 0;
}
