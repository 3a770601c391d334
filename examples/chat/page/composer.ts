/// <reference lib="dom" />
import { MAX_TEXT_LENGTH } from "../messages.ts";
import { element } from "./elements.ts";

/** From so many characters left on, they are counted. */
const COUNTED_FROM = 60;

export interface ComposerEvents {
  send(text: string): void;
  typing(): void;
}

/** Where one writes. */
export class Composer {
  readonly #form = element("composer", HTMLFormElement);
  readonly #text = element("message", HTMLTextAreaElement);
  readonly #left = element("left", HTMLElement);
  readonly #events: ComposerEvents;

  constructor(events: ComposerEvents) {
    this.#events = events;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("keydown", (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#text.addEventListener("input", () => {
      this.#count();
      if (this.#text.value.trim() !== "") events.typing();
    });
  }

  /** Text that was begun stays with its room. */
  open(roomTitle: string, draft: string): void {
    this.#text.placeholder = `Message to ${roomTitle}`;
    this.#text.value = draft;
    this.#count();
  }

  get draft(): string {
    return this.#text.value;
  }

  focus(): void {
    this.#text.focus();
  }

  #send(): void {
    const text = clean(this.#text.value);
    this.#text.focus();
    if (text === "") return;
    this.#text.value = "";
    this.#count();
    this.#events.send(text);
  }

  #count(): void {
    const left = MAX_TEXT_LENGTH - this.#text.value.length;
    this.#left.textContent = left > COUNTED_FROM ? "" : `${left} characters left`;
  }
}

/** As the server takes it: no control characters, which a paste may bring along. */
function clean(text: string): string {
  return text.replace(/\t/g, " ").replace(/[^\P{Cc}\n]/gu, "").trim();
}
