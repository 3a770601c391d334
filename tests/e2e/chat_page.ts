import type { Browser, BrowserContext, Locator, Page } from "playwright-core";

/** Something that the server itself said. */
interface Heard {
  readonly number: number;
  readonly isLate: boolean;
}

/** A person at the demo's page, in a browser context of their own. */
export class ChatPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens a room under a name and waits until the gateway says that its channel is live. */
  static async open(browser: Browser, url: string, room: string, name: string): Promise<ChatPage> {
    const context = await browser.newContext();
    await context.addInitScript((name) => {
      if (localStorage.getItem("airwave-chat.name") === null) {
        localStorage.setItem("airwave-chat.name", name);
      }
    }, name);
    return await ChatPage.#openIn(context, `${url}/#${room}`);
  }

  static async #openIn(context: BrowserContext, address: string): Promise<ChatPage> {
    const chat = new ChatPage(await context.newPage());
    await chat.page.goto(address);
    await chat.isIn();
    return chat;
  }

  /** The same person once more. */
  secondTab(): Promise<ChatPage> {
    return ChatPage.#openIn(this.page.context(), this.page.url());
  }

  /** Waits until the page's connection is there and both channels of a public room are live. */
  async isIn(): Promise<void> {
    await this.state("connected");
    await this.page.locator("#people:not(.stale) li .tag").waitFor({ state: "attached" });
  }

  /** Takes another name. */
  async rename(name: string): Promise<void> {
    await this.page.locator("#name").fill(name);
    await this.page.locator("#name").press("Tab");
  }

  /** Waits until these people and no others are listed, under the title that says how many. */
  async seesPeople(title: string, ...names: readonly string[]): Promise<void> {
    const selector = [
      `#people:has(#people-title:text-is("${title}"))`,
      ...names.map((name) => `:has(.name:text-is("${name}"))`),
      `:not(:has(li:nth-child(${names.length + 1})))`,
    ];
    await this.page.locator(selector.join("")).waitFor();
  }

  /** From here on, what the page tells of people who come and go. */
  async watchComings(): Promise<() => Promise<string[]>> {
    const told = await this.page.locator("#people-announcement").evaluateHandle((place) => {
      const told: string[] = [];
      const { MutationObserver } = place.ownerDocument.defaultView;
      new MutationObserver(() => told.push(place.textContent)).observe(place, { childList: true });
      return told;
    });
    return () => told.jsonValue();
  }

  /** Stops the page in the middle of what it does, as a closed lid does. Returns what lets it go on. */
  async closeLid(): Promise<() => Promise<unknown>> {
    const debug = await this.page.context().newCDPSession(this.page);
    await debug.send("Debugger.enable");
    await debug.send("Debugger.pause");
    return () => debug.send("Debugger.disable");
  }

  /** The numbers of what the server itself said, the first first, and those that came late. */
  async heard(): Promise<{ all: number[]; late: number[] }> {
    const items: Heard[] = await this.page.locator("#radio-earlier li").evaluateAll((items) =>
      items.map((item) => ({
        number: Number(item.dataset.number),
        isLate: item.querySelector(".tag") !== null,
      })).reverse()
    );
    return {
      all: items.map(({ number }) => number),
      late: items.filter(({ isLate }) => isLate).map(({ number }) => number),
    };
  }

  /** Waits until the page says that its connection is in this state. */
  state(state: "connected" | "reconnecting"): Promise<void> {
    return this.page.locator(`#state[data-state=${state}]`).waitFor();
  }

  /** Goes to a room by its link. */
  goTo(room: string): Promise<void> {
    return this.page.locator(`#rooms a[data-room=${room}]`).click();
  }

  /** Writes a message without sending it. */
  type(text: string): Promise<void> {
    return this.page.locator("#message").fill(text);
  }

  /** Sends what is written, with the keyboard. */
  enter(): Promise<void> {
    return this.page.locator("#message").press("Enter");
  }

  async say(text: string): Promise<void> {
    await this.type(text);
    await this.enter();
  }

  /** Waits until a message is shown, as one that has arrived unless told. */
  sees(text: string, state: "delivered" | "waiting" = "delivered"): Promise<void> {
    return this.#message(text, state).waitFor();
  }

  /** Waits until this is what is said about who is typing. */
  async seesTyping(text: string): Promise<void> {
    const typing = text === "" ? "#typing:empty" : `#typing:text-is("${text}")`;
    await this.page.locator(typing).waitFor({ state: "attached" });
  }

  /** Every message on the page, as "author: text". */
  async messages(): Promise<string[]> {
    const messages = await this.page.locator("#messages > li").all();
    return await Promise.all(messages.map(async (message) => {
      const author = await message.locator(".author").textContent();
      return `${author}: ${await message.locator(".text").textContent()}`;
    }));
  }

  async logIn(name: string, password: string): Promise<void> {
    await this.page.locator("#login-name").fill(name);
    await this.page.locator("#login-password").fill(password);
    await this.page.locator("#login-submit").click();
  }

  /**
   * What the gateway answers when somebody goes round the page and asks for a channel on a socket
   * of their own: the type of the frame that is about that channel.
   */
  askFor(channel: string): Promise<string> {
    return this.page.evaluate((channel) =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/_broadcast`);
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.t === "welcome") socket.send(JSON.stringify({ t: "sub", c: channel }));
          if (frame.c !== channel) return;
          resolve(frame.t);
          socket.close();
        };
        socket.onclose = () => reject(new Error("The gateway closed the socket"));
        setTimeout(() => reject(new Error("The gateway did not answer")), 10_000);
      }), channel);
  }

  #message(text: string, state: string): Locator {
    return this.page.locator(`#messages > li[data-state=${state}]`)
      .filter({ has: this.page.locator(`.text:text-is("${text}")`) });
  }
}
