import { MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { createApp } from "../../examples/recipes/htmx.ts";
import { launchChromium } from "../e2e/chromium.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";
import { answer, bundlePage } from "./bundle_page.ts";
import { type App, pay, Running } from "./shop.ts";

/** An application whose streams can be refused for a while, and that can be replaced by another. */
class Site implements App {
  app: App;
  isAway = false;
  /** What each stream was asked to go on from. */
  readonly lastEventIds: string[] = [];
  readonly #script: string;
  #onRefused = () => {};

  constructor(app: App, script: string) {
    this.app = app;
    this.#script = script;
  }

  /** A stream is asked for next while they are refused. */
  refused(): Promise<void> {
    return new Promise((resolve) => this.#onRefused = resolve);
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname === "/page.js") return answer("text/javascript", this.#script);
    if (pathname === "/_broadcast/sse") {
      this.lastEventIds.push(request.headers.get("last-event-id") ?? "");
      if (this.isAway) {
        this.#onRefused();
        return new Response(null, { status: 503 });
      }
    }
    return await this.app.fetch(request);
  };

  close(): Promise<void> {
    return this.app.close();
  }
}

Deno.test("htmx.ts shows each payment, also those made while its stream was cut", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using other = new MemoryBroadcaster();
  const [app, successor] = [createApp(broadcaster), createApp(other)];
  const site = new Site(app, await bundlePage("htmx_page"));
  await using running = new Running(site);
  await using proxy = await TcpProxy.listen(running.port);
  await using browser = await launchChromium();
  const page = await browser.newPage();
  const shows = (sales: number) => page.getByText(`Sales: ${sales}`, { exact: true }).waitFor();

  await page.goto(`http://127.0.0.1:${proxy.port}`);
  await shows(0);
  await pay(running.url);
  await shows(12);

  site.isAway = true;
  const refused = site.refused();
  proxy.cut();
  await refused;
  for (let i = 0; i < 3; i++) await pay(running.url);
  site.isAway = false;
  await shows(48);
  const [first, ...later] = site.lastEventIds;
  assertEquals(first, "");
  for (const id of later) assertEquals(/^1\|orders\.7\+.*\+1$/.test(id), true, id);

  // Another server, which cannot know what was missed: the page is loaded anew.
  site.app = successor;
  await pay(running.url);
  proxy.cut();
  await shows(12);
  await pay(running.url);
  await shows(24);
  await app.close();
});
