import type { Browser, Locator, Page } from "playwright-core";

/** A person at the demo's page, in a browser context of their own. */
export class ChatPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens a room under a name and waits until the gateway says that its channel is live. */
  static async open(browser: Browser, url: string, room: string, name: string): Promise<ChatPage> {
    const context = await browser.newContext();
    const chat = new ChatPage(await context.newPage());
    const live = Promise.withResolvers<unknown>();
    chat.page.once("websocket", (socket) => {
      live.resolve(socket.waitForEvent("framereceived", isOk));
    });
    await chat.page.goto(`${url}/#${room}`);
    await chat.page.locator("#name").fill(name);
    await chat.state("connected");
    await live.promise;
    return chat;
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

function isOk({ payload }: { readonly payload: { toString(): string } }): boolean {
  return payload.toString().includes('"t":"ok"');
}
