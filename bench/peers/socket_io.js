/**
 * Socket.IO on Node, set up as its page on performance says: WebSocket alone, no compression,
 * bufferutil and utf-8-validate installed, and the first request not kept.
 */
import { createServer } from "node:http";
// @ts-ignore: no dependency of the project, the bench installs it where this runs
import { Server } from "socket.io";
import { host } from "./host.js";

await host(async () => {
  const http = createServer();
  const io = new Server(http, {
    transports: ["websocket"],
    perMessageDeflate: false,
    httpCompression: false,
    serveClient: false,
  });
  io.engine.on("connection", (socket) => {
    socket.request = null;
  });
  io.on("connection", (socket) => {
    socket.on("sub", (names) => {
      socket.join(names);
      socket.emit("ok");
    });
  });
  await new Promise((resolve) =>
    http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, resolve)
  );
  return {
    port: http.address().port,
    frame: (channel, data) => `42${JSON.stringify(["n", { c: channel, ...data }])}`,
    publish: (channel, data) => io.to(channel).emit("n", { c: channel, ...data }),
  };
});
