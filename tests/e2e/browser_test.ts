import { assertEquals, assertMatch } from "@std/assert";
import { runInNewContext } from "node:vm";
import { Site } from "./site.ts";
import { Stage } from "./stage.ts";

Deno.test("a page gets the events of many channels live, over one socket", async () => {
  await using stage = await Stage.open();
  const { site, sockets } = stage;
  const channels = Array.from({ length: 100 }, (_, index) => `news.${index}`);
  await stage.subscribe(channels);

  for (const name of channels) {
    await site.broadcaster.publish(name, { event: "headline", data: `of ${name}` });
  }

  assertEquals(await stage.events(100), channels.map((name) => `${name} headline of ${name}`));
  assertEquals(sockets.length, 1);
  assertEquals(site.gateway.clientCount, 1);
  assertEquals(site.gateway.channelCount, 100);
});

Deno.test("names of the language are ordinary channels and events in a browser", async () => {
  await using stage = await Stage.open({ allowClientPublish: () => true });
  const { site, page } = stage;
  const channels = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  await stage.subscribe(channels);

  const expected: string[] = [];
  for (const name of channels) {
    for (const event of ["__proto__", "constructor", "valueOf"]) {
      await site.broadcaster.publish(name, { event, data: "of the server" });
      expected.push(`${name} ${event} of the server`);
    }
  }
  const events = await stage.events(expected.length);
  // Between two channels there is no order.
  for (const name of channels) {
    const isOf = (event: string) => event.startsWith(`${name} `);
    assertEquals(events.filter(isOf), expected.filter(isOf));
  }

  await page.evaluate(() => {
    const channel = new airwave.BroadcastClient().channel("__proto__");
    channel.on("__proto__", (data) => log.push(`exactly __proto__ ${data}`));
    channel.publish("__proto__", "of a page");
  });
  expected.push("__proto__ __proto__ of a page", "exactly __proto__ of a page");
  assertEquals((await stage.events(expected.length)).sort(), expected.sort());
  const untouched = await page.evaluate(() => Object.keys(Object.prototype));
  assertEquals(untouched, []);
});

Deno.test("a page returns by itself when its server was restarted", async () => {
  await using stage = await Stage.open();
  const { site } = stage;
  await stage.subscribe(["a", "b"]);
  await site.broadcaster.publish("a", { event: "number", data: 1 });
  assertEquals(await stage.events(1), ["a number 1"]);

  await site.stop();
  site.restart();

  await stage.live(4);
  await site.broadcaster.publish("a", { event: "number", data: 2 });
  await site.broadcaster.publish("b", { event: "number", data: 3 });
  assertEquals(await stage.events(3), ["a number 1", "a number 2", "b number 3"]);
  assertEquals(site.gateway.clientCount, 1);
  assertEquals(site.gateway.subscriberCount("a"), 1);
});

Deno.test("a network that comes back cuts the wait for the next attempt short", async () => {
  await using stage = await Stage.open();
  const { site, page } = stage;
  const hourMs = 60 * 60_000;
  await stage.subscribe(["a"], { reconnectInitialDelayMs: hourMs, reconnectMaxDelayMs: hourMs });

  // The waits are drawn at random: the longest one first, hardly any after it.
  await page.evaluate(() => {
    Math.random = () => 0.999;
  });
  await page.context().setOffline(true);
  await site.stop();
  await page.waitForFunction(() => log.some((line) => line.startsWith("again in ")));
  await page.evaluate(() => {
    Math.random = () => 0.000_001;
  });
  site.restart();
  await page.context().setOffline(false);

  await stage.live(2);
  const waits = await page.evaluate(() =>
    log.flatMap((line) => line.startsWith("again in ") ? Number(line.slice(9)) : [])
  );
  assertEquals(waits.map((delayMs) => delayMs < 1000), [false, true]);
});

Deno.test("a page of the same origin is let in by whatever name it knows the server", async () => {
  await using stage = await Stage.open();
  await stage.goTo(stage.site.url("127.0.0.1"));
  await stage.subscribe(["a"]);
  assertEquals(stage.site.gateway.clientCount, 1);
});

Deno.test("a page of a foreign host or port is refused with 403", async () => {
  await using stage = await Stage.open();
  await using other = await Site.start();
  for (const origin of [stage.site.url("127.0.0.1"), other.url()]) {
    await stage.goTo(origin);
    assertMatch(await refusal(stage), /\b403\b/, origin);
    assertEquals(stage.site.gateway.clientCount, 0);
  }
});

Deno.test("a page of an allowed origin is let in, another one still is not", async () => {
  await using other = await Site.start();
  await using stage = await Stage.open({ allowedOrigins: [other.url()] });
  const { site } = stage;
  await stage.goTo(stage.site.url("127.0.0.1"));
  assertMatch(await refusal(stage), /\b403\b/);

  await stage.goTo(other.url());
  await stage.subscribe(["a"], { url: site.socketUrl });
  await site.broadcaster.publish("a", { event: "number", data: 1 });
  assertEquals(await stage.events(1), ["a number 1"]);
});

Deno.test("importing the client touches nothing of the platform, and makes no global", async () => {
  await using stage = await Stage.open();
  assertEquals(await touchedByImport(stage, `${stage.site.url()}/client.js`), []);
  // The probe sees what there is to see.
  const nosy = "data:text/javascript,typeof document; addEventListener; globalThis.mark = 1";
  const seen = ["document", "addEventListener", "mark (new)"];
  assertEquals(await touchedByImport(stage, nosy), seen);
});

/** The platform's globals that a module touches while a bare worker imports it. */
async function touchedByImport({ page }: Stage, url: string): Promise<string[]> {
  const probe = await Deno.readTextFile(`${import.meta.dirname}/import_probe.js`);
  const language: string[] = runInNewContext("Object.getOwnPropertyNames(globalThis)");
  return await page.evaluate(
    ({ probe, url, language }) =>
      new Promise<string[]>((resolve, reject) => {
        const script = URL.createObjectURL(new Blob([probe], { type: "text/javascript" }));
        const worker = new Worker(script, { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage({ url, language, page: Object.getOwnPropertyNames(globalThis) });
      }),
    { probe, url, language },
  );
}

/** What Chromium says when the page on stage connects to the site on stage, and is refused. */
async function refusal({ page, site }: Stage): Promise<string> {
  const [message] = await Promise.all([
    page.waitForEvent("console", (message) => message.text().includes(site.socketUrl)),
    page.evaluate((url) => {
      new airwave.BroadcastClient({ url, maxReconnectAttempts: 0 });
    }, site.socketUrl),
  ]);
  return message.text();
}
