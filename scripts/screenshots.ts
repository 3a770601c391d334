/**
 * Makes the picture in `docs/images` anew: the demo with three people in a room. Needs Chromium. With
 * a folder as its argument it puts others there, too, to be looked at: in the dark, and on a phone.
 *
 *     deno run -A scripts/screenshots.ts
 *
 * @module
 */
import { ChatPage } from "../tests/e2e/chat_page.ts";
import { launchChromium } from "../tests/e2e/chromium.ts";
import { Demo } from "../tests/e2e/demo.ts";
import { ROOT } from "./project.ts";

const WIDE = { width: 1000, height: 560 };
const PHONE = { width: 390, height: 780 };

const [folder] = Deno.args;
const views = [
  { name: "chat", size: WIDE, colorScheme: "light" },
  { name: "chat-dark", size: WIDE, colorScheme: "dark" },
  { name: "chat-phone", size: PHONE, colorScheme: "light" },
  { name: "chat-phone-dark", size: PHONE, colorScheme: "dark" },
] as const;

await using demo = await Demo.start();
await using browser = await launchChromium();
const ada = await ChatPage.open(browser, demo.url, "music", "Ada");
const bob = await ChatPage.open(browser, demo.url, "music", "Bob");
const eve = await ChatPage.open(browser, demo.url, "music", "Eve");
await bob.say("Did the tunnel cost you a message?");
await ada.sees("Did the tunnel cost you a message?");
await ada.say("None. They came when I was back, each once.");
await eve.sees("None. They came when I was back, each once.");
await eve.say("And when the server was killed?");
await ada.sees("And when the server was killed?");

for (const { name, size, colorScheme } of folder === undefined ? views.slice(0, 1) : views) {
  await ada.page.setViewportSize(size);
  await ada.page.emulateMedia({ colorScheme });
  await bob.type("The same, ");
  await ada.seesTyping("Bob is typing…");
  await ada.page.screenshot({ path: `${folder ?? `${ROOT}/docs/images`}/${name}.png` });
  await bob.type("");
  await ada.seesTyping("");
}
