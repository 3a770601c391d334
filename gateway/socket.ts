import type { EncodedFrame } from "./encoded_frame.ts";

/**
 * What a session needs of a socket. Every listener, whatever its runtime, is a small piece of glue
 * that offers this and passes on what it hears to a {@linkcode SocketEvents}.
 */
export interface GatewaySocket {
  /** Bytes that were handed to `send` and have not left yet; asked only while the socket is open. */
  readonly bufferedAmount: number;
  /** Sends a text message. */
  send(text: string): void;
  /**
   * Sends frames in one write, each a message of its own. A socket that has it is given what is due
   * in one turn of the event loop at once; one without it is not.
   */
  write?(frames: readonly EncodedFrame[]): void;
  /** Starts to close; the session is done with the socket from here on. */
  close(code: number, reason: string): void;
  /**
   * Cuts the connection without a word, for a peer that does not answer a close. Where the platform
   * has no such thing it is left out, and the connection ends with its listener.
   */
  terminate?(): void;
}

/** What a session wants to hear of its socket. None of the members throws. */
export interface SocketEvents {
  /** A message came; only text is ever a frame. */
  message(data: unknown): void;
  /** The socket is closed; may be told more than once. */
  closed(code: number, reason: string): void;
}
