import { assertEquals } from "@std/assert";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { PlayedGateway } from "./harness.ts";

Deno.test("unless told, a connection holds 128 channels", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  for (let i = 0; i < 129; i++) client.send({ t: "sub", c: `c${i}` });
  await settle();
  assertEquals(played.gateway.channelCount, 128);
  assertEquals(client.socket.frames.filter(({ t }) => t === "err"), [
    { t: "err", c: "c128", r: "too many channels" },
  ]);
});

Deno.test("unless told, a message may be 65,536 bytes long", async () => {
  await using played = new PlayedGateway();
  const client = played.connect();
  client.events.message(" ".repeat(65_536));
  assertEquals(client.socket.closed, undefined);
  client.events.message(" ".repeat(65_537));
  assertEquals(client.socket.closed?.code, 1009);
});

Deno.test("unless told, a ping comes every 30 seconds, and 10 seconds are left to answer", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway();
  const client = played.connect();
  const pings = () => client.socket.frames.filter(({ t }) => t === "ping").length;
  await time.tick(29_999);
  assertEquals(pings(), 0);
  await time.tick(1);
  assertEquals(pings(), 1);
  await time.tick(9_999);
  assertEquals(client.socket.closed, undefined);
  await time.tick(1);
  assertEquals(client.socket.closed?.code, 4101);
});

Deno.test("unless told, 256 requests pass at once, then 32 subs and 64 publishes a second", async () => {
  using time = new FakeTime();
  await using played = new PlayedGateway({ maxChannelsPerConnection: 1_000 });
  const client = played.connect();
  let n = 0;
  const passed = async (send: () => void, refusal: string) => {
    const before = client.socket.frames.length;
    for (let i = 0; i < 300; i++) send();
    await settle();
    const answers = client.socket.frames.slice(before);
    return answers.filter((frame) => frame.t !== "err" || frame.r !== refusal).length;
  };
  const sub = () => client.send({ t: "sub", c: `c${n++}` });
  const pub = () => client.send({ t: "pub", c: "c", e: "e", d: null });
  assertEquals(await passed(sub, "rate limited"), 256);
  assertEquals(await passed(pub, "publish rate limited"), 256);
  await time.tick(1_000);
  assertEquals(await passed(sub, "rate limited"), 32);
  assertEquals(await passed(pub, "publish rate limited"), 64);
});
