import { assert, assertEquals } from "@std/assert";
import { ChatPage } from "./chat_page.ts";
import { launchChromium } from "./chromium.ts";
import { TwoNodes } from "./two_nodes.ts";

Deno.test("demo:redis: a node is killed and away for five seconds, and its pages show no hole", async () => {
  await using nodes = TwoNodes.start();
  const a = await nodes.node("A");
  const b = await nodes.node("B");
  await using browser = await launchChromium();
  const ada = await ChatPage.open(browser, a.url, "lobby", "Ada");
  const bob = await ChatPage.open(browser, b.url, "lobby", "Bob");
  await Promise.all([ada, bob].map((page) => page.seesPeople("2 people here", "Ada", "Bob")));
  await ada.say("Before");
  await bob.sees("Before");
  await ada.page.locator("#radio-earlier li").first().waitFor({ state: "attached" });

  Deno.kill(a.pid, "SIGKILL");
  await ada.seesPeople("2 people were here", "Ada", "Bob");
  await bob.say("From the other node");
  await bob.sees("From the other node");
  await ada.say("Meanwhile");
  await ada.sees("Meanwhile", "waiting");
  // The demo starts it again after five seconds, in which node B spoke more than once.
  await ada.state("connected");

  await ada.sees("From the other node");
  await bob.sees("Meanwhile");
  await ada.page.locator("#bulletin[data-kind=recovered]").waitFor();
  await Promise.all([ada, bob].map((page) => page.seesPeople("2 people here", "Ada", "Bob")));
  // The latest was heard live again.
  await ada.page.locator("#radio-earlier li:first-child:not(:has(.tag))").waitFor({
    state: "attached",
  });
  const { all, late } = await ada.heard();
  assert(late.length > 1, `Only ${late} came late`);
  assertEquals(all, Array.from(all, (_, i) => (all[0] ?? 0) + i));
  for (const person of [ada, bob]) {
    assertEquals(await person.messages(), [
      "Ada: Before",
      "Bob: From the other node",
      "Ada: Meanwhile",
    ]);
  }
});
