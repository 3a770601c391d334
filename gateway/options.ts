import type { Broadcaster } from "../core/broadcaster.ts";
import type { ErrorHook } from "../core/hooks.ts";
import {
  callback,
  durationMs,
  having,
  integer,
  type OptionCheck,
  type Resolved,
} from "../core/options.ts";
import type { HttpPublishOptions } from "./http_publish.ts";
import { normalizeOrigin } from "./origin.ts";
import { type RateLimit, rateLimitCheck } from "./rate_limit.ts";

/** A connection, as hooks are told of it. */
export interface ConnectionInfo<Subject = unknown> {
  /** Connection id, also known to the client; names a connection, proves nothing. */
  readonly id: string;
  /** What `resolveSubject` or `resolveToken` made of it; `undefined` until there was a token. */
  readonly subject: Subject | undefined;
  /** The user that `identify` made of the subject. */
  readonly user: string | undefined;
}

/** Why a connection ended, as hooks are told. */
export interface DisconnectionInfo<Subject = unknown> extends ConnectionInfo<Subject> {
  /** Close code, see the table of close codes in `./protocol`. */
  readonly code: number;
  /** The reason that went with it. */
  readonly reason: string;
}

/** What a client wants to publish. */
export interface ClientPublishRequest<Subject = unknown> {
  /** Channel; the client may subscribe to it, that was checked before. */
  readonly channel: string;
  /** Event name. */
  readonly event: string;
  /** Data, as the client sent it: any JSON value. */
  readonly data: unknown;
  /** What `resolveSubject` made of the connection's request. */
  readonly subject: Subject | undefined;
  /** The connection's id. */
  readonly clientId: string;
}

/** Where a gateway writes what an operator may want to read; `console` fits. */
export interface GatewayLogger {
  /** Ordinary events. */
  debug(message: string, context: Readonly<Record<string, unknown>>): void;
  /** A peer misbehaved and was dealt with. */
  warn(message: string, context: Readonly<Record<string, unknown>>): void;
  /** Something failed. */
  error(message: string, context: Readonly<Record<string, unknown>>): void;
}

/** Options of `BroadcastGateway`. Only `broadcaster` is required. */
export interface BroadcastGatewayOptions<Subject = unknown> {
  /** Where events come from; stays open when the gateway closes. */
  readonly broadcaster: Broadcaster<Subject>;
  /** Path of the gateway on its server; `/_broadcast` unless told. */
  readonly path?: string | undefined;
  /**
   * Says who is behind a request, from its cookies or headers; may be async. The connection is
   * welcomed when the answer is there; a throw, or no answer within `authorizationTimeoutMs`, closes
   * it with 4103.
   */
  readonly resolveSubject?:
    | ((request: Request) => Subject | undefined | Promise<Subject | undefined>)
    | undefined;
  /**
   * Says who a token belongs to; may be async. With it a client that `resolveSubject` does not know has
   * to send a token, and anybody may send a fresh one before the subject expires. `undefined` refuses
   * the token; a throw, or no answer within `authorizationTimeoutMs`, refuses it for now.
   */
  readonly resolveToken?:
    | ((token: string) => Subject | undefined | Promise<Subject | undefined>)
    | undefined;
  /** Milliseconds that a client has to send its first token; 15,000 unless told. */
  readonly authTimeoutMs?: number | undefined;
  /**
   * Says which user a subject is: a stable id of 1 to 200 characters without control characters, or
   * `undefined` for nobody in particular. It is what `disconnect`, `revoke` and `sendToUser` name. A
   * throw refuses the connection.
   *
   * A subject with a number `expiresAt`, in milliseconds since 1970, holds until then: the client is
   * asked for a fresh token ahead, and its connection ends where none came.
   */
  readonly identify?: ((subject: Subject) => string | undefined) | undefined;
  /**
   * Milliseconds between two times that every live subscription is authorized again; never unless
   * told. A subscription is asked again in any case when its authorization or its subject expires.
   */
  readonly reauthorizeIntervalMs?: number | undefined;
  /** Publishing over HTTP, at `{path}/publish`; off unless told. */
  readonly httpPublish?: HttpPublishOptions | undefined;
  /**
   * Allows a client to publish, with `true` and nothing else. Asked after the channel's own rule.
   * Without it clients cannot publish.
   */
  readonly allowClientPublish?:
    | ((request: ClientPublishRequest<Subject>) => boolean | Promise<boolean>)
    | undefined;
  /**
   * Origins whose pages may connect, beside the gateway's own, such as `https://app.example`; `*`
   * allows every page. None unless told.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Milliseconds between pings; 30,000 unless told. */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds that a client has to answer a ping; 10,000 unless told. */
  readonly pongTimeoutMs?: number | undefined;
  /** Milliseconds that `resolveSubject` and `allowClientPublish` have; 10,000 unless told. */
  readonly authorizationTimeoutMs?: number | undefined;
  /** Largest message taken from a client, in UTF-8 bytes; 64 KiB unless told. */
  readonly maxFrameBytes?: number | undefined;
  /**
   * Most bytes that wait for one connection before it is cut off, and most bytes of its publishes
   * that wait for a decision; 2 MiB unless told. One frame may wait whatever its size.
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * Most bytes of missed events that wait for connections which came back and read more slowly than
   * these are replayed, over all of them; 64 MiB unless told. Past it a connection is cut off, and
   * goes on from where it was when it comes back.
   */
  readonly maxBacklogBytes?: number | undefined;
  /** Most channels one connection may hold; 128 unless told. */
  readonly maxChannelsPerConnection?: number | undefined;
  /** How often one connection may subscribe; 256 at once, 32 a second unless told. */
  readonly subscribeRate?: RateLimit | undefined;
  /** How often one connection may publish; 256 at once, 64 a second unless told. */
  readonly publishRate?: RateLimit | undefined;
  /** Called when a connection has opened, right before it is welcomed. */
  readonly onConnect?: ((connection: ConnectionInfo<Subject>) => void) | undefined;
  /** Called once when a connection that was welcomed ended, with the reason. */
  readonly onDisconnect?: ((connection: DisconnectionInfo<Subject>) => void) | undefined;
  /** Hears of errors that no caller could be told of, such as an authorizer that threw. */
  readonly onError?: ErrorHook | undefined;
  /** Where to write what an operator may want to read; nowhere unless told. */
  readonly logger?: GatewayLogger | undefined;
}

