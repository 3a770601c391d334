/** Mistakes of a page, as the console of a real browser shows them. */
import { mistake } from "../mistakes/mistake.ts";
import { Site } from "./site.ts";
import { Stage } from "./stage.ts";

/** The first thing on the console after the page on stage has connected and asked for a channel. */
async function consoleOf({ page }: Stage, url: string, channel = "news"): Promise<string> {
  const thrown = page.waitForEvent("pageerror").then(({ message }) => message);
  const printed = page.waitForEvent("console").then((message) => message.text());
  await page.evaluate(([url, channel]) => {
    new airwave.BroadcastClient({ url }).channel(channel);
  }, [url, channel] as const);
  const first = await Promise.race([thrown, printed]);
  // The other one may never come, and nobody waits for it.
  for (const other of [thrown, printed]) other.catch(() => {});
  return first;
}

mistake("A page on another origin", async () => {
  await using stage = await Stage.open();
  await using other = await Site.start();
  await stage.goTo(other.url());
  return await consoleOf(stage, stage.site.socketUrl);
});
mistake("A page with a wrong path", async () => {
  await using stage = await Stage.open();
  return await consoleOf(stage, "/live");
});
mistake("A page whose client nobody listens to is refused a channel", async () => {
  await using stage = await Stage.open();
  return await consoleOf(stage, "/_broadcast", "private-orders");
});
