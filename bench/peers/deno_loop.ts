/** The floor that everybody could write: a set of sockets for each channel, and a loop over it. */
import { host } from "./host.js";

const channels = new Map<string, Set<WebSocket>>();

await host(() => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const held: string[] = [];
    socket.onmessage = ({ data }) => {
      for (const name of JSON.parse(data).sub) {
        held.push(name);
        let sockets = channels.get(name);
        if (sockets === undefined) channels.set(name, sockets = new Set());
        sockets.add(socket);
      }
      socket.send('{"ok":true}');
    };
    socket.onclose = () => held.forEach((name) => channels.get(name)?.delete(socket));
    socket.onerror = () => {};
    return response;
  });
  return Promise.resolve({
    port: server.addr.port,
    frame,
    publish(channel: string, data: object) {
      const text = frame(channel, data);
      for (const socket of channels.get(channel) ?? []) {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      }
    },
  });
});

function frame(channel: string, data: object): string {
  return JSON.stringify({ c: channel, e: "n", d: data });
}
