/**
 * The browser client. It runs in any browser or runtime with nothing but platform globals, and
 * touches none of them at import.
 *
 * @example
 * ```ts
 * import { BroadcastClient } from "@airwave/broadcast/client";
 *
 * const client = new BroadcastClient({ url: "ws://localhost:8000/_broadcast", autoConnect: false });
 * client.channel<{ headline: string }>("news").on("headline", (text) => console.log(text));
 * ```
 *
 * @module
 */
export { BroadcastChannel, type ChannelEvents } from "./client/channel.ts";
export { BroadcastClient } from "./client/client.ts";
export {
  BroadcastClientError,
  type BroadcastClientErrorCode,
  type BroadcastClientErrorInit,
} from "./client/errors.ts";
export type { BroadcastClientEvents, ConnectionState } from "./client/events.ts";
export type { BroadcastClientOptions, TransportName } from "./client/options.ts";
export type { ClientPublishOptions, ClientPublishResult } from "./client/outbox.ts";
export type { ChannelPosition } from "./client/position.ts";
export type { ChannelMember, ChannelPresence } from "./client/presence.ts";
export type { WebSocketFactory, WebSocketLike } from "./client/socket.ts";
export type { EventInfo } from "./client/subscription.ts";
