import { BROADCASTER_CHECKS, type BroadcasterOptions } from "../../core/broadcaster_options.ts";
import { BroadcastConfigError } from "../../core/errors.ts";
import {
  durationMs,
  having,
  integer,
  type OptionCheck,
  readOptions,
  type Resolved,
} from "../../core/options.ts";
import { isPrefix } from "./names.ts";

/** A client of `ioredis`, from version 5 on: a `Redis` or a `Cluster`. */
export interface RedisClient {
  /** Makes another with the same options. */
  duplicate(...args: never[]): unknown;
  /** Ends it. */
  disconnect(): void;
}

/** Options of `RedisBroadcaster`. One of `url` and `client` is required, and so is `prefix`. */
export interface RedisBroadcasterOptions extends BroadcasterOptions {
  /** Where Redis is: `redis://` or, encrypted, `rediss://`. */
  readonly url?: string | undefined;
  /**
   * A client of the application, such as one for Sentinel or a `Cluster`. Its address, credentials
   * and encryption are taken for connections of our own; it is neither used, nor connected, nor closed.
   */
  readonly client?: RedisClient | undefined;
  /**
   * Parts the applications on one server, also where they use different databases of it: 1 to 64
   * characters of `A-Z a-z 0-9 _ . -`. The same for all nodes of one.
   */
  readonly prefix: string;
  /**
   * Whether events are numbered and stored; `true` unless told. Without it they are handed over and
   * forgotten: what a node misses is lost, and the same id twice is two events.
   */
  readonly history?: boolean | undefined;
  /** How many events are kept per channel, 256 unless told; up to a hundred small ones more. */
  readonly historySize?: number | undefined;
  /** How long an event is kept, in milliseconds, 300,000 (five minutes) unless told; up to a tenth more. */
  readonly historyTtlMs?: number | undefined;
  /**
   * How long an event id is known at least, in milliseconds, so that it is published once; 120,000
   * (two minutes) unless told. As long as its event is stored it is known in any case.
   */
  readonly idWindowMs?: number | undefined;
  /**
   * How many replicas must have an event before its publish resolves; 0 unless told. With it, a
   * fail-over loses nothing that resolved. Not for a cluster.
   */
  readonly waitForReplicas?: number | undefined;
  /**
   * When a call rejects that could not be done, in milliseconds; 5,000 unless told. For a publish the
   * time that it waits for others before it on its channel counts.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Between two questions whether a connection still answers, in milliseconds; 2,000 unless told. One
   * that does not is given up before the third.
   */
  readonly heartbeatMs?: number | undefined;
}

const DEFAULTS = {
  maxEventBytes: 1024 * 1024,
  history: true,
  historySize: 256,
  historyTtlMs: 5 * 60_000,
  idWindowMs: 2 * 60_000,
  waitForReplicas: 0,
  timeoutMs: 5_000,
  heartbeatMs: 2_000,
} as const satisfies Partial<RedisBroadcasterOptions>;

const CHECKS: { readonly [Name in keyof Required<RedisBroadcasterOptions>]: OptionCheck } = {
  ...BROADCASTER_CHECKS,
  url: (value) =>
    typeof value === "string" && /^rediss?:\/\/./.test(value) && URL.canParse(value) &&
      /^\/?\d{0,9}$/.test(new URL(value).pathname)
      ? undefined
      : "a URL that begins with redis:// or rediss://, its path the number of a database if any",
  client: having("duplicate", "disconnect", "ping"),
  prefix: isPrefix,
  history: (value) => typeof value === "boolean" ? undefined : "true or false",
  historySize: integer(1, 1_000_000),
  historyTtlMs: durationMs(1),
  idWindowMs: durationMs(1),
  waitForReplicas: integer(0, 100),
  timeoutMs: durationMs(1),
  heartbeatMs: durationMs(1),
};

/** Options once they were read. */
export type RedisOptions = Resolved<RedisBroadcasterOptions, typeof DEFAULTS>;

/**
 * Reads the options.
 *
 * @throws {BroadcastConfigError} On an unknown option, a bad value or a combination that cannot work.
 */
export function readRedisOptions(given: RedisBroadcasterOptions): RedisOptions {
  const options = readOptions("a RedisBroadcaster", given, CHECKS, DEFAULTS, ["prefix"]);
  if ((options.url === undefined) === (options.client === undefined)) {
    throw new BroadcastConfigError(
      `Cannot create a RedisBroadcaster: give one of the options "url" and "client", not ${
        options.url === undefined ? "neither" : "both"
      }`,
    );
  }
  if (options.waitForReplicas > 0 && !options.history) {
    throw new BroadcastConfigError(
      'Cannot create a RedisBroadcaster: option "waitForReplicas" needs history, as only what is stored is copied',
    );
  }
  return options;
}
