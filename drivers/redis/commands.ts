import { type Cluster, Command, type Redis } from "ioredis";
import { Deadlines } from "../../core/deadline.ts";
import { reasonOf } from "../../core/reason.ts";
import type { Link } from "./link.ts";
import { Pauses } from "./pauses.ts";
import type { RedisScript } from "./scripts.ts";

/** Between two attempts on a connection that is up. */
const RETRY_MS = 50;

/** What a server answers that has done nothing, and may do it in a moment. */
const NOT_DONE = /^(?:READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS)\b/;

/** How to run a call. */
export interface RunOptions {
  /** May be done twice: it is tried again also where the answer was lost. */
  readonly isRepeatable: boolean;
  /** When it is over, if not as for all. */
  readonly timeoutMs?: number;
  /** Hears of every attempt that failed. */
  readonly failed?: (cause: unknown) => void;
}

/**
 * Runs commands on a link. What fails for want of a connection is tried again until the time is
 * over, so that an application hears nothing of an outage that is shorter than that.
 */
export class Commands {
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #deadlines = new Deadlines();
  readonly #pauses = new Pauses();
  /** Scripts that are under way whole, by their names. */
  readonly #teaching = new Map<string, Promise<void>>();
  #underWay = 0;
  /** For the group of calls that wait for replicas next; see {@linkcode Commands.replicated}. */
  #nextWait: Promise<number> | undefined;
  #lastWait: Promise<unknown> = Promise.resolve();

  constructor(link: Link, timeoutMs: number) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Settles as the call does.
   *
   * @throws {Error} With what went wrong last, at the latest when the time is over.
   */
  async run<T>(
    call: (client: Redis | Cluster) => Promise<T>,
    { isRepeatable, timeoutMs = this.#timeoutMs, failed }: RunOptions,
  ): Promise<T> {
    const attempts = new Attempts(this.#link, this.#pauses, Date.now() + timeoutMs, failed);
    try {
      return await this.#deadlines.race(attempts.run(call, isRepeatable), timeoutMs);
    } catch (cause) {
      const last = attempts.lastError ?? this.#link.lastError;
      throw last === undefined ? cause : new Error(reasonOf(cause), { cause: last });
    } finally {
      attempts.end();
    }
  }

  /**
   * Runs a script by its name, or whole where the server does not know it yet: once, while all others
   * that have met with that wait for it.
   */
  async script(
    client: Redis | Cluster,
    { sha, lua }: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    for (;;) {
      try {
        return await this.send(client, "EVALSHA", [sha, ...rest]);
      } catch (error) {
        if (!reasonOf(error).startsWith("NOSCRIPT")) throw error;
      }
      const teaching = this.#teaching.get(sha);
      if (teaching === undefined) break;
      await teaching;
    }
    const answer = this.send(client, "EVAL", [lua, ...rest]);
    const teaching = answer.then(() => {}, () => {}).finally(() => this.#teaching.delete(sha));
    this.#teaching.set(sha, teaching);
    return await answer;
  }

  /**
   * Sends a command: at once where nothing is under way, else together with others of this turn. To a
   * cluster each goes at once and follows its slot.
   */
  async send(
    client: Redis | Cluster,
    name: string,
    args: readonly (string | number)[],
  ): Promise<unknown> {
    this.#underWay++;
    try {
      if (this.#underWay > 1) return await client.call(name, ...args);
      return await client.sendCommand(new Command(name, [...args], { replyEncoding: "utf8" }));
    } finally {
      this.#underWay--;
    }
  }

  /**
   * Waits until replicas have what was written on this connection so far; resolves with how many do.
   * It blocks the connection, so calls that are answered meanwhile share the next one, and it ends
   * before a heartbeat would take the connection for silent.
   */
  replicated(client: Redis, replicas: number): Promise<number> {
    return this.#nextWait ??= this.#lastWait.then(() => {
      this.#nextWait = undefined;
      const waitMs = Math.min(this.#timeoutMs, this.#link.heartbeatMs / 2);
      const wait = client.wait(replicas, Math.ceil(waitMs));
      this.#lastWait = wait.catch(() => {});
      return wait;
    });
  }

  /** Rejects whatever is under way. */
  close(): void {
    this.#deadlines.close();
    this.#pauses.close();
  }
}

/** The attempts of one call. */
class Attempts {
  readonly #link: Link;
  readonly #pauses: Pauses;
  readonly #deadline: number;
  readonly #failed: ((cause: unknown) => void) | undefined;
  #stopWaiting: () => void = () => {};
  #state: "running" | "ended" = "running";
  lastError: unknown;

  constructor(
    link: Link,
    pauses: Pauses,
    deadline: number,
    failed: ((cause: unknown) => void) | undefined,
  ) {
    this.#link = link;
    this.#pauses = pauses;
    this.#deadline = deadline;
    this.#failed = failed;
  }

  async run<T>(call: (client: Redis | Cluster) => Promise<T>, isRepeatable: boolean): Promise<T> {
    for (;;) {
      if (!this.#link.isUp) await this.#untilUp();
      try {
        return await call(this.#link.client);
      } catch (error) {
        this.lastError = error;
        this.#failed?.(error);
        const isAnswer = error instanceof Error && error.name === "ReplyError";
        const isNotDone = isAnswer && NOT_DONE.test(error.message);
        const mayRepeat = isNotDone || (isRepeatable && !isAnswer);
        if (!mayRepeat || this.#isOver) throw error;
        // The master has become a replica: there is another by now, or soon.
        if (reasonOf(error).startsWith("READONLY")) this.#link.renew(error);
      }
      await this.#pauses.wait(RETRY_MS);
      if (this.#isOver) throw this.lastError;
    }
  }

  end(): void {
    this.#state = "ended";
    this.#stopWaiting();
  }

  get #isOver(): boolean {
    return this.#state === "ended" || Date.now() >= this.#deadline;
  }

  #untilUp(): Promise<void> {
    this.lastError = this.#link.lastError ?? this.lastError;
    return new Promise((resolve) => this.#stopWaiting = this.#link.whenUp(resolve));
  }
}