/** Every default of a gateway. */
export const DEFAULTS = {
  path: "/_broadcast",
  allowedOrigins: [] as readonly string[],
  pingIntervalMs: 30_000,
  pongTimeoutMs: 10_000,
  authorizationTimeoutMs: 10_000,
  authTimeoutMs: 15_000,
  maxFrameBytes: 64 * 1024,
  maxQueuedBytes: 2 * 1024 * 1024,
  maxBacklogBytes: 64 * 1024 * 1024,
  maxChannelsPerConnection: 128,
  // A client comes back with all its channels, and with what waited in its outbox, at once.
  subscribeRate: { burst: 256, perSecond: 32 },
  publishRate: { burst: 256, perSecond: 64 },
} as const;

const noLogger = having("debug", "warn", "error");
const noBroadcaster = having("listen", "publish", "authorizeFor", "watchControl", "watchPresence");

/** How every option of a gateway is checked. */
export const CHECKS: { readonly [Name in keyof Required<BroadcastGatewayOptions>]: OptionCheck } = {
  broadcaster: (value) => noBroadcaster(value) && "a broadcaster, such as new MemoryBroadcaster()",
  path: (value) =>
    typeof value === "string" && (value === "/" || /^(\/[A-Za-z0-9._~-]+)+$/.test(value))
      ? undefined
      : 'a path such as "/_broadcast", without a slash at its end',
  resolveSubject: callback,
  resolveToken: callback,
  authTimeoutMs: durationMs(1),
  identify: callback,
  reauthorizeIntervalMs: durationMs(1),
  httpPublish: (value) => typeof value === "object" && value !== null ? undefined : "an object",
  allowClientPublish: callback,
  allowedOrigins: (value) =>
    Array.isArray(value) &&
      value.every((origin) => origin === "*" || normalizeOrigin(origin) !== undefined)
      ? undefined
      : 'a list of origins such as "https://app.example", without a path or a slash at the end, or "*"',
  pingIntervalMs: durationMs(1),
  pongTimeoutMs: durationMs(1),
  authorizationTimeoutMs: durationMs(1),
  maxFrameBytes: integer(64),
  maxQueuedBytes: integer(1024),
  maxBacklogBytes: integer(0),
  maxChannelsPerConnection: integer(1),
  subscribeRate: rateLimitCheck,
  publishRate: rateLimitCheck,
  onConnect: callback,
  onDisconnect: callback,
  onError: callback,
  logger: (value) =>
    noLogger(value) && "an object with debug(), warn() and error(), such as console",
};

/** The options of a gateway once they were read. */
export type GatewaySettings<Subject> = Resolved<BroadcastGatewayOptions<Subject>, typeof DEFAULTS>;
