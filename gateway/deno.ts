import type { GatewaySocket, SocketEvents } from "./socket.ts";

/** What is used of the runtime, so that npm's build needs no types of it. */
declare const Deno: undefined | {
  upgradeWebSocket(request: Request): { readonly socket: WebSocket; readonly response: Response };
};

/**
 * Upgrades a request of `Deno.serve` to a WebSocket. The only module of the gateway that names the
 * runtime.
 */
export function upgradeWebSocket(
  request: Request,
  open: (socket: GatewaySocket) => SocketEvents,
): Response {
  if (typeof Deno === "undefined") {
    throw new TypeError(
      "gateway.handler is for Deno, here use serve or attach of @airwave/broadcast/node",
    );
  }
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  // Listeners, as Deno keeps four objects for a handler like `onmessage` beside what a listener takes.
  // What the first one holds, the request and all that belongs to it, is let go with it.
  socket.addEventListener("open", () => listen(socket, open(socket)), { once: true });
  socket.addEventListener("error", ignore);
  return response;
}

function listen(socket: WebSocket, events: SocketEvents): void {
  socket.addEventListener("message", ({ data }) => events.message(data));
  // After an abrupt drop Deno says 0, which is no close code.
  socket.addEventListener("close", ({ code, reason }) => events.closed(code || 1006, reason));
}

/** A `close` event follows every error and says more. */
function ignore(event: Event): void {
  event.preventDefault();
}
