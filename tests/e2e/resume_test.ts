import { assertEquals } from "@std/assert";
import { TcpProxy } from "../servers/tcp_proxy.ts";
import { Stage } from "./stage.ts";

/** A page that reaches its site through a proxy, which can cut it off. */
async function openBehindProxy() {
  const stage = await Stage.open();
  const proxy = await TcpProxy.listen(Number(new URL(stage.site.url()).port));
  await stage.goTo(`http://localhost:${proxy.port}`);
  return {
    stage,
    proxy,
    async publish(channel: string, from: number, to: number) {
      for (let data = from; data <= to; data++) {
        await stage.site.broadcaster.publish(channel, { event: "n", data });
      }
    },
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

function numbers(channel: string, to: number): string[] {
  return Array.from({ length: to }, (_, index) => `${channel} n ${index + 1}`);
}

Deno.test("a page cut off from the network gets what it missed, once and in order", async () => {
  await using played = await openBehindProxy();
  const { stage, proxy } = played;
  await stage.subscribe(["a", "b", "c"]);
  await played.publish("a", 1, 3);
  await stage.events(3);

  await stage.page.context().setOffline(true);
  proxy.cut();
  await stage.told("again in", 1);
  await played.publish("a", 4, 200);
  await played.publish("b", 1, 100);
  await stage.page.context().setOffline(false);

  await stage.live(6);
  await played.publish("a", 201, 210);
  const events = await stage.events(310);
  const of = (channel: string) => events.filter((line) => line.startsWith(`${channel} `));
  assertEquals([of("a"), of("b"), of("c")], [numbers("a", 210), numbers("b", 100), []]);
  const recovered = await stage.told("recovered", 3);
  assertEquals(recovered.toSorted(), ["recovered a 197", "recovered b 100", "recovered c 0"]);
  assertEquals(await stage.told("lost", 0), []);
});

Deno.test("a server that came back with nothing in memory is told as lost, per channel", async () => {
  await using stage = await Stage.open();
  const { site } = stage;
  await stage.subscribe(["a", "b"]);
  await site.broadcaster.publish("a", { event: "n", data: 1 });
  await stage.events(1);

  await site.stop();
  site.restart();

  assertEquals((await stage.told("lost", 2)).toSorted(), ["lost a", "lost b"]);
  await site.broadcaster.publish("a", { event: "n", data: 2 });
  assertEquals(await stage.events(2), ["a n 1", "a n 2"]);
  assertEquals(await stage.told("recovered", 0), []);
});

Deno.test("a connection that died without a word is found when the page comes back, and resumed", async () => {
  await using played = await openBehindProxy();
  const { stage, proxy } = played;
  await stage.subscribe(["a"]);
  await played.publish("a", 1, 1);
  await stage.events(1);

  proxy.swallow();
  await played.publish("a", 2, 20);
  await stage.page.evaluate(() => dispatchEvent(new Event("pageshow")));
  await stage.told("again in", 1);
  proxy.heal();

  assertEquals(await stage.events(20), numbers("a", 20));
  assertEquals(await stage.told("recovered", 1), ["recovered a 19"]);
});
