import { encodeFrame } from "../protocol/codec.ts";
import type { ErrFrame, MsgFrame, OkFrame } from "../protocol/frames.ts";
import { EVENT_NAME_RULE, isEventName } from "../protocol/names.ts";
import type { Announcer } from "./announcer.ts";
import { failure, refusal } from "./errors.ts";
import { type ChannelPosition, fromWire } from "./position.ts";

/** How to publish. Everything is optional. */
export interface ClientPublishOptions {
  /**
   * Event id, 1 to 200 characters without control characters; minted unless told. The same id twice is
   * delivered once: give that of a result to try again.
   */
  readonly id?: string | undefined;
  /** `true` leaves this very connection out: the page shows already what it did. */
  readonly others?: boolean | undefined;
}

/** What became of a publish. */
export type ClientPublishResult =
  | {
    /** The server has it. */
    readonly ok: true;
    /** Event id. */
    readonly id: string;
    /** Where the event stands; `undefined` where the server keeps no history. */
    readonly position: ChannelPosition | undefined;
  }
  | {
    /** It was not published, or nobody can tell. */
    readonly ok: false;
    /** Event id. */
    readonly id: string;
    /**
     * The server's stable code, such as `publish_denied`; `outbox_full`; or `unconfirmed`: it was sent
     * to a server of revision 1, which confirms nothing.
     */
    readonly code: string;
    /** Reason. */
    readonly reason: string;
  };

interface Publish {
  readonly id: string;
  readonly text: string;
  settle(result: ClientPublishResult): void;
}

/** What limits an outbox. */
export interface OutboxLimits {
  readonly outboxLimit: number;
  readonly maxFrameBytes: number;
}

/** Publishes that wait for a connection or for the server's word, in order. */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #announcer: Announcer;
  readonly #post: (text: string) => boolean | undefined;
  readonly #waiting = new Map<number, Publish>();
  /** The last ones that this page did not want back, by channel and id. */
  readonly #forOthers = new Set<string>();

  /**
   * @param post Sends a frame; tells whether it will be answered, `undefined` if nothing was sent.
   */
  constructor(
    limits: OutboxLimits,
    announcer: Announcer,
    post: (text: string) => boolean | undefined,
  ) {
    this.#limits = limits;
    this.#announcer = announcer;
    this.#post = post;
  }

  /**
   * Sends with this connection or the next one.
   *
   * @throws {BroadcastClientError} Where it can never be sent.
   */
  publish(
    n: number,
    c: string,
    e: string,
    data: unknown,
    { id = mintId(), others }: ClientPublishOptions,
  ): Promise<ClientPublishResult> {
    const action = `publish on "${c}"`;
    if (!isEventName(e)) throw failure("config", action, `${EVENT_NAME_RULE}, got "${e}"`);
    const { outboxLimit, maxFrameBytes } = this.#limits;
    let text: string;
    try {
      // JSON would leave it out, and null arrive in its place.
      if (JSON.stringify(data ?? null) === undefined) throw data;
      text = encodeFrame({ t: "pub", c, e, d: data ?? null, n, i: id, x: others });
    } catch (cause) {
      throw failure("config", action, "data must be a JSON value", { cause });
    }
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > maxFrameBytes) {
      throw failure("config", action, `a publish is at most ${maxFrameBytes} bytes, got ${bytes}`);
    }
    if (others) this.#forOthers.add(`${c} ${id}`);
    for (const oldest of this.#forOthers) {
      if (this.#forOthers.size > outboxLimit) this.#forOthers.delete(oldest);
    }
    return new Promise((settle) => {
      const isFull = this.#waiting.size >= outboxLimit;
      this.#waiting.set(n, { id, text, settle });
      if (isFull) this.answer({ t: "err", c, n, k: "outbox_full", r: "outbox full" });
      else this.#send(n);
    });
  }

  /** Sends everything that waits: what was sent before has the same id, so it is delivered once. */
  sendAll(): void {
    for (const n of this.#waiting.keys()) this.#send(n);
  }

  /**
   * Whether an event was published here for others: the server leaves out the connection that it came
   * by, but not the one that takes its place and resumes.
   */
  isForOthers({ c, i }: MsgFrame): boolean {
    // Nothing is made of an event where there is nothing to find.
    return this.#forOthers.size > 0 && this.#forOthers.has(`${c} ${i}`);
  }

  /** The word on a publish; false if it is on none. */
  answer(frame: OkFrame | ErrFrame): boolean {
    const { n = 0 } = frame;
    // Revision 1 has no number: it tells by the reason alone what an answer is about.
    const isOurs = this.#settle(n, frame) ||
      (frame.t === "err" && n === 0 && /^publish|^invalid event/.test(frame.r));
    if (isOurs && frame.t === "err") this.#announcer.tell("error", refusal("publish", frame));
    return isOurs;
  }

  #settle(n: number, frame: OkFrame | Pick<ErrFrame, "t" | "k" | "r">): boolean {
    const { id = "", settle } = this.#waiting.get(n) ?? {};
    settle?.(
      frame.t === "ok"
        ? { ok: true, id, position: fromWire(frame.p) }
        : { ok: false, id, code: frame.k ?? "", reason: frame.r },
    );
    return this.#waiting.delete(n);
  }

  #send(n: number): void {
    const { text } = this.#waiting.get(n) ?? {};
    if (text && this.#post(text) === false) {
      this.#settle(n, { t: "err", k: "unconfirmed", r: "this server confirms nothing" });
    }
  }
}

/** Sorts by time, and is random enough for all, also on a page that came by plain HTTP. */
function mintId(): string {
  return [Date.now(), ...crypto.getRandomValues(new Uint32Array(3))].join("-");
}
