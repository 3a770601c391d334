import { assertEquals } from "@std/assert";
import { ChatPage } from "./chat_page.ts";
import { launchChromium } from "./chromium.ts";
import { Demo } from "./demo.ts";

Deno.test("demo: two pages exchange messages and see who is typing", async () => {
  await using demo = await Demo.start();
  await using browser = await launchChromium();
  const ada = await ChatPage.open(browser, demo.url, "music", "Ada");
  const bob = await ChatPage.open(browser, demo.url, "music", "Bob");

  await ada.type("Hello Bob");
  await bob.seesTyping("Ada is typing…");
  await ada.enter();
  await bob.sees("Hello Bob");
  await bob.seesTyping("");

  await bob.say("Hello Ada");
  await ada.sees("Hello Bob");
  await ada.sees("Hello Ada");
  for (const person of [ada, bob]) {
    assertEquals(await person.messages(), ["Ada: Hello Bob", "Bob: Hello Ada"]);
  }
});

Deno.test("demo: the server itself has something to say in the lobby", async () => {
  await using demo = await Demo.start();
  await using browser = await launchChromium();
  const { page } = await ChatPage.open(browser, demo.url, "lobby", "Ada");
  await page.locator('#radio-text:not(:text-is("Tuning in…"))').waitFor();
});

Deno.test("demo: the private room is denied until one is logged in", async () => {
  await using demo = await Demo.start();
  await using browser = await launchChromium();
  const ada = await ChatPage.open(browser, demo.url, "music", "Ada");
  const bob = await ChatPage.open(browser, demo.url, "music", "Bob");

  await ada.goTo("members");
  await ada.page.locator("#login").waitFor();
  assertEquals(await ada.page.locator("#composer").isVisible(), false);
  assertEquals(await ada.askFor("private-chat.members"), "err");
  assertEquals(await ada.askFor("presence-chat.members"), "err");
  assertEquals(await ada.askFor("chat.music"), "ok");

  await ada.logIn("Ada", "correct horse");
  await ada.page.locator("#composer").waitFor();
  assertEquals(await ada.askFor("private-chat.members"), "ok");
  assertEquals(await bob.askFor("private-chat.members"), "err");
  await ada.say("Only for members");
  await ada.sees("Only for members");

  await bob.goTo("members");
  await bob.logIn("Ada", "a guess");
  await bob.page.locator("#login-error:not(:empty)").waitFor();
  assertEquals(await bob.askFor("private-chat.members"), "err");
  await bob.logIn("Bob", "battery staple");
  await bob.sees("Only for members");
  await bob.say("I am one now");
  await ada.sees("I am one now");
  for (const person of [ada, bob]) {
    assertEquals(await person.messages(), ["Ada: Only for members", "Bob: I am one now"]);
  }
});

Deno.test("demo: kill -9 and a restart, and every page shows each message once", async () => {
  await using demo = await Demo.start();
  await using browser = await launchChromium();
  const ada = await ChatPage.open(browser, demo.url, "music", "Ada");
  const bob = await ChatPage.open(browser, demo.url, "music", "Bob");
  await ada.say("Before");
  await bob.sees("Before");

  await demo.kill();
  await Promise.all([ada.state("reconnecting"), bob.state("reconnecting")]);
  await ada.say("Meanwhile");
  await ada.sees("Meanwhile", "waiting");
  await demo.restart();

  await Promise.all([ada.state("connected"), bob.state("connected")]);
  await Promise.all([ada.sees("Meanwhile"), bob.sees("Meanwhile")]);
  await bob.say("After");
  await Promise.all([ada.sees("After"), bob.sees("After")]);
  for (const person of [ada, bob]) {
    assertEquals(await person.messages(), ["Ada: Before", "Ada: Meanwhile", "Bob: After"]);
  }
});

Deno.test("demo: who is in the room, through reload, second tab, new name and closed lid", async () => {
  await using demo = await Demo.start();
  await using browser = await launchChromium();
  const ada = await ChatPage.open(browser, demo.url, "music", "Ada");
  const bob = await ChatPage.open(browser, demo.url, "music", "Bob");
  await Promise.all([ada, bob].map((page) => page.seesPeople("2 people here", "Ada", "Bob")));

  const comings = await bob.watchComings();
  const second = await ada.secondTab();
  await second.seesPeople("2 people here", "Ada", "Bob");
  await ada.page.reload();
  await ada.isIn();
  await ada.type("Still me");
  await bob.seesTyping("Ada is typing…");
  await bob.page.locator('#people li.typing:has-text("Ada")').waitFor();
  await second.page.close();

  const open = await ada.closeLid();
  await bob.seesPeople("1 person here", "Bob");
  assertEquals(await comings(), ["Ada left."]);
  await open();
  await bob.seesPeople("2 people here", "Ada", "Bob");

  await ada.rename("Ada Lovelace");
  await bob.seesPeople("2 people here", "Ada Lovelace", "Bob");
  assertEquals(await comings(), ["Ada left.", "Ada came in."]);

  await demo.kill();
  await bob.seesPeople("2 people were here", "Ada Lovelace", "Bob");
  await demo.restart();
  await bob.seesPeople("2 people here", "Ada Lovelace", "Bob");
  assertEquals(await bob.page.locator("#bulletin").getAttribute("data-kind"), "lost");
});
