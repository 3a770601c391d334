/// <reference lib="dom" />
import type { Account } from "./account.ts";
import { element } from "./elements.ts";

/** The log-in form of the private room. */
export class Entrance {
  readonly #form = element("login", HTMLFormElement);
  readonly #name = element("login-name", HTMLInputElement);
  readonly #password = element("login-password", HTMLInputElement);
  readonly #notice = element("login-notice", HTMLElement);
  readonly #error = element("login-error", HTMLElement);
  readonly #submit = element("login-submit", HTMLButtonElement);

  constructor(account: Account, onLoggedIn: () => void) {
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.#error.textContent = "";
      this.#submit.disabled = true;
      const answer = await account.logIn(this.#form);
      this.#submit.disabled = false;
      if (answer.ok) {
        this.#password.value = "";
        onLoggedIn();
      } else {
        this.#error.textContent = answer.reason;
        this.#password.select();
      }
    });
  }

  /** Says why somebody who was in stands before the door, or nothing. */
  show(notice: string): void {
    this.#error.textContent = "";
    this.#notice.textContent = notice;
    this.#notice.hidden = notice === "";
  }

  focus(): void {
    this.#name.focus();
  }
}
