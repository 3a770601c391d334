import type { WebSocketFactory } from "./socket.ts";

/** What a transport tells its connection. */
export interface TransportEvents {
  /** A message came: the text of a frame, or of an array of frames. */
  message(data: unknown): void;
  /**
   * It is over; a close code of the protocol, 1006 where nobody said one. Said once.
   */
  closed(code: number, reason: string): void;
}

/** One way to a gateway, from its opening to its end. It keeps the order of what it is given. */
export interface Transport {
  /** Takes a message to send; false if it is certain that it will not be sent. Never throws. */
  send(text: string): boolean;
  /** Ends it, also while it opens. Nobody hears what it says from here on. Idempotent, never throws. */
  close(code: number, reason: string): void;
}

/**
 * Opens a transport; may throw where that can never work. It gives no sign of its own that it is
 * open: the gateway's `welcome` is that. `url` is as the client was given it, with `v=2` in its query
 * and `ws:` or `wss:` as its scheme.
 */
export type OpenTransport = (url: string, events: TransportEvents) => Transport;

/** `WebSocket.OPEN`, without asking for the global. */
const OPEN = 1;

/** Opens a WebSocket as a transport. */
export function openWebSocket(
  url: string,
  events: TransportEvents,
  factory: WebSocketFactory,
): Transport {
  const socket = factory(url);
  let failure: string | undefined;
  socket.onmessage = ({ data }: { data: unknown }) => events.message(data);
  // Before it was open, Deno says 0, which is no close code.
  socket.onclose = ({ code, reason }: { code: number; reason: string }) =>
    events.closed(code || 1006, reason || failure || "");
  // `onclose` follows and knows the code. Browsers do not say what went wrong, other runtimes do.
  socket.onerror = ({ message }: { message?: string }) => failure = message;
  return {
    send(text) {
      try {
        const isOpen = (socket.readyState ?? OPEN) === OPEN;
        if (isOpen) socket.send(text);
        return isOpen;
      } catch {
        // It closed just now; its event is on the way and says so.
        return false;
      }
    },
    close(code, reason) {
      try {
        socket.close(code, reason);
      } catch {
        // Some sockets throw while they are still opening; it is no longer listened to anyway.
      }
    },
  };
}
