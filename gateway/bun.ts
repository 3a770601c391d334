/**
 * A gateway on `Bun.serve`: the listener for Bun. What is due for a connection in the same turn leaves
 * in one write, and a peer that stopped reading is cut off for good.
 *
 * @example A server of its own
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { serve } from "@airwave/broadcast/bun";
 *
 * function start() {
 *   const gateway = new BroadcastGateway({ broadcaster: new MemoryBroadcaster() });
 *   return serve(gateway, { port: 8000 });
 * }
 * ```
 *
 * @module
 */
export { type GatewayServer, serve, type ServeOptions } from "./bun/serve.ts";
