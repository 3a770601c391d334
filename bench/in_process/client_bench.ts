/** What a burst of 10,000 events costs a page, beside reading their JSON and calling a listener. */
import { BroadcastClient } from "@airwave/broadcast/client";
import { FakeNetwork } from "@airwave/broadcast/testing";

const EVENTS = 10_000;
const data = { id: 42, text: "x".repeat(100) };
let heard = 0;

for (const channels of [1, 100]) {
  const name = (o: number) => `channel.${o % channels}`;
  const frame = (o: number) => ({ t: "msg", c: name(o), e: "n", d: data, i: `id${o}` } as const);
  const group = `${EVENTS} events on ${channels} channels`;

  Deno.bench("JSON.parse and a call", { group, baseline: true }, (bench) => {
    const texts = Array.from({ length: EVENTS }, (_, o) => JSON.stringify({ ...frame(o), o: 1 }));
    bench.start();
    for (const text of texts) heard += JSON.parse(text).d.id;
    bench.end();
  });

  Deno.bench("the client", { group }, (bench) => {
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
    const offset = (o: number) => Math.floor(o / channels) + 1;
    const texts = Array.from(
      { length: EVENTS },
      (_, o) => JSON.stringify({ ...frame(o), o: offset(o) }),
    );
    bench.start();
    for (const text of texts) network.last.receive(text);
    bench.end();
    if (heard === 0) throw new Error("Nothing came");
  });
}
