/// <reference lib="dom" />
import type { BroadcastClient } from "@airwave/broadcast/client";
import { type Notice, parseNotice } from "../messages.ts";
import { RADIO_CHANNEL } from "../rooms.ts";
import { create, element } from "./elements.ts";
import { Replay } from "./replay.ts";

/** So many are kept to be read later. */
const MAX_EARLIER = 100;

/** What the server itself says. It changes by itself, so a reader can stop it. */
export class RadioView {
  readonly #section = element("radio", HTMLElement);
  readonly #text = element("radio-text", HTMLElement);
  readonly #pause = element("radio-pause", HTMLButtonElement);
  readonly #more = element("radio-more", HTMLButtonElement);
  /** Everything that was said since the page is there, the latest first. */
  readonly #earlier = element("radio-earlier", HTMLOListElement);
  #paused = false;

  constructor(client: BroadcastClient) {
    this.#pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#pause.textContent = this.#paused ? "Resume" : "Pause";
    });
    this.#more.addEventListener("click", () => {
      this.#earlier.hidden = !this.#earlier.hidden;
      this.#more.ariaExpanded = String(!this.#earlier.hidden);
    });
    const channel = client.channel(RADIO_CHANNEL);
    const replay = new Replay(channel);
    channel.on("notice", (data) => {
      const notice = parseNotice(data);
      if (notice !== undefined) this.#show(notice, replay.isOn);
    });
    channel.onLost(() =>
      this.#earlier.prepend(create("li", "gap", "Something may be missing here."))
    );
  }

  set visible(visible: boolean) {
    this.#section.hidden = !visible;
  }

  #show({ text, number }: Notice, isLate: boolean): void {
    if (!this.#paused) this.#text.textContent = text;
    const item = create("li", "");
    item.dataset.number = String(number);
    item.append(create("span", "number", `${number}`), create("span", "text", text));
    if (isLate) item.append(create("span", "tag", "while you were away"));
    this.#earlier.prepend(item);
    while (this.#earlier.children.length > MAX_EARLIER) this.#earlier.lastElementChild?.remove();
  }
}
