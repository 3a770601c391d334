/// <reference lib="dom" />
import { avatar, hue } from "./avatar.ts";
import { create, element } from "./elements.ts";
import type { Delivery, Entry } from "./timeline.ts";

/** Messages of one writer within this time stand together. */
const GROUP_MS = 5 * 60_000;
/** So close to the end counts as reading the end. */
const NEAR_END_PX = 60;

const DELIVERY_WORDS: Readonly<Record<Delivery, string>> = {
  waiting: "Waiting for connection",
  sending: "Sending…",
  failed: "Not sent",
  delivered: "Delivered",
};

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Shows entries as list items, one for each nonce, and keeps the reader's place. */
export class MessageList {
  readonly #list = element("messages", HTMLOListElement);
  readonly #log = element("log", HTMLElement);
  readonly #empty = element("empty", HTMLElement);
  readonly #jump = element("jump", HTMLButtonElement);
  readonly #onRetry: (nonce: string) => void;
  #items = new Map<string, HTMLLIElement>();

  constructor(onRetry: (nonce: string) => void) {
    this.#onRetry = onRetry;
    this.#jump.addEventListener("click", () => this.#toEnd());
    let wasNearEnd = true;
    this.#list.addEventListener("scroll", () => {
      wasNearEnd = this.#isNearEnd();
      if (wasNearEnd) this.#jump.hidden = true;
    });
    // A keyboard on a phone, or a line more in the text field, must not hide the newest message.
    new ResizeObserver(() => wasNearEnd && this.#toEnd()).observe(this.#list);
  }

  /** Another room: starts at its end, without reading all of it aloud. */
  open(entries: readonly Entry[]): void {
    this.#log.ariaLive = "off";
    this.#items = new Map();
    this.#list.replaceChildren();
    this.update(entries);
    this.#toEnd();
    requestAnimationFrame(() => this.#log.ariaLive = "polite");
  }

  update(entries: readonly Entry[]): void {
    const follow = this.#isNearEnd();
    const former = this.#items;
    const lastNonce = this.#list.lastElementChild?.getAttribute("data-nonce");
    this.#items = new Map();
    let before: Entry | undefined;
    for (const [i, entry] of entries.entries()) {
      const { nonce } = entry.message;
      const item = former.get(nonce) ?? this.#make(entry);
      former.delete(nonce);
      this.#items.set(nonce, item);
      show(item, entry, before);
      // Only what is new or out of place is touched, so that nothing is read aloud twice.
      if (this.#list.children[i] !== item) {
        this.#list.insertBefore(item, this.#list.children[i] ?? null);
      }
      before = entry;
    }
    for (const item of former.values()) item.remove();
    this.#empty.hidden = entries.length > 0;
    const isNews = before !== undefined && before.message.nonce !== lastNonce;
    if (follow || (isNews && before?.own && before.delivery !== "delivered")) this.#toEnd();
    else if (isNews) this.#jump.hidden = false;
  }

  #make({ message, own }: Entry): HTMLLIElement {
    const item = create("li", own ? "own" : "");
    item.dataset.nonce = message.nonce;
    item.dataset.hue = String(hue(message.name));
    const author = create("span", "author", message.name);
    author.dir = "auto";
    const text = create("p", "text", message.text);
    text.dir = "auto";
    const foot = create("p", "foot");
    foot.ariaLive = "off";
    foot.append(create("time", "time"));
    if (own) {
      const retry = create("button", "retry", "Try again");
      retry.type = "button";
      retry.addEventListener("click", () => this.#onRetry(message.nonce));
      foot.append(create("span", "status"), retry);
    }
    item.append(avatar(message.name), author, text, foot);
    return item;
  }

  #isNearEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd(): void {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#jump.hidden = true;
  }
}

function show(item: HTMLLIElement, entry: Entry, before: Entry | undefined): void {
  const { message, own, delivery } = entry;
  const follows = before !== undefined && before.own === own &&
    before.message.name === message.name && message.at - before.message.at < GROUP_MS;
  item.classList.toggle("follows", follows);
  if (item.dataset.state === delivery) return;
  item.dataset.state = delivery;
  const time = item.querySelector("time");
  if (time !== null) {
    time.dateTime = new Date(message.at).toISOString();
    time.textContent = TIME.format(message.at);
  }
  const status = item.querySelector(".status");
  if (status !== null) status.textContent = DELIVERY_WORDS[delivery];
  const retry = item.querySelector<HTMLButtonElement>(".retry");
  if (retry !== null) retry.hidden = delivery !== "failed";
}
