import { BroadcastClientError } from "./errors.ts";
import { pageOrigin } from "./page.ts";
import type { WebSocketFactory } from "./socket.ts";

/** Options of `BroadcastClient`, all optional. */
export interface BroadcastClientOptions {
  /**
   * Where the gateway is: `ws:`, `wss:`, `http:` or `https:`, or a path on the page's own host.
   * `/_broadcast` on the page's own host unless told.
   */
  readonly url?: string | URL | undefined;
  /** Connect at once; `true` unless told. */
  readonly autoConnect?: boolean | undefined;
  /** Failed attempts in a row before the client gives up; never unless told. */
  readonly maxReconnectAttempts?: number | undefined;
  /** Bound of the first wait before a reconnect, in milliseconds; 250 unless told. */
  readonly reconnectInitialDelayMs?: number | undefined;
  /** Bound that the wait grows to, in milliseconds; 10,000 unless told. */
  readonly reconnectMaxDelayMs?: number | undefined;
  /** Milliseconds that an attempt may take until `welcome`; 10,000 unless told. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a word from the server after which the connection counts as dead; 75,000
   * unless told. Must be above the gateway's `pingIntervalMs`, which is 30,000 unless told.
   */
  readonly maxSilenceMs?: number | undefined;
  /** Most publishes that wait while there is no connection; 200 unless told. */
  readonly outboxLimit?: number | undefined;
  /** Largest publish in UTF-8 bytes, as large as the gateway takes; 64 KiB unless told. */
  readonly maxFrameBytes?: number | undefined;
  /** Opens sockets; the platform's `WebSocket` unless told. */
  readonly webSocketFactory?: WebSocketFactory | undefined;
}

/** The options once they were read. */
export interface ClientSettings {
  readonly url: string;
  readonly autoConnect: boolean;
  readonly maxReconnectAttempts: number;
  readonly reconnectInitialDelayMs: number;
  readonly reconnectMaxDelayMs: number;
  readonly connectTimeoutMs: number;
  readonly maxSilenceMs: number;
  readonly outboxLimit: number;
  readonly maxFrameBytes: number;
  readonly webSocketFactory: WebSocketFactory;
}

const DEFAULTS: Omit<ClientSettings, "url"> = {
  autoConnect: true,
  maxReconnectAttempts: Infinity,
  reconnectInitialDelayMs: 250,
  reconnectMaxDelayMs: 10_000,
  connectTimeoutMs: 10_000,
  maxSilenceMs: 75_000,
  outboxLimit: 200,
  maxFrameBytes: 64 * 1024,
  webSocketFactory: openPlatformSocket,
};

/** Reads the options; an unknown one, a wrong type or a number out of range is refused. */
export function readClientOptions(options: BroadcastClientOptions): ClientSettings {
  const { url, ...given } = options;
  const settings: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const fallback: unknown = Object.entries(DEFAULTS).find(([known]) => known === name)?.[1];
    if (fallback === undefined) throw bad(`unknown option "${name}"`);
    if (typeof value !== typeof fallback) {
      throw bad(`option "${name}" must be a ${typeof fallback}`);
    }
    if (typeof value === "number") checkNumber(name, value);
    settings[name] = value;
  }
  return { ...DEFAULTS, ...settings, url: readUrl(url ?? "/_broadcast") };
}

/** What a count may be at most for ever, a wait may not: timers reach 2³¹ − 1 ms. */
function checkNumber(name: string, value: number): void {
  const isCount = name === "maxReconnectAttempts" || name === "outboxLimit";
  const min = name === "connectTimeoutMs" || name === "maxSilenceMs" ? 1 : 0;
  const max = isCount ? Infinity : 2 ** 31 - 1;
  if (value >= min && value <= max) return;
  throw bad(`option "${name}" must be a number from ${min} to ${max}, got ${value}`);
}

function readUrl(url: string | URL): string {
  const origin = pageOrigin();
  const text = String(url);
  if (!URL.canParse(text, origin)) {
    throw bad(
      origin === undefined
        ? `there is no page to take the host from, give option "url" such as "wss://host/_broadcast"`
        : `option "url" must be a URL or a path, got "${text}"`,
    );
  }
  const target = new URL(text, origin);
  target.protocol = target.protocol.replace(/^http/, "ws");
  target.hash = "";
  if (!/^wss?:$/.test(target.protocol)) {
    throw bad(`option "url" must start with ws:, wss:, http: or https:, got "${text}"`);
  }
  return target.href;
}

function openPlatformSocket(url: string): WebSocket {
  if (typeof WebSocket === "undefined") {
    throw new BroadcastClientError(
      "client.no_websocket",
      'Cannot connect: this runtime has no WebSocket, give option "webSocketFactory"',
    );
  }
  return new WebSocket(url);
}

function bad(rule: string): BroadcastClientError {
  return new BroadcastClientError("client.config", `Cannot create a BroadcastClient: ${rule}`);
}
