/// <reference lib="dom" />
import { element } from "./elements.ts";

/** Good news goes by itself. */
const SHOWN_MS = 10_000;

/** What there is to know after a break, in plain words. */
export class Bulletin {
  readonly #section = element("bulletin", HTMLElement);
  readonly #text = element("bulletin-text", HTMLElement);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    element("bulletin-close", HTMLButtonElement).addEventListener("click", () => this.clear());
  }

  recovered(missed: number): void {
    // Whoever was told that something is lost is not told that all is well a moment later.
    if (missed === 0 || this.#section.dataset.kind === "lost") return;
    const messages = missed === 1 ? "One message" : `${missed} messages`;
    this.#show("recovered", `${messages} came while you were away. Nothing is missing.`);
    this.#timer = setTimeout(() => this.clear(), SHOWN_MS);
  }

  lost(): void {
    this.#show(
      "lost",
      "The server has forgotten what was said while you were away, so messages may be missing. What it still knows is shown.",
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#section.dataset.kind = "";
    this.#text.textContent = "";
  }

  #show(kind: "recovered" | "lost", text: string): void {
    clearTimeout(this.#timer);
    this.#section.dataset.kind = kind;
    this.#text.textContent = text;
  }
}
