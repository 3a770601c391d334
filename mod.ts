/**
 * Real-time broadcasting: publish events on channels, and every browser and server that may see them
 * gets them, once and in order.
 *
 * @example
 * ```ts
 * import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
 *
 * const broadcaster = new MemoryBroadcaster();
 * const gateway = new BroadcastGateway({ broadcaster });
 * const server = Deno.serve({ port: 0, onListen() {} }, gateway.handler);
 * await broadcaster.publish("news", { event: "headline", data: "It works" });
 *
 * await gateway.close();
 * await broadcaster.close();
 * await server.shutdown();
 * ```
 *
 * @module
 */
export * from "./core/mod.ts";
export * from "./drivers/memory.ts";
export * from "./gateway/mod.ts";
