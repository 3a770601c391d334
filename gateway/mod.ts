/**
 * Brings channels to browsers over WebSocket: a handler for `Deno.serve`, and what glue to other
 * listeners needs.
 *
 * @example
 * ```ts
 * import { BroadcastGateway } from "@airwave/broadcast/gateway";
 * import { MemoryBroadcaster } from "@airwave/broadcast";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * await using server = Deno.serve({ port: 0, onListen() {} }, gateway.handler);
 * ```
 *
 * @module
 */
export type { DrainOptions } from "./drain.ts";
export { EncodedFrame } from "./encoded_frame.ts";
export { BroadcastGateway } from "./gateway.ts";
export type {
  BroadcastGatewayOptions,
  ClientPublishRequest,
  ConnectionInfo,
  DisconnectionInfo,
  GatewayLogger,
} from "./options.ts";
export type { HttpPublishOptions } from "./http_publish.ts";
export type { RateLimit } from "./rate_limit.ts";
export type { GatewaySocket, SocketEvents } from "./socket.ts";
export type { UpgradeRequest } from "./upgrade_request.ts";
