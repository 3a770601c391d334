/**
 * A gateway on a server of `node:http`, under Deno, Node and Bun alike: the listener for many
 * connections. What is due for one in the same turn leaves in one write, whatever revision it speaks,
 * a connection takes less memory, and a peer that stopped reading is cut off for good.
 *
 * @example A server of its own
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 * import { serve } from "@airwave/broadcast/node";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using gateway = new BroadcastGateway({ broadcaster });
 * await using server = await serve(gateway, { port: 0, hostname: "127.0.0.1" });
 * console.assert(server.port > 0);
 * ```
 *
 * @module
 */
export { attach, type Attachment, type AttachOptions } from "./node/attachment.ts";
export { type GatewayServer, serve, type ServeOptions } from "./node/serve.ts";
