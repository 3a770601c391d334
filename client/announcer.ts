/**
 * Tells the application what happened once it has happened: while something changes, announcements
 * wait, so that a listener finds a client at rest and may connect, disconnect or publish at will.
 */
export class Announcer {
  readonly #waiting: (() => void)[] = [];
  #state: "resting" | "changing" = "resting";

  /** Makes a change, then tells what it announced, in order, and what listeners set off by that. */
  change(run: () => void): void {
    if (this.#state === "changing") return run();
    this.#state = "changing";
    try {
      run();
      for (let tell = this.#waiting.shift(); tell; tell = this.#waiting.shift()) tell();
    } finally {
      this.#state = "resting";
    }
  }

  /** Announces; `tell` must not throw. */
  announce(tell: () => void): void {
    this.#waiting.push(tell);
    this.change(() => {});
  }
}
