import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { EventSource } from "eventsource";
import { SseReader } from "../gateway/sse_reader.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";
import { Nginx } from "./nginx.ts";
import { Site } from "./site.ts";
import { Stage } from "./stage.ts";

const FOUR = ["a", "b", "c.3", "d:4"] as const;
const QUERY = FOUR.map((channel) => `c=${encodeURIComponent(channel)}`).join("&");

function portOf(site: Site): number {
  return Number(new URL(site.url()).port);
}

async function publishEach(site: Site, data: number): Promise<void> {
  for (const channel of FOUR) await site.broadcaster.publish(channel, { event: "e", data });
}

/** Every channel's events 1 to `last`, as both sources log them. */
function expected(last: number): string[] {
  return FOUR.flatMap((channel) =>
    Array.from({ length: last }, (_, index) => `${channel} ${index + 1}`)
  );
}

Deno.test("the EventSource of a browser resumes four channels on one stream after a cut", async () => {
  await using stage = await Stage.open();
  const { site, page } = stage;
  await using proxy = await TcpProxy.listen(portOf(site));
  await stage.goTo(`http://localhost:${proxy.port}`);
  await page.evaluate((query) => {
    const source = new EventSource(`/_broadcast/sse?${query}`);
    source.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.t === "ok") log.push(`live ${frame.r}`);
      if (frame.t === "msg") log.push(`${frame.c} ${frame.d}`);
    };
  }, QUERY);
  await stage.live(4);
  await publishEach(site, 1);
  // One channel is ahead of the others when the stream is cut.
  await site.broadcaster.publish("b", { event: "e", data: 2 });
  await stage.events(5);
  proxy.cut();
  for (const channel of ["a", "c.3", "d:4"]) {
    await site.broadcaster.publish(channel, { event: "e", data: 2 });
  }
  await publishEach(site, 3);
  await stage.live(8);
  await publishEach(site, 4);
  const events = await stage.events(16);
  const byChannel = FOUR.flatMap((channel) => events.filter((e) => e.startsWith(`${channel} `)));
  assertEquals(byChannel, expected(4));
  const live = await page.evaluate(() => log.filter((line) => line.startsWith("live ")));
  assertEquals(live, [...Array(4).fill("live none"), ...Array(4).fill("live ok")]);
});

Deno.test("the npm package eventsource resumes four channels on one stream after a cut", async () => {
  await using site = await Site.start();
  await using proxy = await TcpProxy.listen(portOf(site));
  const source = new EventSource(`http://localhost:${proxy.port}/_broadcast/sse?${QUERY}`);
  const log: string[] = [];
  let look = () => {};
  source.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.t === "ok") log.push(`live ${frame.r}`);
    if (frame.t === "msg") log.push(`${frame.c} ${frame.d}`);
    look();
  };
  const until = async (count: number) => {
    while (log.length < count) await new Promise<void>((resolve) => look = resolve);
  };
  try {
    await until(4);
    await publishEach(site, 1);
    await until(8);
    proxy.cut();
    await publishEach(site, 2);
    await until(16);
    await publishEach(site, 3);
    await until(20);
  } finally {
    source.close();
  }
  assertEquals(log.filter((line) => line.startsWith("live ")), [
    ...Array(4).fill("live none"),
    ...Array(4).fill("live ok"),
  ]);
  assertEquals(
    FOUR.flatMap((channel) => log.filter((line) => line.startsWith(`${channel} `))),
    expected(3),
  );
});

Deno.test("a closed tab leaves nothing behind within a second", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  await using stage = await Stage.open({ onDisconnect: () => resolve() });
  const { site, page } = stage;
  await page.evaluate((query) => {
    const source = new EventSource(`/_broadcast/sse?${query}`);
    return new Promise((resolve) => source.onmessage = resolve).then(() => {});
  }, QUERY);
  assertEquals(site.gateway.clientCount, 1);
  await page.close();
  await deadline(left, 1_000);
  assertEquals([site.gateway.clientCount, site.gateway.channelCount], [0, 0]);
});

