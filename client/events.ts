import type { BroadcastClientError } from "./errors.ts";
import type { ChannelPosition } from "./position.ts";

/**
 * - `disconnected`: not connected and not trying.
 * - `connecting`: the first attempt after `connect()`.
 * - `connected`: the server's `welcome` came, and where there is a token it was accepted.
 * - `reconnecting`: the connection was lost, or the first attempt failed; waiting or trying again.
 */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "reconnecting";

/** The events of a client and what their listeners are given. */
export interface BroadcastClientEvents {
  /** Connected; `id` is the connection's id. */
  open: { readonly id: string };
  /** A connection ended, or the client gave up. */
  close: { readonly code: number; readonly reason: string; readonly willReconnect: boolean };
  /** The next attempt is `delayMs` away; `reason` is why the last one failed, where that is known. */
  reconnecting: { readonly attempt: number; readonly delayMs: number; readonly reason: string };
  /** A channel is live: what is published after `position` arrives. */
  subscribed: { readonly channel: string; readonly position: ChannelPosition | undefined };
  /** A channel is live again and nothing is lost: `missed` events follow. */
  recovered: { readonly channel: string; readonly missed: number };
  /** A channel is live again, but events may have been lost: load its state anew. */
  lost: { readonly channel: string };
  /** The connection state changed. */
  state: { readonly old: ConnectionState; readonly new: ConnectionState };
  /** Something was refused or failed. */
  error: BroadcastClientError;
}
