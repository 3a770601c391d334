/// <reference lib="dom" />
import type { Notice } from "../messages.ts";
import { element } from "./elements.ts";

/** What the server itself says. It changes by itself, so a reader can stop it. */
export class RadioView {
  readonly #section = element("radio", HTMLElement);
  readonly #pause = element("radio-pause", HTMLButtonElement);
  #paused = false;

  constructor() {
    this.#pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#pause.textContent = this.#paused ? "Resume" : "Pause";
    });
  }

  set visible(visible: boolean) {
    this.#section.hidden = !visible;
  }

  show({ text }: Notice): void {
    const place = this.#section.querySelector(".text");
    if (!this.#paused && place !== null) place.textContent = text;
  }
}
