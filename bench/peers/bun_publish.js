/** Bun's own topics: the runtime holds the subscribers and sends to them in native code. */
import { host } from "./host.js";

await host(() => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) =>
      server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
    websocket: {
      perMessageDeflate: false,
      // Without it messages to a client that lags for a moment are dropped.
      backpressureLimit: 16 * 1024 * 1024,
      message(socket, message) {
        for (const name of JSON.parse(message).sub) socket.subscribe(name);
        socket.send('{"ok":true}');
      },
    },
  });
  return Promise.resolve({
    port: server.port,
    frame,
    publish: (channel, data) => server.publish(channel, frame(channel, data)),
  });
});

function frame(channel, data) {
  return JSON.stringify({ c: channel, e: "n", d: data });
}
