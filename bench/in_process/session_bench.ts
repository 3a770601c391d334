/**
 * What a gateway adds to one delivery: encoding once, and the byte-bounded queue of a peer that keeps
 * up, beside the bare call of `send`. Sockets lead nowhere, so the kernel's share is left out.
 */
import { BroadcastGateway, type GatewaySocket, MemoryBroadcaster } from "@airwave/broadcast";

const CLIENTS = 1_000;

let sent = 0;
const socket: GatewaySocket = { bufferedAmount: 0, send: () => void sent++, close() {} };

const broadcaster = new MemoryBroadcaster();
const gateway = new BroadcastGateway({ broadcaster });
const request = new Request("http://127.0.0.1/_broadcast");
for (let i = 0; i < CLIENTS; i++) {
  gateway.connect(socket, request).message('{"t":"sub","c":"c"}');
}
const watch = broadcaster.subscribe("c");
await watch.ready;
watch.unsubscribe();

Deno.bench(`bare send to ${CLIENTS} sockets`, { group: "session", baseline: true }, () => {
  const text = JSON.stringify({ t: "msg", c: "c", e: "n", d: { text: "Hello" }, i: "1" });
  for (let i = 0; i < CLIENTS; i++) socket.send(text);
});

Deno.bench(
  `one event through the gateway to ${CLIENTS} sockets`,
  { group: "session" },
  async () => {
    const before = sent;
    await broadcaster.publish("c", { event: "n", data: { text: "Hello" } });
    if (sent !== before + CLIENTS) throw new Error("An event was lost");
  },
);
