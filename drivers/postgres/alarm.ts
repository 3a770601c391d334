/** Why a sleep ended. */
export type Waking = "rung" | "over";

/** A sleep that can be ended early. Rung while nobody sleeps, it ends the next sleep at once. */
export class Alarm {
  #isRung = false;
  #wake: ((by: Waking) => void) | undefined;

  /** Sleeps for so long, or until it is rung. One sleeper at a time. */
  wait(ms: number): Promise<Waking> {
    if (this.#isRung) {
      this.#isRung = false;
      return Promise.resolve("rung");
    }
    return new Promise((resolve) => {
      const wake = (by: Waking) => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(by);
      };
      const timer = setTimeout(wake, ms, "over");
      this.#wake = wake;
    });
  }

  /** Forgets that it was rung. */
  clear(): void {
    this.#isRung = false;
  }

  ring(): void {
    if (this.#wake === undefined) this.#isRung = true;
    else this.#wake("rung");
  }
}
