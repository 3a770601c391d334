/**
 * The part of the platform's `WebSocket` that a client uses, so that tests and runtimes without one
 * can bring their own. Handlers take `never`, which every handler of every `WebSocket` type accepts.
 */
export interface WebSocketLike {
  /** Called when the connection is open. */
  onopen: ((event: never) => unknown) | null;
  /** Called with each message. */
  onmessage: ((event: never) => unknown) | null;
  /** Called once when the connection is closed. */
  onclose: ((event: never) => unknown) | null;
  /** Called when something failed; `onclose` follows. */
  onerror: ((event: never) => unknown) | null;
  /** 1 while the socket is open; one that has none counts as open. */
  readonly readyState?: number;
  /** Sends a text message. */
  send(text: string): void;
  /** Starts to close. */
  close(code?: number, reason?: string): void;
}

/** Opens a socket to a URL. */
export type WebSocketFactory = (url: string) => WebSocketLike;
