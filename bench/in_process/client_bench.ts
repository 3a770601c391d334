/** What a burst of 10,000 events costs a page, beside reading their JSON and calling a listener. */
import { BroadcastClient } from "@airwave/broadcast/client";
import { FakeNetwork } from "@airwave/broadcast/testing";

const EVENTS = 10_000;
const data = { id: 42, text: "x".repeat(100) };
let heard = 0;

for (const channels of [1, 100]) {
  // One frame a message, and joined as a gateway joins what is due at the same moment.
  for (const batch of [1, 64]) {
    const name = (o: number) => `channel.${o % channels}`;
    const frames = Array.from({ length: EVENTS }, (_, o) => ({
      t: "msg",
      c: name(o),
      e: "n",
      d: data,
      i: `id${o}`,
      o: Math.floor(o / channels) + 1,
    }));
    const messages = () => {
      const texts: string[] = [];
      for (let o = 0; o < EVENTS; o += batch) {
        texts.push(JSON.stringify(batch === 1 ? frames[o] : frames.slice(o, o + batch)));
      }
      return texts;
    };
    const group = `${EVENTS} events on ${channels} channels, ${batch} a message`;

    Deno.bench("JSON.parse and a call", { group, baseline: true }, (bench) => {
      const texts = messages();
      bench.start();
      for (const text of texts) for (const { d } of [JSON.parse(text)].flat()) heard += d.id;
      bench.end();
    });

    Deno.bench("the client", { group }, (bench) => {
      const texts = messages();
      const network = new FakeNetwork();
      using client = new BroadcastClient({
        url: "ws://fake/",
        webSocketFactory: network.webSocketFactory,
      });
      for (let channel = 0; channel < channels; channel++) {
        client.channel(name(channel)).on("n", () => heard++);
      }
      network.last.receive({ t: "welcome", id: "1", v: 2 });
      for (let channel = 0; channel < channels; channel++) {
        const p = { e: "E", o: 0 };
        network.last.receive({ t: "ok", c: name(channel), n: channel + 1, p, r: "none" });
      }
      const before = heard;
      bench.start();
      for (const text of texts) network.last.receive(text);
      bench.end();
      if (heard - before !== EVENTS) throw new Error(`${heard - before} of ${EVENTS} came`);
    });
  }
}
