import { MemoryBroadcaster } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { createApp } from "../../examples/recipes/routes.ts";
import { launchChromium } from "../e2e/chromium.ts";
import { answer, bundlePage } from "./bundle_page.ts";
import { pay, Running } from "./shop.ts";

for (const name of ["page", "react_page"]) {
  Deno.test(`${name}.ts counts each payment once`, async () => {
    const script = await bundlePage(name);
    await using broadcaster = new MemoryBroadcaster();
    const app = createApp(broadcaster);
    await using running = new Running({
      async fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/page.js") return answer("text/javascript", script);
        return pathname === "/" ? answer("text/html", HTML) : await app.fetch(request);
      },
      close: app.close,
    });
    await using browser = await launchChromium();
    const page = await browser.newPage();
    const live = new Promise<void>((resolve) =>
      page.on("websocket", (socket) =>
        socket.on("framereceived", ({ payload }) => {
          if (String(payload).includes('"t":"ok"')) resolve();
        }))
    );
    await page.goto(running.url);
    await live;
    for (let sales = 12; sales <= 36; sales += 12) {
      await pay(running.url);
      await page.getByText(`Sales: ${sales}`, { exact: true }).waitFor();
    }
    assertEquals(await page.locator("#root").textContent(), "Sales: 36");
  });
}

const HTML = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<title>Shop</title><div id="root"></div><script type="module" src="/page.js"></script>`;
