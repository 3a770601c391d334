import { type BroadcastClientError, failure } from "./errors.ts";
import { pageOrigin } from "./page.ts";
import type { RetryLimits } from "./retry.ts";
import type { WebSocketFactory } from "./socket.ts";

/** A way to reach the gateway. */
export type TransportName = "websocket" | "sse";

/** Options of `BroadcastClient`, all optional. */
export interface BroadcastClientOptions {
  /**
   * Where the gateway is: `ws:`, `wss:`, `http:` or `https:`, or a path on the page's own host.
   * `/_broadcast` on the page's own host unless told.
   */
  readonly url?: string | URL | undefined;
  /** Connect at once; `true` unless told. */
  readonly autoConnect?: boolean | undefined;
  /**
   * Ways to reach the gateway, best first; `["websocket"]` unless told. After two attempts in a row
   * that came to nothing the next one is tried; the one that worked is kept.
   */
  readonly transports?: readonly TransportName[] | undefined;
  /**
   * Gives a fresh token, at once or by a promise; called before every attempt to connect and when the
   * server says that the last one runs out. The token goes to the gateway in a frame, never in a URL,
   * and no channel is asked for until it was accepted. `undefined` means none.
   */
  readonly getToken?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Failed attempts in a row before the client gives up; never unless told. */
  readonly maxReconnectAttempts?: number | undefined;
  /** Bound of the first wait before a reconnect, in milliseconds; 250 unless told. */
  readonly reconnectInitialDelayMs?: number | undefined;
  /** Bound that the wait grows to, in milliseconds; 10,000 unless told. */
  readonly reconnectMaxDelayMs?: number | undefined;
  /** Milliseconds that an attempt may take until the server lets one in; 10,000 unless told. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a word from the server after which the connection counts as dead; 75,000
   * unless told. Must be above the gateway's `pingIntervalMs`. A gateway of revision 2 announces that,
   * and then one and a half of it and ten seconds more count instead.
   */
  readonly maxSilenceMs?: number | undefined;
  /** Most publishes that wait to be sent or acknowledged; 200 unless told. */
  readonly outboxLimit?: number | undefined;
  /** Largest publish in UTF-8 bytes, as large as the gateway takes; 64 KiB unless told. */
  readonly maxFrameBytes?: number | undefined;
  /** Opens sockets; the platform's `WebSocket` unless told. */
  readonly webSocketFactory?: WebSocketFactory | undefined;
}

/** The options once they were read. */
export interface ClientSettings extends RetryLimits {
  readonly url: string;
  readonly autoConnect: boolean;
  readonly transports: readonly TransportName[];
  readonly getToken: NonNullable<BroadcastClientOptions["getToken"]>;
  readonly maxReconnectAttempts: number;
  readonly connectTimeoutMs: number;
  readonly maxSilenceMs: number;
  readonly outboxLimit: number;
  readonly maxFrameBytes: number;
  readonly webSocketFactory: WebSocketFactory;
}

const DEFAULTS: ClientSettings = {
  url: "/_broadcast",
  autoConnect: true,
  transports: ["websocket"],
  getToken: () => undefined,
  maxReconnectAttempts: Infinity,
  reconnectInitialDelayMs: 250,
  reconnectMaxDelayMs: 10_000,
  connectTimeoutMs: 10_000,
  maxSilenceMs: 75_000,
  outboxLimit: 200,
  maxFrameBytes: 64 * 1024,
  webSocketFactory: (url) => new WebSocket(url),
};

/** Reads the options; an unknown one, a wrong type or a number out of range is refused. */
export function readClientOptions(options: BroadcastClientOptions): ClientSettings {
  const settings: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(settings, name)) throw bad(`unknown option "${name}"`);
    const type = typeof settings[name];
    // A count may be without end, a wait may not: timers reach 2³¹ − 1 ms.
    const min = /Timeout|Silence/.test(name) ? 1 : 0;
    const max = /Ms$/.test(name) ? 2 ** 31 - 1 : Infinity;
    if (name !== "url") {
      check(name, typeof value === typeof settings[name], `be of type ${type}`, value);
    }
    if (type === "number") {
      check(name, value >= min && value <= max, `be from ${min} to ${max}`, value);
    }
    if (name === "transports") {
      const isList = /^(,(websocket|sse))+$/.test(`,${value}`);
      check(name, isList, 'be a list of "websocket" and "sse"', value);
    }
    settings[name] = value;
  }
  return { ...DEFAULTS, ...settings, url: readUrl(String(settings.url)) };
}

function readUrl(text: string): string {
  const origin = pageOrigin();
  const url = new URL(URL.canParse(text, origin) ? text : "none:", origin);
  check(
    "url",
    /^(ws|http)s?:$/.test(url.protocol),
    "start with ws:, wss:, http: or https: where there is no page to take the host from",
    text,
  );
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  url.searchParams.set("v", "2");
  return url.href;
}

function check(name: string, isMet: boolean, rule: string, value: unknown): void {
  if (!isMet) throw bad(`option "${name}" must ${rule}, got "${value}"`);
}

function bad(rule: string): BroadcastClientError {
  return failure("config", "create a BroadcastClient", rule);
}