Deno.test("a page without a library: named events, and a status where some may be missing", async () => {
  await using stage = await Stage.open();
  const { site, page } = stage;
  await page.evaluate(() => {
    function listen() {
      const source = new EventSource("/_broadcast/sse?c=news&as=events");
      source.onopen = () => log.push("live");
      source.addEventListener("headline", ({ data }) => log.push(`headline ${JSON.parse(data)}`));
      source.onmessage = ({ data }) => log.push(`message ${JSON.parse(data)}`);
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) return;
        log.push("reload the state");
        listen();
      };
    }
    listen();
  });
  const until = (count: number) => page.waitForFunction((count) => log.length >= count, count);
  await until(1);
  await site.broadcaster.publish("news", { event: "headline", data: "It works" });
  await site.broadcaster.publish("news", { event: "message", data: "Hello" });
  await until(3);
  // Its history is gone with it: nobody can tell what the page has missed.
  await site.stop();
  site.restart();
  await until(5);
  await site.broadcaster.publish("news", { event: "headline", data: "Back again" });
  await until(6);
  assertEquals(await page.evaluate(() => log), [
    "live",
    "headline It works",
    "message Hello",
    "reload the state",
    "live",
    "headline Back again",
  ]);
});

Deno.test("a page of another origin reads and speaks with cookies where it is allowed, else not", async () => {
  await using stage = await Stage.open();
  const { page } = stage;
  const resolveSubject = (request: Request) => request.headers.get("cookie") ?? undefined;
  await using allowed = await Site.start({ allowedOrigins: [stage.site.url()], resolveSubject });
  await using foreign = await Site.start({ resolveSubject });
  await page.context().addCookies([{ name: "user", value: "ada", url: allowed.url() }]);
  const speak = (url: string) =>
    page.evaluate(async (url) => {
      try {
        const init = { credentials: "include" } as const;
        const response = await fetch(`${url}/_broadcast/sse`, init);
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        while (!/"up":"\w+"/.test(text)) text += (await reader?.read())?.value;
        const secret = /"up":"(\w+)"/.exec(text)?.[1];
        const headers = { "airwave-uplink": "1" };
        const body = '{"t":"sub","c":"a","n":1}';
        const said = await fetch(`${url}/_broadcast/sse/${secret}`, {
          ...init,
          method: "POST",
          headers,
          body,
        });
        return said.status;
      } catch (error) {
        return String(error);
      }
    }, url);
  assertEquals(await speak(allowed.url()), 204);
  assertEquals(await speak(foreign.url()), "TypeError: Failed to fetch");
});

Deno.test("behind nginx as it comes, events arrive at once, and who leaves is gone", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  await using site = await Site.start({ onDisconnect: () => resolve() });
  await using nginx = await Nginx.start(portOf(site));
  const url = `${nginx.url}/_broadcast/sse`;
  const reader = await SseReader.open(fetch, { url, channels: FOUR });
  // Each is read before the next is published: nothing waits for a buffer to fill up.
  await reader.live(...FOUR);
  for (let d = 1; d <= 5; d++) {
    await site.broadcaster.publish("a", { event: "e", data: d });
    await reader.until((reader) => reader.data("a").length === d);
  }
  assertEquals((await reader.say({ t: "sub", c: "by.uplink", n: 1 })).status, 204);
  await reader.live("by.uplink");
  await reader.leave();
  await left;
  assertEquals(site.gateway.clientCount, 0);
});

Deno.test("the longest id there is comes back through nginx", async () => {
  await using site = await Site.start();
  await using nginx = await Nginx.start(portOf(site));
  const url = `${nginx.url}/_broadcast/sse`;
  const channels = Array.from(
    { length: 104 },
    (_, n) => `private-orders.of-customer.${n}`.padEnd(60, "x"),
  );
  for (const channel of channels) site.broadcaster.authorize(channel, () => true);
  const first = await SseReader.open(fetch, { url });
  await first.say(channels.map((c, n) => ({ t: "sub", c, n })));
  await first.live(...channels);
  const { lastEventId } = first;
  assert((lastEventId?.length ?? 0) > 7_000, `${lastEventId?.length} characters`);
  await first.leave();
  const second = await SseReader.open(fetch, { url, lastEventId });
  await second.live(...channels);
  assertEquals(new Set(second.recoveries), new Set(["ok"]));
  await second.leave();
});
