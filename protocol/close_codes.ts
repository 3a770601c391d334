/** When a client may connect again after its connection was closed. */
export type CloseVerdict = "never" | "backoff" | "now";

/** A close code of this protocol: its number and the reason sent with it. */
export interface CloseCode {
  /** WebSocket close code. */
  readonly code: number;
  /** Reason text sent in the close frame. */
  readonly reason: string;
}

// On their own beside the table, so that a page does not carry what only gateways say.

/** The application called `disconnect()`. */
export const CLIENT_LEFT: CloseCode = { code: 1000, reason: "client left" };

/** The server was silent for too long, or sent no `welcome` in time. Sent by the client. */
export const SERVER_SILENT: CloseCode = { code: 4102, reason: "server silent" };

/** Every close code that a gateway or client of this protocol sends by itself. */
export const CLOSE = {
  /** {@linkcode CLIENT_LEFT}. */
  clientLeft: CLIENT_LEFT,
  /** The gateway is closing. */
  goingAway: { code: 1001, reason: "going away" },
  /** A frame was larger than the gateway takes. */
  frameTooLarge: { code: 1009, reason: "frame too large" },
  /** The application asks for tokens, and the client sent none in time. */
  unauthenticated: { code: 4000, reason: "unauthenticated" },
  /** The application disconnected this client or user: `disconnect()`. */
  disconnected: { code: 4001, reason: "disconnected" },
  /** The client read too slowly and its queue was full. */
  slowConsumer: { code: 4100, reason: "slow consumer" },
  /** The client did not answer a ping in time. */
  pingTimeout: { code: 4101, reason: "ping timeout" },
  /** {@linkcode SERVER_SILENT}. */
  serverSilent: SERVER_SILENT,
  /** Who is asking could not be found out: the application's `resolveSubject` failed. */
  subjectUnknown: { code: 4103, reason: "subject unknown" },
  /** The subject expired, and no fresh token came. */
  subjectExpired: { code: 4104, reason: "subject expired" },
  /** The gateway is draining: come back at once, or when its `bye` said. Revision 2. */
  draining: { code: 4200, reason: "draining" },
} as const satisfies Record<string, CloseCode>;

/**
 * The verdict that a close code carries. It is a function of ranges, so that a client behaves
 * rightly on a code it never saw. A code without a rule of its own means backoff: coming back
 * slowly is the answer that harms nobody.
 *
 * @example
 * ```ts
 * import { closeVerdict } from "@airwave/broadcast/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(closeVerdict(1006), "backoff");
 * assertEquals(closeVerdict(4042), "never");
 * assertEquals(closeVerdict(4242), "now");
 * ```
 */
export function closeVerdict(code: number): CloseVerdict {
  if (code === 1008 || code === 1009) return "never";
  if (code >= 4000 && code <= 4099) return "never";
  if (code >= 4200 && code <= 4299) return "now";
  return "backoff";
}
