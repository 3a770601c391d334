/** The same loop with `ws` on Node: no compression, bufferutil installed, a buffer made once. */
import { WebSocket, WebSocketServer } from "ws";
import { host } from "./host.js";

const channels = new Map();

await host(async () => {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: false,
    clientTracking: false,
    backlog: 4096,
  });
  server.on("connection", (socket) => {
    const held = [];
    socket.on("message", (message) => {
      for (const name of JSON.parse(message).sub) {
        held.push(name);
        let sockets = channels.get(name);
        if (sockets === undefined) channels.set(name, sockets = new Set());
        sockets.add(socket);
      }
      socket.send('{"ok":true}');
    });
    socket.on("close", () => held.forEach((name) => channels.get(name)?.delete(socket)));
    socket.on("error", () => {});
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: server.address().port,
    frame,
    publish(channel, data) {
      const message = Buffer.from(frame(channel, data));
      for (const socket of channels.get(channel) ?? []) {
        if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: false });
      }
    },
  };
});

function frame(channel, data) {
  return JSON.stringify({ c: channel, e: "n", d: data });
}
