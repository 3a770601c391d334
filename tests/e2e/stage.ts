import type { Browser, Page, WebSocket } from "playwright-core";
import type * as client from "../../client.ts";
import { launchChromium } from "./chromium.ts";
import { Site, type SiteOptions } from "./site.ts";

declare global {
  /** In the page: the client's module. */
  var airwave: typeof client;
  /** In the page: what happened, in order. */
  var log: string[];
}

/** A site, a browser and a page on the site, which has loaded the client. */
export class Stage implements AsyncDisposable {
  readonly site: Site;
  readonly page: Page;
  /** Every WebSocket that the page has opened, in order. */
  readonly sockets: WebSocket[] = [];
  readonly #browser: Browser;

  private constructor(site: Site, browser: Browser, page: Page) {
    this.site = site;
    this.#browser = browser;
    this.page = page;
    page.on("websocket", (socket) => this.sockets.push(socket));
  }

  /** Opens all three; `await using` closes them. */
  static async open(options: SiteOptions = {}): Promise<Stage> {
    const site = await Site.start(options);
    const browser = await launchChromium();
    const stage = new Stage(site, browser, await browser.newPage());
    await stage.goTo(site.url());
    return stage;
  }

  /** Goes to the page of a site and waits until it has loaded the client. */
  async goTo(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.waitForFunction(() => globalThis.airwave !== undefined);
  }

  /** Subscribes in the page and waits until every channel is live. */
  async subscribe(
    channels: readonly string[],
    options: client.BroadcastClientOptions = {},
  ): Promise<void> {
    await this.page.evaluate(([channels, options]) => {
      const client = new airwave.BroadcastClient(options);
      client.on("subscribed", ({ channel }) => log.push(`live ${channel}`));
      client.on("reconnecting", ({ delayMs }) => log.push(`again in ${delayMs}`));
      client.on("recovered", (info) => log.push(`recovered ${info.channel} ${info.missed}`));
      client.on("lost", ({ channel }) => log.push(`lost ${channel}`));
      for (const name of channels) {
        client.channel(name).on("*", (event, data) => log.push(`${name} ${event} ${data}`));
      }
    }, [channels, options] as const);
    await this.live(channels.length);
  }

  /** Waits until the page was told this many times, in all, that a channel is live. */
  async live(times: number): Promise<void> {
    await this.page.waitForFunction(
      (times) => log.filter((line) => line.startsWith("live ")).length >= times,
      times,
    );
  }

  /** The lines of the page's log that start with a word, once there are this many of them. */
  async told(word: string, count: number): Promise<string[]> {
    const lines = await this.page.waitForFunction(([word, count]) => {
      const lines = log.filter((line) => line.startsWith(word));
      return lines.length >= count && lines;
    }, [word, count] as const);
    return await lines.jsonValue() || [];
  }

  /** The events that the page has got, once there are this many of them. */
  async events(count: number): Promise<string[]> {
    const events = await this.page.waitForFunction((count) => {
      const events = log.filter((line) => !/^(?:live|again in|recovered|lost) /.test(line));
      return events.length >= count && events;
    }, count);
    return await events.jsonValue() || [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.site.stop();
  }
}
